package deploy_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pistack/internal/deploy"
	"pistack/internal/fleet"
)

var update = flag.Bool("update", false, "write the golden files")

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPti/ekoVsgnQb4HZSWCGReKiRNKJFfb6QU/rsqMRh4K"

func target(stateDir string) deploy.Target {
	return deploy.Target{
		Host:      fleet.Host{Name: "rpi-box-01", Address: "10.1.2.3", System: "aarch64-linux", User: "root", Port: 2222},
		PublicKey: key + " root@rpi-box-01",
		Root:      "/fleet",
		StateDir:  stateDir,
	}
}

func newPlan(t *testing.T, target deploy.Target) *deploy.Plan {
	t.Helper()
	p, err := deploy.NewPlan(target)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestNewPlan(t *testing.T) {
	p := newPlan(t, target("/state"))
	if got, want := p.Probe.String(), "ssh -F /state/ssh_config rpi-box-01 'uname -m'"; got != want {
		t.Errorf("probe %s\nwant %s", got, want)
	}
	if got, want := p.Rebuild.String(), "NIX_SSHOPTS='-F /state/ssh_config' nixos-rebuild switch --no-reexec --flake .#rpi-box-01 --target-host root@rpi-box-01"; got != want {
		t.Errorf("rebuild %s\nwant %s", got, want)
	}
	if p.Rebuild.Dir != "/fleet" {
		t.Errorf("runs in %s", p.Rebuild.Dir)
	}
	t.Run("another user needs sudo", func(t *testing.T) {
		other := target("/state")
		other.Host.User = "admin"
		argv := newPlan(t, other).Rebuild.Argv
		if !slices.Contains(argv, "--sudo") || !slices.Contains(argv, "admin@rpi-box-01") {
			t.Errorf("%q", argv)
		}
	})
}

// TestFolderPaths: nixos-rebuild splits NIX_SSHOPTS at spaces and cannot quote.
func TestFolderPaths(t *testing.T) {
	for _, dir := range []string{"/a b", "/a\tb", "/a\nb", `/a"b`, "/a'b", "/a%b", `/a\b`, "/a$b"} {
		_, err := deploy.NewPlan(target(dir))
		var refused *deploy.Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), fmt.Sprintf("%q", dir)) || refused.Hint() == "" {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

// TestFiles holds the generated files to their goldens, in which the state
// folder is called STATE.
func TestFiles(t *testing.T) {
	full := func(dir string) deploy.Target {
		full := target(dir)
		full.Host.Address = "fe80::1%eth0"
		full.IdentityFile = `/home/me/100% my "keys"/id`
		full.UserConfig = "/home/me/.ssh/config"
		return full
	}
	for _, c := range []struct {
		name   string
		target func(dir string) deploy.Target
	}{{"plain", target}, {"full", full}} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new", "state")
			if err := newPlan(t, c.target(dir)).Prepare(); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"ssh_config", "known_hosts"} {
				file := filepath.Join(dir, name)
				got := strings.ReplaceAll(read(t, file), dir, "STATE")
				golden := filepath.Join("testdata", c.name+"."+name)
				if *update {
					if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(golden, []byte(got), 0o644)); err != nil {
						t.Fatal(err)
					}
				}
				if want := read(t, golden); got != want {
					t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
				}
				if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
				}
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("folder: %v, %v", info.Mode(), err)
			}
		})
	}
}

// hostile is a user's configuration that would undo the pinning if it could.
const hostile = `UserKnownHostsFile /evil/known_hosts
GlobalKnownHostsFile /evil/known_hosts
StrictHostKeyChecking no
CheckHostIP yes
VerifyHostKeyDNS yes
UpdateHostKeys yes
HostKeyAlias evil
HostKeyAlgorithms ssh-rsa
KnownHostsCommand /evil/command
NoHostAuthenticationForLocalhost yes
ControlMaster auto
ControlPath /evil/%C
ForwardAgent yes
BatchMode no
Hostname evil.example
Port 1
User evil

Match all
  StrictHostKeyChecking no

Host *
  ProxyJump bastion
  IdentityFile /home/me/.ssh/from_config

Host rpi-box-01
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking accept-new
`

