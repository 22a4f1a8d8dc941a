package main

import (
	"fmt"

	"pistack/compose/images"
	"pistack/internal/deploy"
	"pistack/internal/nix"
	"pistack/internal/run"
)

// explain fills in the commands of a plan, as somebody would type them who
// deploys by hand. Where pistack's own steps do more, a comment says what.
func (d *deployment) explain(p deploy.Plan) {
	tool := d.Nix.(nix.Tool)
	tool.SSHOptions = func(string) []string { return []string{"-F", d.machines.config.Path()} } // without the connection that this process shares
	for i := range p.Hosts {
		p.Hosts[i].Commands = d.commands(tool, p.Hosts[i])
	}
}

func (d *deployment) commands(tool nix.Tool, h deploy.HostPlan) []string {
	lines := []string{"cd " + run.Quote(d.root), d.on(h, "uname -m; readlink /run/current-system"), tool.EvaluateCommand(h.Host.Name).String()}
	if h.System == "" {
		return lines
	}
	lines = append(lines,
		tool.BuildCommand([]nix.System{{Derivation: h.Derivation}}).String(),
		tool.CopyCommand(h.Host.Name, h.System).String())
	for _, image := range h.Images {
		line := d.on(h, "docker pull "+run.Quote(image.Reference))
		if images.IsLocal(image.Reference) {
			line = "docker image save " + run.Quote(image.Reference) + " | " + d.on(h, "docker image load")
		}
		lines = append(lines, line)
	}
	return append(lines, d.trial(tool, h)...)
}

// trial are the commands that change the host. By hand there is no lock, and a timer
// that nothing renews.
func (d *deployment) trial(tool nix.Tool, h deploy.HostPlan) []string {
	rebuild := func(action deploy.Action) string {
		return tool.RebuildCommand(nix.Rebuild{Action: string(action), Host: h.Host.Name, System: h.System, Sudo: d.Sudo(h.Host.Name)}).String()
	}
	action := d.Options.Action
	if d.Options.NoGate || action != deploy.Switch && action != deploy.Test || h.State.Running == "" {
		return []string{"# pistack holds a lock on the host meanwhile", rebuild(action)}
	}
	root := ""
	if d.Sudo(h.Host.Name) {
		root = "sudo -n "
	}
	seconds := int(d.Options.Timing.Deadline.Seconds())
	lines := []string{
		"# pistack holds a lock on the host meanwhile, renews the timer, and has it restore the profile, too",
		d.on(h, fmt.Sprintf("%ssystemd-run --unit=undo-by-hand --on-active=%d %s/bin/switch-to-configuration test", root, seconds, h.State.Running)),
		rebuild(deploy.Test),
		d.on(h, "systemctl list-units --state=failed; docker ps --all"),
	}
	if action == deploy.Switch {
		lines = append(lines, rebuild(deploy.Switch))
	}
	return append(lines, d.on(h, root+"systemctl stop undo-by-hand.timer"))
}

// on is a command on a host, over a connection of its own.
func (d *deployment) on(h deploy.HostPlan, command string) string {
	return "ssh -F " + run.Quote(d.machines.config.Path()) + " " + h.Host.Name + " " + run.Quote(command)
}
