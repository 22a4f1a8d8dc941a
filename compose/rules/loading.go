package rules

import "pistack/compose"

// loading explains what package compose finds while it loads a stack. None of
// it can be accepted.
func loading() []Rule {
	rules := []Rule{
		{
			Code:    compose.CodeRead,
			Summary: "a file cannot be read",
			Why:     `It is missing, not a regular file, or larger than any real one. Symlinks are not followed: what they point to may not be on the device.`,
			Fix:     `Put a regular file in its place.`,
		},
		{
			Code:    compose.CodeSyntax,
			Summary: "a file is not valid YAML, or not a valid env file",
			Why:     `Compose would refuse it. Files with thousands of aliases or of nested levels are refused too, before they take minutes.`,
			Fix:     `Mend what the message names; the position is that of the parser.`,
		},
		{
			Code:    compose.CodeModel,
			Summary: "Docker Compose or Docker would refuse the file",
			Why: `An unknown key, a value of the wrong type, a service or volume that is not defined: what docker compose config says, with a place.
So is what it lets through and Docker refuses while it makes the container: a text that is not the name of an image, a restart
policy that does not exist.`,
			Fix: `Mend what the message names. A misspelt key comes with the nearest valid one.`,
		},
		{
			Code:    compose.CodeUnsupported,
			Summary: "the file uses something that pistack cannot bring to a device yet",
			Why:     `It would be lost or do something else on the device, so it is refused.`,
			Fix:     `The hint says how to write it instead.`,
		},
		{
			Code:    compose.CodeTooNew,
			Summary: "a key is newer than the Docker Compose of the devices",
			Why:     `Devices have Docker Compose ` + compose.DeviceCompose + `, from nixpkgs. It would refuse the file, or ignore the key without a word.`,
			Fix:     `Write it in a way that this version knows.`,
		},
		{
			Code:    compose.CodeUndefined,
			Summary: "a variable has neither a value nor a default",
			Why:     `Compose would put an empty text in its place and start the container all the same.`,
			Fix:     `Set it in the stack's .env or under [env] of host.toml, add it as a secret, or write a default.`,
			Example: `image: nginx:${TAG:-1.29}`,
		},
		{
			Code:    compose.CodeMissing,
			Summary: "a service wants a secret that the host does not have",
			Why:     `The file would not be there, and the container would not start.`,
			Fix:     `Add it for the host.`,
			Example: `pisec add rpi-box-02 GRAFANA_ADMIN_PASSWORD`,
		},
		{
			Code:    compose.CodeLeak,
			Summary: "a secret would be readable where it does not belong",
			Why:     `In an image's name, a label, a command line or a config a secret shows in docker ps, in logs, and in Docker's files on the disk.`,
			Fix:     `Use it as a Compose secret file, or in the environment of a service.`,
		},
		{
			Code:    compose.CodeOwner,
			Summary: "owner or mode of a secret file cannot be had",
			Why:     `One file serves all services of a stack, with numeric owner and plain permission bits.`,
			Fix:     `Write numbers, and the same ones in every service of the stack.`,
			Example: `secrets:
  - source: GRAFANA_ADMIN_PASSWORD
    uid: "472"
    mode: 0400`,
		},
		{
			Code:    compose.CodePath,
			Summary: "a path leads out of the stack's folder",
			Why:     `Only what is inside it reaches the device.`,
			Fix:     `Move the file into the stack's folder; use a named volume or an absolute path for what belongs to the device.`,
		},
		{
			Code:    compose.CodeUntracked,
			Summary: "a file is neither tracked nor ignored by Git",
			Why:     `A flake sees only what Git tracks. A path that Git does not know could be a new configuration file or state, and a misspelt name would become an empty folder on the device.`,
			Fix:     `git add it if it is configuration; list it in a .gitignore if it is state.`,
		},
	}
	for i := range rules {
		rules[i].Severity, rules[i].Fixed = compose.Error, true
	}
	return rules
}
