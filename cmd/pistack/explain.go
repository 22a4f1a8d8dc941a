package main

import (
	"pistack/internal/deploy"
	"pistack/internal/nix"
	"pistack/internal/run"
)

// explain fills in the commands of a plan, as somebody would type them who
// deploys by hand. What pistack does on the host itself stands between them.
func (d *deployment) explain(p deploy.Plan) {
	tool := d.Nix.(nix.Tool)
	tool.SSHOptions = func(string) []string { return []string{"-F", d.machines.config.Path()} } // without the connection that this process shares
	for i := range p.Hosts {
		p.Hosts[i].Commands = d.commands(tool, p.Hosts[i])
	}
}

func (d *deployment) commands(tool nix.Tool, h deploy.HostPlan) []string {
	ssh := "ssh -F " + run.Quote(d.machines.config.Path()) + " " + h.Host.Name + " "
	lines := []string{"cd " + run.Quote(d.root), ssh + "'uname -m; readlink /run/current-system'", tool.EvaluateCommand(h.Host.Name).String()}
	if h.System == "" {
		return lines
	}
	lines = append(lines,
		tool.BuildCommand([]nix.System{{Derivation: h.Derivation}}).String(),
		tool.CopyCommand(h.Host.Name, h.System).String())
	for _, image := range h.Images {
		lines = append(lines, ssh+run.Quote("docker pull "+run.Quote(image.Reference)))
	}
	lines = append(lines, "# here pistack locks the host, and arms the timer that undoes what follows")
	for _, action := range d.actions() {
		lines = append(lines, tool.RebuildCommand(nix.Rebuild{Action: action, Host: h.Host.Name, System: h.System, Sudo: d.Sudo(h.Host.Name)}).String())
	}
	return lines
}

// actions are the calls of nixos-rebuild, in order.
func (d *deployment) actions() []string {
	if d.Options.Action == deploy.Switch && !d.Options.NoGate {
		return []string{"test", "switch"}
	}
	return []string{string(d.Options.Action)}
}
