package generate

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"slices"

	"pistack/compose"
	"pistack/compose/rules"
	"pistack/internal/fleet"
	"pistack/internal/memo"
	"pistack/internal/usage"
	"pistack/secrets"
)

// board is what is known of the machines of a name.
type board struct {
	memory int64 // bytes, 0 where boards of one name differ
	// vendor kernels start with the memory controller off.
	vendor bool
}

func boards() map[string]board {
	return map[string]board{
		"rpi-zero2": {memory: 512 << 20},
		"rpi3":      {memory: 1 << 30},
		"rpi5":      {vendor: true},
	}
}

// check adds to the findings of loading those of the host as a whole.
func check(repository memo.Repository, l loaded) []compose.Finding {
	return rules.Check(target(repository.Files, repository.Tracked, l), l.stacks, l.findings)
}

// target describes a loaded host to the rules.
func target(repository fs.FS, tracked compose.PathSet, l loaded) rules.Target {
	h := l.host
	t := rules.Target{
		Name: h.Name, File: h.File(), Whole: len(l.stacks) == len(h.Stacks),
		Open: h.Open, Memory: h.Memory, MemoryAt: placeOf(h, "memory"),
		Taken:      []rules.Port{{Number: h.Port, Protocol: "tcp", Owner: "sshd"}},
		Repository: repository, Tracked: tracked,
	}
	known := boards()[h.Board]
	if t.Memory == 0 {
		t.Memory, t.MemoryAt = known.memory, placeOf(h, "board")
	}
	t.NoMemoryCgroup = known.vendor && !setsMemoryCgroup(repository, tracked, h)
	for _, p := range h.Reserved {
		t.Taken = append(t.Taken, rules.Port{Number: p.Port, Protocol: p.Protocol, Owner: p.Owner})
	}
	for _, registry := range slices.Sorted(maps.Keys(h.Registries)) {
		t.Logins = append(t.Logins, rules.Login{Registry: registry, Secret: h.Registries[registry], At: placeOf(h, "registries", registry)})
	}
	for _, name := range slices.Sorted(maps.Keys(h.Env)) {
		t.Env = append(t.Env, rules.Variable{Name: name, Value: h.Env[name], At: placeOf(h, "env", name)})
	}
	for _, code := range slices.Sorted(maps.Keys(h.Accept)) {
		t.Accept = append(t.Accept, rules.Acceptance{Code: compose.Code(code), Reason: h.Accept[code], At: placeOf(h, "accept", code)})
	}
	t.Secrets = usedSecrets(repository, l)
	return t
}

// placeOf is where host.toml has a key, or the file as a whole.
func placeOf(h fleet.Host, key ...string) compose.Position {
	line, column := h.Position(key...)
	return compose.Position{File: h.File(), Line: line, Column: column}
}

// usedSecrets tells which secrets are used. NixOS files are searched only for
// those that no stack uses: most hosts have none.
func usedSecrets(repository fs.FS, l loaded) []rules.Secret {
	used := map[string]bool{}
	for _, name := range l.host.Registries {
		used[name] = true
	}
	for _, s := range l.stacks {
		for _, name := range s.EnvSecrets {
			used[name] = true
		}
		for _, secret := range s.Secrets {
			used[secret.Name] = true
		}
	}
	isUsed := func(e secrets.Entry) bool { return used[e.Name] }
	if rest := slices.DeleteFunc(slices.Clone(l.secrets), isUsed); len(rest) > 0 {
		host := usage.Host{Name: l.host.Name}
		for _, e := range rest {
			host.Have = append(host.Have, e.Name)
		}
		for name := range usage.Of(repository, host).By {
			used[name] = true
		}
	}
	var all []rules.Secret
	for _, e := range l.secrets {
		all = append(all, rules.Secret{Name: e.Name, File: e.File, Used: used[e.Name]})
	}
	return all
}

// setsMemoryCgroup tells whether a NixOS file of the fleet's modules or of the
// host turns the memory controller on, as pistack's modules/docker.nix does for
// every fleet that has it from there.
func setsMemoryCgroup(repository fs.FS, tracked compose.PathSet, h fleet.Host) bool {
	if fleet.CallsMkFleet(repository) {
		return true
	}
	for _, file := range slices.Concat(tracked.Under(h.Dir()), tracked.Under("modules")) {
		if path.Ext(file) != ".nix" {
			continue
		}
		if data, err := fs.ReadFile(repository, file); err == nil && bytes.Contains(data, []byte("cgroup_enable=memory")) {
			return true
		}
	}
	return false
}
