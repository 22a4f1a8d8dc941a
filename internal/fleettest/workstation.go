package fleettest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pistack/internal/fleettest/model"
)

// Workstation is where a fleet is deployed from: a Nix store of its own at /nix,
// and nix, nix-store, nix-copy-closure and nixos-rebuild are stand-ins, which
// record their calls and misbehave like those of a machine. What they build are
// systems as Install makes them; their ssh, and all else, is the real one.
//
// Of faults, Cut and Kill are a machine's alone; Dies and Output are for both.
type Workstation struct {
	Dir   string // its folder, /fleettest for its commands
	files Host   // how its faults and calls are kept
}

// workstationPrograms are the stand-ins.
func workstationPrograms() []string {
	return []string{"nix", "nix-store", "nix-copy-closure", "nixos-rebuild", "fleettest-workstation"}
}

// NewWorkstation makes one. Only its commands see its store; see Command.
func (f *Fleet) NewWorkstation(tb testing.TB) *Workstation {
	tb.Helper()
	dir := filepath.Join(f.Dir, "workstation")
	w := &Workstation{Dir: dir, files: Host{Name: "the workstation", Dir: dir}}
	for _, dir := range []string{"bin", "root", "own/nix/store"} {
		if err := os.MkdirAll(filepath.Join(w.Dir, dir), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	for _, name := range workstationPrograms() {
		if err := os.Link(filepath.Join(f.Dir, "machine"), filepath.Join(w.Dir, "bin", name)); err != nil {
			tb.Fatal(err)
		}
	}
	return w
}

// Want says which system the repository has for a host.
func (w *Workstation) Want(tb testing.TB, host string, s System) {
	tb.Helper()
	err := model.Lock(w.Dir, model.WantedFile, func(all *map[string]System) error {
		if *all == nil {
			*all = map[string]System{}
		}
		(*all)[host] = s
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// Fail adds faults to the workstation's programs.
func (w *Workstation) Fail(tb testing.TB, faults ...Fault) {
	tb.Helper()
	for _, f := range faults {
		if f.Cut || f.Kill {
			tb.Fatal("a workstation has no sshd whose connections or sessions could end")
		}
	}
	w.files.Fail(tb, faults...)
}

// Heal takes all faults away.
func (w *Workstation) Heal(tb testing.TB) {
	tb.Helper()
	w.files.Heal(tb)
}

// Calls are the calls of stand-ins so far, of one program or, with "", of all.
func (w *Workstation) Calls(tb testing.TB, program string) []Call {
	tb.Helper()
	return w.files.Calls(tb, program)
}

// Command is a command on the workstation, in a process group of its own, as a
// shell starts it. Its environment is this process's, with the stand-ins first on
// PATH. Start fails where there is no Linux.
func (w *Workstation) Command(argv ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(w.Dir, "bin/fleettest-workstation"), append([]string{w.Dir}, argv...)...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(model.Inside, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
	cmd.SysProcAttr = ownNamespace()
	return cmd
}
