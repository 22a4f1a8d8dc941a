package nix

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pistack/internal/run"
)

// fleetFlake has three systems without nixpkgs: one that builds, one whose build
// fails, and one that cannot be evaluated.
const fleetFlake = `{
  outputs = { self }: {
    nixosConfigurations =
      let
        system = name: script: {
          config.system.build.toplevel = derivation {
            inherit name;
            system = builtins.currentSystem or "@system@";
            builder = "/bin/sh";
            args = [ "-c" script ];
            PATH = "/usr/bin:/bin";
          };
        };
      in
      {
        good = system "nixos-system-good" ''
          mkdir -p $out/etc/pistack $out/etc/systemd/system/multi-user.target.wants
          printf 'web\texample.org/web:1\nchat\texample.org/chat:1@sha256:00\nmore\texample.org/web:1\n' >$out/etc/pistack/images
          printf '[Service]\n' >$out/etc/systemd/system/plain.service
          printf '[Unit]\nX-ReloadIfChanged=true\n' >$out/etc/systemd/system/reload.service
          printf '[Service]\nX-RestartIfChanged=false\n' >$out/etc/systemd/system/leave.service
          printf '[Unit]\nX-StopIfChanged = false\n' >$out/etc/systemd/system/restart.service
          printf '[Service]\n' >$out/etc/systemd/system/template@.service
          ln -s ../plain.service $out/etc/systemd/system/multi-user.target.wants/plain.service
        '';
        bad = system "nixos-system-bad" "echo this does not compile >&2; exit 1";
        wrong = system "nixos-system-wrong" (throw "the option does not exist");
      };
  };
}
`

