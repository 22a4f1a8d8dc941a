package deploy

import (
	"context"
	"slices"
	"strings"
)

// secretsUnit installs a host's secrets. It names their manifest, and so it
// changes whenever a secret or a login does.
const secretsUnit = "pistack-secrets.service"

// pull brings the images that the machine lacks. One that needs a login which
// comes with the new system cannot come yet. It is left to the unit of its
// stack, which pulls before it touches a container; all others have to be there.
func (c *change) pull(ctx context.Context) error {
	c.begin(Pull)
	limit := c.run.Options.Timing.Pull
	ctx, cancel := context.WithTimeoutCause(ctx, limit, c.late("pulling images", limit))
	defer cancel()
	failure := c.fetch(ctx, c.plan.references())
	if failure == nil || ctx.Err() != nil || !c.plan.newSecrets() {
		return reason(ctx, failure)
	}
	missing, err := c.machine.Missing(ctx, c.plan.references())
	if err != nil || slices.ContainsFunc(missing, c.plan.withoutLogin) {
		return reason(ctx, failure)
	}
	for _, image := range missing {
		c.warn("%s could not be pulled yet; the new system has other secrets, and pulls it with them", image)
	}
	return nil
}

// fetch sends the images that only the workstation has, and has the machine
// pull the others.
func (c *change) fetch(ctx context.Context, images []string) error {
	if c.run.Deliver != nil {
		own := c.run.Deliver.Own(images)
		if err := c.run.Deliver.Send(ctx, c.name(), own, c.line); err != nil {
			return err
		}
		images = without(images, own)
	}
	if len(images) == 0 {
		return nil
	}
	return c.machine.Pull(ctx, images, c.line)
}

// newSecrets tells whether the new system brings secrets or logins that the
// running one has not.
func (p HostPlan) newSecrets() bool {
	return p.State.Running == "" || slices.ContainsFunc(p.Units, func(u UnitChange) bool { return u.Unit == secretsUnit })
}

// withoutLogin tells whether an image comes from a registry for which the host
// has no login.
func (p HostPlan) withoutLogin(image string) bool {
	_, has := p.Host.Registries[registryOf(image)]
	return !has
}

// registryOf is the registry of an image, as [registries] of host.toml names it
// and as Docker reads it: the part before the first slash, where that looks like
// a host.
func registryOf(image string) string {
	host, _, found := strings.Cut(image, "/")
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return "docker.io"
	}
	return host
}