// TestSSHReadsConfig: ssh itself takes the pinned options from the generated
// configuration, whatever the user's own says; what it may add, it adds.
func TestSSHReadsConfig(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh not on PATH")
	}
	dir, home := t.TempDir(), filepath.Join(t.TempDir(), "my home")
	userConfig := filepath.Join(home, ".ssh", "config")
	if err := errors.Join(os.MkdirAll(filepath.Dir(userConfig), 0o700), os.WriteFile(userConfig, []byte(hostile), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*deploy.Target)
		want   map[string]string
	}{
		{"no user configuration", func(*deploy.Target) {}, map[string]string{"proxyjump": ""}},
		{"user configuration that is not there", func(x *deploy.Target) { x.UserConfig = filepath.Join(home, "none") }, map[string]string{"proxyjump": ""}},
		{"hostile user configuration", func(x *deploy.Target) { x.UserConfig = userConfig }, map[string]string{"proxyjump": "bastion", "identityfile": "/home/me/.ssh/from_config"}},
		{"identity file", func(x *deploy.Target) { x.IdentityFile = filepath.Join(home, "100% id") }, map[string]string{"identityfile": filepath.Join(home, "100%% id"), "identitiesonly": "yes"}},
		{"address with a zone", func(x *deploy.Target) { x.Host.Address = "fe80::1%eth0"; x.UserConfig = userConfig }, map[string]string{"hostname": "fe80::1%eth0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := target(dir)
			c.change(&changed)
			plan := newPlan(t, changed)
			if err := plan.Prepare(); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(ssh, "-G", "-F", filepath.Join(dir, "ssh_config"), "rpi-box-01").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := map[string]string{}
			for line := range strings.Lines(string(out)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
				if _, seen := got[name]; !seen {
					got[name] = value
				}
			}
			want := map[string]string{
				"hostname": "10.1.2.3", "port": "2222", "user": "root", "hostkeyalias": "rpi-box-01", "hostkeyalgorithms": "ssh-ed25519",
				"userknownhostsfile": filepath.Join(dir, "known_hosts"), "globalknownhostsfile": "/dev/null",
				"stricthostkeychecking": "true", "verifyhostkeydns": "false", "updatehostkeys": "false", "checkhostip": "no",
				"nohostauthenticationforlocalhost": "no", "controlmaster": "false", "controlpath": "", "knownhostscommand": "",
				"batchmode": "yes", "forwardagent": "no", "connecttimeout": "15", "serveraliveinterval": "15",
			}
			for name, value := range c.want {
				want[name] = value
			}
			for name, value := range want {
				if got[name] != value && !(value == "" && got[name] == "none") {
					t.Errorf("%s is %q, want %q", name, got[name], value)
				}
			}
		})
	}
}

// programs puts scripts in the place of ssh and nixos-rebuild.
func programs(t *testing.T, scripts map[string]string) {
	t.Helper()
	bin := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
}