// newTool makes a fleet for the machine's own Nix, with a store of its own.
func newTool(t *testing.T) Tool {
	t.Helper()
	if _, err := run.Output(t.Context(), run.Command{Argv: []string{"nix", "--version"}}); err != nil {
		t.Skip("needs nix: apt-get install nix-bin")
	}
	root := t.TempDir()
	system, err := run.Output(t.Context(), run.Command{Argv: []string{"nix-instantiate", "--eval", "--expr", "builtins.currentSystem"}})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(fleetFlake, "@system@", strings.Trim(strings.TrimSpace(string(system)), `"`))
	if err := os.WriteFile(filepath.Join(root, "flake.nix"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NIX_CONFIG", "sandbox = false\nbuild-users-group =\nsubstitute = false")
	t.Setenv("HOME", root)
	return Tool{Root: root, SSHOptions: func(string) []string { return []string{"-F", "/config"} }, Hold: func(string) func() { return func() {} }}
}

// TestBuild: what can be built is, beside what cannot, and what is built can be
// read.
func TestBuild(t *testing.T) {
	tool := newTool(t)
	var systems []System
	for _, host := range []string{"good", "bad"} {
		s, err := tool.Evaluate(t.Context(), host, func(string) {})
		if err != nil {
			t.Fatalf("%s: %v\n%s", host, err, strings.Join(lastOf(err), "\n"))
		}
		if s.Host != host || !strings.HasSuffix(s.Derivation, "-nixos-system-"+host+".drv") || !strings.HasSuffix(s.Path, "-nixos-system-"+host) {
			t.Errorf("%s is %+v", host, s)
		}
		systems = append(systems, s)
	}
	var lines []string
	built, err := tool.Build(t.Context(), systems, func(l string) { lines = append(lines, l) })
	if err == nil || !reflect.DeepEqual(built, []bool{true, false}) {
		t.Fatalf("built %v, error %v\n%s", built, err, strings.Join(lines, "\n"))
	}
	if !strings.Contains(strings.Join(lines, "\n"), "this does not compile") {
		t.Errorf("the build's own words are missing:\n%s", strings.Join(lines, "\n"))
	}
	wantGood(t, tool, systems[0].Path)

	_, err = tool.Evaluate(t.Context(), "wrong", func(string) {})
	if err == nil || !strings.Contains(err.Error(), "wrong: could not be evaluated: the option does not exist") {
		t.Errorf("error %v", err)
	}
	if _, err = tool.Evaluate(t.Context(), "none", func(string) {}); err == nil {
		t.Error("a host that is not there was evaluated")
	}
}

func lastOf(err error) []string {
	var e *Error
	if errors.As(err, &e) {
		return e.Last
	}
	return nil
}

func wantGood(t *testing.T, tool Tool, system string) {
	t.Helper()
	closure, err := tool.Closure(t.Context(), system)
	if err != nil || len(closure) != 1 || closure[0].Path != system || closure[0].Size == 0 {
		t.Errorf("closure %v, error %v", closure, err)
	}
	images, err := tool.Images(system)
	if want := []string{"example.org/web:1", "example.org/chat:1@sha256:00"}; err != nil || !reflect.DeepEqual(images, want) {
		t.Errorf("images %q, error %v", images, err)
	}
	units, err := tool.Units(system)
	if err != nil || len(units) != 4 {
		t.Fatalf("units %v, error %v", units, err)
	}
	for name, want := range map[string]SwitchRule{"plain": StopThenStart, "reload": Reload, "leave": Leave, "restart": Restart} {
		u := units[name+".service"]
		if u.Switch != want || u.Active != (name == "plain") || len(u.Hash) != 64 {
			t.Errorf("%s: %+v", name, u)
		}
	}
	link := filepath.Join(tool.Root, "kept")
	if err := tool.Keep(t.Context(), system, link); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != system {
		t.Errorf("the link leads to %q, error %v", to, err)
	}
}

// TestRebuild: how nixos-rebuild is called, and what its ends mean.
func TestRebuild(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	tool := Tool{Root: bin, SSHOptions: func(host string) []string { return []string{"-F", "/config", "-o", "ControlPath=/run/" + host} }, Hold: func(string) func() { return func() {} }}
	program := func(script string) {
		if err := os.WriteFile(filepath.Join(bin, "nixos-rebuild"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	call := Rebuild{Action: "test", Host: "pi", System: "/nix/store/x", Sudo: true}
	rebuild := func() (string, error) {
		var out []string
		err := tool.Rebuild(t.Context(), call, func(l string) { out = append(out, l) })
		return strings.Join(out, "\n"), err
	}

	program(`echo "$NIX_SSHOPTS | $*"`)
	out, err := rebuild()
	if want := "-F /config -o ControlPath=/run/pi | test --no-reexec --store-path /nix/store/x --target-host pi --sudo"; err != nil || out != want {
		t.Errorf("called as\n%s\nwant\n%s\nerror %v", out, want, err)
	}

	// One that is older than --store-path evaluates the flake.
	program(`case $* in *--store-path*) echo "nixos-rebuild: error: unrecognized arguments: --store-path /nix/store/x" >&2; exit 2;; esac; echo "$*"`)
	out, err = rebuild()
	if err != nil || !strings.HasSuffix(out, "test --no-reexec --flake .#pi --target-host pi --sudo") {
		t.Errorf("called as\n%s\nerror %v", out, err)
	}

	for status, words := range map[string]string{"1": "a check before the switch", "2": "an activation step failed", "4": "units failed", "11": "another switch", "100": "after a reboot", "101": "broke off", "255": "the connection was lost", "7": "nixos-rebuild failed"} {
		program("echo the last words; exit " + status)
		_, err := rebuild()
		var failed *RebuildError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "exit status "+status) || !reflect.DeepEqual(failed.Last, []string{"the last words"}) {
			t.Errorf("status %s: error %v", status, err)
		}
	}
	if err := os.Remove(filepath.Join(bin, "nixos-rebuild")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	var missing *Error
	if _, err := rebuild(); !errors.As(err, &missing) || !strings.Contains(missing.Hint(), "nix develop") {
		t.Errorf("error %v", err)
	}
}

func TestEvalJobs(t *testing.T) {
	for _, c := range []struct {
		meminfo string
		cores   int
		want    int
	}{
		{"MemTotal: 99 kB\nMemAvailable:   16777216 kB\n", 4, 4},
		{"MemAvailable:    5242880 kB\n", 4, 2},
		{"MemAvailable:      65536 kB\n", 4, 1},
		{"MemAvailable: much\n", 4, 1},
		{"", 4, 1},
	} {
		if got := evalJobs(c.meminfo, c.cores); got != c.want {
			t.Errorf("%q on %d cores: %d, want %d", c.meminfo, c.cores, got, c.want)
		}
	}
}

func TestReason(t *testing.T) {
	lines := []string{"error:", "       … while evaluating", "       error: the option does not exist", "(use '--show-trace')"}
	if got := Reason(lines); got != "the option does not exist" {
		t.Errorf("reason %q", got)
	}
	if got := Reason([]string{"building…"}); got != "" {
		t.Errorf("reason %q", got)
	}
}

// FuzzClosure: whatever is read as a closure are paths of the store.
func FuzzClosure(f *testing.F) {
	f.Add("/nix/store/00000000000000000000000000000000-a\t     12\n")
	f.Add("/nix/store/00000000000000000000000000000000-a -1\n")
	f.Add("warning: x\n")
	f.Fuzz(func(t *testing.T, text string) {
		paths, err := parseClosure(text)
		if err != nil {
			return
		}
		for _, p := range paths {
			if !IsStorePath(p.Path) || p.Size < 0 {
				t.Errorf("%+v of %q", p, text)
			}
		}
	})
}
