//go:build device

package cmd_test

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// private is a virtual Pi whose images come from a private registry.
var private = machine{number: "5", host: "rpi-box-01", stack: "chat"}

// puller is a workstation with a private registry.
type puller struct {
	*lab
	registry *privateRegistry
	images   map[string]string // tag to the reference that was pushed
}

// TestDeviceImages pulls from a private registry, and removes what nothing needs.
func TestDeviceImages(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.boot(t, private)
	net := cmp.Or(os.Getenv("VPI_NET"), "10.98.0")
	p := puller{l, startPrivateRegistry(t, l, net+".1"), map[string]string{}}
	// The registry speaks no TLS; that is Docker's own setting, and not what is tested.
	l.sshStdin(t, private, fmt.Sprintf(`{"insecure-registries": [%q]}`, p.registry.host), "cat >/etc/docker/daemon.json && systemctl reload docker")
	l.addSecret(t, private, "OPENAI_KEY")
	for _, step := range []struct {
		name string
		run  func(t *testing.T, p puller)
	}{
		{"without credentials nothing is pulled", pullRefused},
		{"a secret of the host lets Docker in", pullPrivate},
		{"the credentials are in memory only", credentialsInMemory},
		{"new credentials restart nothing", newCredentials},
		{"images are skipped while somebody is at work", pruneSkipped},
		{"a stack that starts meanwhile waits", stackWaits},
		{"nothing is removed when a list cannot be read", pruneRefused},
		{"images that nothing needs go", prune},
		{"the timer waits for the next day", pruneTimer},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, p) }) {
			return
		}
	}
}

// use makes the stack run the image of a tag.
func (p puller) use(t *testing.T, tag string) {
	t.Helper()
	if p.images[tag] == "" {
		p.images[tag] = p.registry.image(t, tag)
	}
	p.writeFleet(t, "stacks/chat/compose.yaml", []byte(`services:
  web:
    image: `+p.images[tag]+`
    restart: unless-stopped
    environment: {OPENAI_API_KEY: "${OPENAI_KEY}", TZ: "${TZ}", PORT: "${CHAT_PORT}"}
    volumes: ["data:/data"]
volumes: {data: }
`))
}

// login gives the host credentials, and the registry those that it lets in.
func (p puller) login(t *testing.T) {
	t.Helper()
	token := randomText(t)
	p.registry.letIn("me:" + token)
	c := p.traced(t, "pisec", "add", "--replace", private.host, "REGISTRY_LOGIN")
	c.Stdin = strings.NewReader("me:" + token)
	if out, err := c.combined(); err != nil {
		t.Fatalf("pisec add: %v\n%s", err, out)
	}
	p.values["REGISTRY_LOGIN"] = "me:" + token
	p.typed = append(p.typed, token)
}

func pullRefused(t *testing.T, p puller) {
	p.use(t, "v1")
	p.registry.letIn("me:nobody knows")
	out := p.failedDeploy(t, private)
	wantLine(t, out, `^rpi-box-01 +refused `)
	wantLine(t, out, `not pulled: `+regexp.QuoteMeta(p.images["v1"])+`$`)
	wantLine(t, out, `no basic auth credentials|authentication required|unauthorized`)
	if got := p.ssh(t, private, "docker ps -aq"); got != "" {
		t.Fatalf("containers: %s", got)
	}
	if n := p.registry.pulled(); n != 0 {
		t.Fatalf("the registry gave away %d manifests", n)
	}
}

func pullPrivate(t *testing.T, p puller) {
	p.login(t)
	file := "hosts/" + private.host + "/host.toml"
	p.writeFleet(t, file, append(p.readFleet(t, file), fmt.Sprintf("\n[registries]\n%q = \"REGISTRY_LOGIN\"\n", p.registry.host)...))
	// The login comes with the system that needs it.
	wantLine(t, p.deploy(t, private), `warning: .* could not be pulled yet`)
	if got := p.ssh(t, private, "docker exec "+p.containerID(t, private, "web")+" app sha256 env OPENAI_API_KEY"); got != digest(p.values["OPENAI_KEY"]) {
		t.Fatal("the container does not run with its key")
	}
	if p.registry.pulled() == 0 {
		t.Fatal("the image came from elsewhere")
	}
}

