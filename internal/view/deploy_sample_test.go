package view_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pistack/internal/compare"
	"pistack/internal/deploy"
	"pistack/internal/fleet"
	"pistack/internal/target"
	"pistack/internal/view"
)

var update = flag.Bool("update", false, "write the golden files and the examples of docs/deploy-json.md")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (write it anew with -update); got\n%s", file, got)
	}
}

// written is what a renderer writes.
func written(t testing.TB, render func(*strings.Builder) error) string {
	t.Helper()
	var out strings.Builder
	if err := render(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// advised is an error with a hint.
type advised struct{ message, hint string }

func (e advised) Error() string { return e.message }
func (e advised) Hint() string  { return e.hint }

// system is a store path whose hash begins with a letter.
func system(letter, host string) string {
	return "/nix/store/" + strings.Repeat(letter, 32) + "-nixos-system-" + host + "-26.05"
}

const revision = "4f2c1aa90b12d3e4f5061728394a5b6c7d8e9f00"

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// changing is a host with one of everything.
func changing() deploy.HostPlan {
	units := []deploy.UnitChange{
		{Unit: "nginx.service", Action: deploy.UnitStop},
		{Unit: "pistack-chat.service", Action: deploy.UnitRestart},
		{Unit: "sshd.service", Action: deploy.UnitReload},
		{Unit: "tailscaled.service", Action: deploy.UnitStart},
	}
	for i := range 9 {
		units = append(units, deploy.UnitChange{Unit: fmt.Sprintf("worker-%d.service", i+1), Action: deploy.UnitRestart})
	}
	return deploy.HostPlan{
		Host: fleet.Host{Name: "rpi-box-01", Address: "10.1.2.3", System: "aarch64-linux", User: "root", Port: 22},
		State: target.State{
			Hostname: "rpi-box-01", Arch: "aarch64", Kernel: "6.12.44", BootID: "0f5d7b3c-9a43-4c36-9f0e-2f6a6a6f5f10", Now: noon,
			Running: system("a", "rpi-box-01"), Booted: system("c", "rpi-box-01"), Profile: system("a", "rpi-box-01"), Generation: 41,
			StoreFree: 9_400_000_000, DockerFree: 5_200_000_000, Failed: []string{"backup.service"},
		},
		Warnings: []string{"the clock is 40 s behind"},
		System:   system("b", "rpi-box-01"), Derivation: "/nix/store/" + strings.Repeat("h", 32) + "-nixos-system-rpi-box-01-26.05.drv", Closure: 2_100_000_000, NewPaths: 12, NewBytes: 340_000_000,
		Images: []deploy.Image{
			{Reference: "ghcr.io/example/chat:1.2@sha256:" + strings.Repeat("1", 64), Bytes: 120_000_000},
			{Reference: "registry.example/web:3@sha256:" + strings.Repeat("2", 64)},
		},
		Units: units, Reboot: true, Since: strings.Repeat("d", 40),
		Commands: []string{"nix build .#nixosConfigurations.rpi-box-01.config.system.build.toplevel", "nixos-rebuild test --no-reexec --store-path " + system("b", "rpi-box-01") + " --target-host root@rpi-box-01"},
	}
}

func unchangedHost(name string) deploy.HostPlan {
	return deploy.HostPlan{
		Host: fleet.Host{Name: name, Address: name + ".lan"}, Unchanged: true, System: system("e", name),
		State: target.State{Running: system("e", name), Booted: system("e", name), Profile: system("e", name), Generation: 7},
	}
}

func unreachable() deploy.HostPlan {
	return deploy.HostPlan{
		Host:    fleet.Host{Name: "rpi-box-05", Address: "10.1.2.7"},
		Problem: advised{"rpi-box-05: cannot be reached at 10.1.2.7 port 22: No route to host", "check that it runs, and address in hosts/rpi-box-05/host.toml"},
	}
}

// plan has a host of each kind.
func plan() deploy.Plan {
	warned := unchangedHost("rpi-box-04")
	warned.Warnings = []string{"the store has 1.1 GB left"}
	staged := deploy.HostPlan{
		Host: fleet.Host{Name: "rpi-box-02", Address: "10.1.2.4"}, System: system("f", "rpi-box-02"), Closure: 2_000_000_000,
		State: target.State{Running: system("f", "rpi-box-02"), Profile: system("g", "rpi-box-02"), Generation: 12},
	}
	return deploy.Plan{Action: deploy.Switch, Revision: revision, Dirty: true, Hosts: []deploy.HostPlan{changing(), staged, unchangedHost("rpi-box-03"), warned, unreachable(), unchangedHost("rpi-box-06")}}
}

// diffOf is what a caller hands over: the text of one host's difference.
func diffOf(t testing.TB, colour bool) map[string]string {
	r := report("1")
	return map[string]string{"rpi-box-01": asText(t, compare.Report{Base: "dddddd", Head: "the work tree", Compared: 1, Hosts: r.Hosts[:1]}, colour)}
}

func planText(t testing.TB, p deploy.Plan, d view.PlanDetail, colour bool) string {
	t.Helper()
	return written(t, func(w *strings.Builder) error { return view.PlanText(w, p, d, colour) })
}

func planJSON(t testing.TB, p deploy.Plan) string {
	t.Helper()
	return written(t, func(w *strings.Builder) error { return view.PlanJSON(w, p) })
}

// failed is a result with one of everything.
func failed() deploy.Result {
	return deploy.Result{
		Host: "rpi-box-02", Outcome: deploy.RolledBack, Phase: deploy.Gate,
		Err: errors.Join(advised{"rpi-box-02: container chat-web-1 is not healthy", "pistack logs rpi-box-02 chat"}, errors.New("rpi-box-02: unit nginx.service failed")),
		Old: system("a", "rpi-box-02"), New: system("b", "rpi-box-02"), Generation: 12,
		Warnings: []string{"the clock is 40 s behind"},
		Last:     []string{"chat-web-1  | listening on :80", "chat-web-1  | \x1b[31mpanic:\x1b[0m no database"},
		Log:      "/home/me/.local/state/pistack/logs/20261124-120000/rpi-box-02.log",
		Begun:    noon, Ended: noon.Add(125 * time.Second),
	}
}

func results() []deploy.Result {
	return []deploy.Result{
		{Host: "rpi-box-01", Outcome: deploy.Deployed, Phase: deploy.Record, Old: system("a", "rpi-box-01"), New: system("b", "rpi-box-01"), Generation: 42, Begun: noon, Ended: noon.Add(65 * time.Second)},
		failed(),
		{Host: "rpi-box-03", Outcome: deploy.Unchanged, Phase: deploy.Preflight, Generation: 7, Begun: noon, Ended: noon.Add(800 * time.Millisecond)},
		{Host: "rpi-box-04", Outcome: deploy.Staged, Phase: deploy.Record, Generation: 8, Warnings: []string{"it has to be rebooted"}, Begun: noon, Ended: noon.Add(30 * time.Second)},
		{Host: "rpi-box-05", Outcome: deploy.NotReached, Err: errors.New("rpi-box-02 failed, and it was the canary")},
	}
}

func summaryText(t testing.TB, all []deploy.Result, colour bool) string {
	t.Helper()
	return written(t, func(w *strings.Builder) error { return view.SummaryText(w, all, colour) })
}

func summaryJSON(t testing.TB, all []deploy.Result) string {
	t.Helper()
	return written(t, func(w *strings.Builder) error { return view.SummaryJSON(w, all) })
}

// events are those of a run of two hosts.
func events() []deploy.Event {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	bad := failed()
	good := results()[0]
	return []deploy.Event{
		{Time: at(0), Host: "rpi-box-01", Kind: deploy.Begun, Phase: deploy.Preflight},
		{Time: at(0), Host: "rpi-box-02", Kind: deploy.Begun, Phase: deploy.Preflight},
		{Time: at(1), Host: "rpi-box-02", Kind: deploy.Warning, Phase: deploy.Preflight, Text: "the clock is 40 s behind"},
		{Time: at(2), Kind: deploy.Begun, Phase: deploy.Build},
		{Time: at(3), Kind: deploy.Line, Phase: deploy.Build, Text: "building '/nix/store/…-unit-pistack-chat.service.drv'..."},
		{Time: at(20), Host: "rpi-box-01", Kind: deploy.Begun, Phase: deploy.Copy},
		{Time: at(21), Host: "rpi-box-01", Kind: deploy.Line, Phase: deploy.Copy, Text: "copying 10%\rcopying 90%\r"},
		{Time: at(22), Host: "rpi-box-02", Kind: deploy.Begun, Phase: deploy.Gate},
		{Time: at(65), Host: "rpi-box-01", Kind: deploy.Finished, Phase: deploy.Record, Result: &good},
		{Time: at(125), Host: "rpi-box-02", Kind: deploy.Finished, Phase: deploy.Undo, Result: &bad},
	}
}

func plain(all []deploy.Event, o view.ProgressOptions) string {
	var out strings.Builder
	p := view.NewProgress(view.PlainProgress, &out, o)
	for _, e := range all {
		p.Event(e)
	}
	p.Close()
	return out.String()
}

func jsonLines(all []deploy.Event) string {
	var out strings.Builder
	p := view.NewProgress(view.JSONProgress, &out, view.ProgressOptions{})
	for _, e := range all {
		p.Event(e)
	}
	p.Close()
	return out.String()
}