func TestRun(t *testing.T) {
	const (
		works   = "echo aarch64"
		rebuilt = "echo building; echo done >&2"
	)
	for _, c := range []struct {
		name, ssh, rebuild string
		want, hint         string // error and start of its hint; empty for none
	}{
		{"works", works, rebuilt, "", ""},
		{"another machine's architecture", "echo x86_64", rebuilt, `hosts/rpi-box-01/host.toml: system is "aarch64-linux", but the machine says it is "x86_64"`, "correct system in host.toml"},
		{"another host key", "echo 'Host key verification failed.' >&2; exit 255", rebuilt,
			"rpi-box-01: the machine at 10.1.2.3 does not have the pinned host key (hosts/rpi-box-01/ssh_host_ed25519_key.pub); no command was run on it", "if the machine was replaced"},
		{"changed host key", "echo '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @' >&2; echo bye >&2; exit 255", rebuilt,
			"rpi-box-01: the machine at 10.1.2.3 does not have the pinned host key (hosts/rpi-box-01/ssh_host_ed25519_key.pub); no command was run on it", "if the machine was replaced"},
		{"key not accepted", "echo 'root@10.1.2.3: Permission denied (publickey).' >&2; exit 255", rebuilt, "rpi-box-01: root@10.1.2.3 does not accept your ssh key", "name another with --identity-file"},
		{"unreachable", "echo 'ssh: connect to host 10.1.2.3 port 2222: No route to host' >&2; echo >&2; exit 255", rebuilt,
			"rpi-box-01: cannot be reached at 10.1.2.3 port 2222: ssh: connect to host 10.1.2.3 port 2222: No route to host", "check that it runs"},
		{"silent", "exit 255", rebuilt, "rpi-box-01: cannot be reached at 10.1.2.3 port 2222: no reason given", "check that it runs"},
		{"uname fails", "exit 3", rebuilt, "rpi-box-01: ssh: exit status 3", ""},
		{"build fails", works, "exit 1", "rpi-box-01: the deploy failed; the host runs what it ran before unless the lines above say otherwise (nixos-rebuild: exit status 1)", "deploy again after correcting"},
		{"activation fails", works, "exit 2", "rpi-box-01: the new system is active, but an activation step failed (nixos-rebuild: exit status 2)", "see the lines above"},
		{"units fail", works, "exit 4", "rpi-box-01: the new system is active, but units failed (nixos-rebuild: exit status 4)", "on the host:"},
		{"another switch", works, "exit 11", "rpi-box-01: another switch is running on the host; nothing was changed (nixos-rebuild: exit status 11)", "wait for it"},
		{"reboot", works, "exit 100", "rpi-box-01: the new system takes effect after a reboot (nixos-rebuild: exit status 100)", "reboot the host"},
		{"connection lost", works, "exit 255", "rpi-box-01: the connection was lost; how far the switch got is not known (nixos-rebuild: exit status 255)", "deploy again"},
		{"no nixos-rebuild", works, "", "rpi-box-01: nixos-rebuild: not found on PATH", "nixos-rebuild is in the development shell"},
	} {
		t.Run(c.name, func(t *testing.T) {
			scripts := map[string]string{"ssh": c.ssh, "nixos-rebuild": c.rebuild}
			if c.rebuild == "" {
				delete(scripts, "nixos-rebuild")
			}
			programs(t, scripts)
			dir := t.TempDir()
			here := target(dir)
			here.Root = dir
			var phases, lines []string
			err := newPlan(t, here).Run(t.Context(), func(text string) { phases = append(phases, text) }, func(text string) { lines = append(lines, text) })
			if c.want == "" {
				if err != nil || len(phases) != 2 || !slices.Equal(lines, []string{"building", "done"}) {
					t.Errorf("phases %q, lines %q, error %v", phases, lines, err)
				}
				return
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("error:\n%v\nwant:\n%s", err, c.want)
			}
			var refused *deploy.Error
			if c.hint != "" && (!errors.As(err, &refused) || !strings.HasPrefix(refused.Hint(), c.hint)) {
				t.Errorf("hint of %v", err)
			}
			if c.ssh != works && len(phases) != 1 {
				t.Errorf("phases %q: something was run after a failed probe", phases)
			}
		})
	}
}

// TestRunCanceled: an interrupted deploy is not reported as one that failed.
func TestRunCanceled(t *testing.T) {
	for _, c := range []struct {
		name   string
		asking bool // canceled in the first phase, not by the first line of the second
	}{{"while asking", true}, {"while building", false}} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			programs(t, map[string]string{"ssh": "echo aarch64", "nixos-rebuild": "trap 'exit 130' INT; echo started; while :; do :; done"})
			dir := t.TempDir()
			here := target(dir)
			here.Root = dir
			phase := func(string) {
				if c.asking {
					cancel()
				}
			}
			err := newPlan(t, here).Run(ctx, phase, func(string) { cancel() })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
	}
}