func credentialsInMemory(t *testing.T, p puller) {
	const config = "/run/pistack/current/docker/config.json"
	if got := p.ssh(t, private, "stat -L -c '%a %u %g' "+config+" && stat -f -L -c %T "+config); got != "600 0 0\nramfs" {
		t.Errorf("mode, owner and file system: %s", got)
	}
	if got := p.ssh(t, private, "systemctl show -P Environment pistack-chat pistack-images pistack-reconcile"); got != "DOCKER_CONFIG=/run/pistack/current/docker\n\nDOCKER_CONFIG=/var/empty\n\nDOCKER_CONFIG=/var/empty" {
		t.Errorf("environments of units:\n%s", got)
	}
	_, token, _ := strings.Cut(p.values["REGISTRY_LOGIN"], ":")
	encoded := p.ssh(t, private, "sed 's/.*\"auth\":\"//; s/\".*//' "+config)
	for _, secret := range []string{token, encoded} {
		script := "IFS= read -r v; find / /var/lib/docker /var/lib/containerd -xdev -type f -newer /etc/hostname -print0 | xargs -0r grep -lsF -e \"$v\" || true; " +
			"journalctl --no-pager | grep -cF -e \"$v\" || true; test ! -e /root/.docker || echo /root/.docker"
		if found := p.sshStdin(t, private, secret+"\n", script); found != "0" {
			t.Errorf("on the device's disk, or in its journal:\n%s", found)
		}
	}
}

func newCredentials(t *testing.T, p puller) {
	before := p.containers(t, private)
	p.login(t)
	p.deploy(t, private)
	if after := p.containers(t, private); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
	// Others, and an image that the old ones do not bring any more.
	p.login(t)
	p.use(t, "v2")
	wantLine(t, p.deploy(t, private), `warning: .* could not be pulled yet`)
	wantRecreated(t, before, p.containers(t, private), "web")
}

// imagesHere are those that the Pi has, by tag of ours or by name.
func (p puller) imagesHere(t *testing.T) []string {
	t.Helper()
	var here []string
	for _, line := range strings.Split(p.ssh(t, private, "docker image ls --digests --format '{{.Repository}}@{{.Digest}}'"), "\n") {
		repository, sum, _ := strings.Cut(line, "@")
		if repository != p.registry.host+"/app" {
			here = append(here, repository)
			continue
		}
		for tag, reference := range p.images {
			if strings.HasSuffix(reference, sum) {
				here = append(here, tag)
			}
		}
	}
	slices.Sort(here)
	return slices.Compact(here)
}

// prunes runs the unit once and gives what it said since.
func (p puller) prunes(t *testing.T, succeeds bool) string {
	t.Helper()
	return p.prune(t, private, succeeds)
}

// prune has a machine remove its images that nothing needs.
func (l *lab) prune(t *testing.T, m machine, succeeds bool) string {
	t.Helper()
	verb := map[bool]string{true: "systemctl start", false: "! systemctl start"}[succeeds]
	return l.ssh(t, m, "set -e; since=$(journalctl --no-pager -n 0 --show-cursor | sed -n 's/^-- cursor: //p'); "+verb+" pistack-images; systemctl reset-failed pistack-images; "+
		"journalctl --sync; journalctl --no-pager -o cat -u pistack-images --after-cursor=\"$since\"")
}

func pruneSkipped(t *testing.T, p puller) {
	before := p.imagesHere(t)
	p.ssh(t, private, "mkdir -p /run/pistack-deploy/lock")
	wantLine(t, p.prunes(t, true), `^skipped: a deploy \(/run/pistack-deploy/lock\) is at work$`)
	p.ssh(t, private, "rm -r /run/pistack-deploy")
	// A stack whose `up` does not end.
	p.ssh(t, private, "systemd-run --quiet --no-block --unit=pistack-slow --service-type=oneshot sleep infinity")
	wantLine(t, p.prunes(t, true), `^skipped: pistack-slow.service is at work$`)
	p.ssh(t, private, "systemctl stop pistack-slow")
	if after := p.imagesHere(t); !slices.Equal(before, after) {
		t.Errorf("%q are left of %q", after, before)
	}
}

// stackWaits holds a run at its beginning, and starts the stack. A deploy's lock keeps
// the images for what follows.
func stackWaits(t *testing.T, p puller) {
	const dir = "/run/systemd/system/pistack-images.service.d"
	p.ssh(t, private, "mkdir -p "+dir+" /run/pistack-deploy/lock && printf '[Service]\nExecStartPre=/bin/sh -c \"until [ -e /run/go-on ]; do sleep 0.1; done\"\n' >"+dir+"/wait.conf && systemctl daemon-reload && "+
		"systemctl start --no-block pistack-images && systemctl start --no-block pistack-chat")
	if jobs := p.ssh(t, private, "systemctl list-jobs --plain --no-legend | awk '{ print $2, $3, $4 }' | sort"); jobs != "pistack-chat.service start waiting\npistack-images.service start running" {
		t.Errorf("jobs:\n%s", jobs)
	}
	p.ssh(t, private, "touch /run/go-on && systemctl start pistack-images pistack-chat; rm -r "+dir+" /run/go-on /run/pistack-deploy && systemctl daemon-reload")
	if got := p.ssh(t, private, "systemctl show -P Result pistack-images pistack-chat"); got != "success\n\nsuccess" {
		t.Errorf("results: %q", got)
	}
}

func pruneRefused(t *testing.T, p puller) {
	before := p.imagesHere(t)
	p.ssh(t, private, "ln -s /nix/store/gone /nix/var/nix/profiles/system-999-link")
	wantLine(t, p.prunes(t, false), `system-999-link leads nowhere; nothing is removed$`)
	p.ssh(t, private, "rm /nix/var/nix/profiles/system-999-link")
	if after := p.imagesHere(t); !slices.Equal(before, after) {
		t.Errorf("%q are left of %q", after, before)
	}
}

// prune: v5 is current, and 3 generations before it are kept. A container that has
// ended has tika; nobody has open-webui, nor an image without a name.
func prune(t *testing.T, p puller) {
	for _, tag := range []string{"v3", "v4", "v5"} {
		p.use(t, tag)
		p.deploy(t, private)
	}
	p.ssh(t, private, "docker create --name ended $(docker image ls --quiet apache/tika) >/dev/null && docker volume create kept >/dev/null && "+
		"tar -c -C /etc hostname | docker import - >/dev/null")
	here := []string{"<none>", "apache/tika", "ghcr.io/open-webui/open-webui", "v1", "v2", "v3", "v4", "v5"}
	if got := p.imagesHere(t); !slices.Equal(got, here) {
		t.Fatalf("images: %q", got)
	}
	list := p.ssh(t, private, "cat /run/current-system/etc/pistack/images")
	if list != "chat\t"+p.images["v5"] {
		t.Fatalf("the list: %q", list)
	}
	before := p.containers(t, private)
	out := p.prunes(t, true)
	wantLine(t, out, `^3 images removed$`)
	wantLine(t, out, `^removed ghcr.io/open-webui/open-webui:\S+$`)
	wantLine(t, out, `^removed `+regexp.QuoteMeta(p.registry.host)+`/app@sha256:[0-9a-f]{64}$`)
	if got, want := p.imagesHere(t), []string{"apache/tika", "v2", "v3", "v4", "v5"}; !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
	if volumes := p.ssh(t, private, "docker volume ls --quiet | sort"); volumes != "chat_data\nkept" {
		t.Errorf("volumes: %s", volumes)
	}
	if after := p.containers(t, private); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	wantLine(t, p.prunes(t, true), `^0 images removed$`)
	// Going back needs no registry.
	p.registry.letIn("me:nobody any more")
	p.use(t, "v2")
	p.deploy(t, private)
}

func pruneTimer(t *testing.T, p puller) {
	if got := p.ssh(t, private, "systemctl is-active pistack-images.timer; systemctl show -P Persistent -P RandomizedDelayUSec pistack-images.timer"); got != "active\n1h\nyes" {
		t.Errorf("the timer: %s", got)
	}
}
