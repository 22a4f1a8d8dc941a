//go:build device && linux

package cmd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// deployer is a workstation from which the same Pi is deployed to again and
// again, each time with a system that differs in one unit.
type deployer struct {
	*lab
	units []byte // testdata/nixos/units.json, as recorded
	runs  int
}

const deployerStack = `services:
  web:
    image: trial:1
    restart: unless-stopped
    environment: {OPENAI_API_KEY: "${OPENAI_KEY}", TZ: "${TZ}", PORT: "${CHAT_PORT}"}
`

func newDeployer(t *testing.T) *deployer {
	t.Helper()
	l := newLab(t)
	l.join(t, watched)
	l.vpi(t, "image", watched.number, "trial:1", l.app(t), "ENV APP_PORTS=8080")
	l.ssh(t, watched, "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/verbose.conf && systemctl reload ssh")
	l.addSecret(t, watched, "OPENAI_KEY")
	l.writeFleet(t, "stacks/chat/compose.yaml", []byte(deployerStack))
	return &deployer{lab: l, units: l.readFleet(t, "testdata/nixos/units.json")}
}

// change gives the host's system a unit of that name, which a switch starts, in
// the place of the one of the change before. start are lines of [Service]; "" is
// a unit that does nothing.
func (d *deployer) change(t *testing.T, name, start string) {
	t.Helper()
	var recorded map[string]any
	if err := json.Unmarshal(d.units, &recorded); err != nil {
		t.Fatal(err)
	}
	if start == "" {
		start = "ExecStart=/bin/true\n"
	}
	text := "[Unit]\nDescription=" + name + "\n[Service]\nType=oneshot\nRemainAfterExit=yes\n" + start
	units := recorded["hosts"].(map[string]any)[watched.host].(map[string]any)["units"].(map[string]any)
	units[name+".service"] = map[string]any{"text": text, "wantedBy": []string{"multi-user.target"}, "requiredBy": []string{}}
	data, err := json.Marshal(recorded)
	if err != nil {
		t.Fatal(err)
	}
	d.writeFleet(t, "testdata/nixos/units.json", data)
}

// attempt is a deploy that runs, or has run. Its events are in a file, so that
// its end is its own, and not that of a child that it leaves.
type attempt struct {
	cmd    *exec.Cmd
	events string // file with an event a line
	status int
	attemptResult
}

// attemptResult is what a deploy says of the host in the end.
type attemptResult struct {
	Outcome, Phase, Old, New string
	Problems                 []struct{ Text, Message string }
	Last                     []string
}

func (r attemptResult) problem() string { return fmt.Sprint(r.Problems) }

// start commits and deploys, in a process group of its own. Whatever is not
// said otherwise is made short.
func (d *deployer) start(t *testing.T, options ...string) *attempt {
	t.Helper()
	d.commit(t, watched)
	d.runs++
	a := &attempt{events: filepath.Join(d.work, fmt.Sprintf("events-%d", d.runs))}
	out, err := os.Create(a.events)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	argv := []string{d.script, "in", "pistack", "deploy", watched.host, "--yes", "--json", "--identity-file", filepath.Join(vpiFolder(), "id")}
	if !slices.Contains(options, "--gate-window") {
		argv = append(argv, "--gate-window", "1s")
	}
	a.cmd = d.command(t, append(argv, options...)...).Cmd
	a.cmd.Stdout, a.cmd.Stderr = out, out
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.cmd.Process.Kill() }) // where the test failed before its end
	return a
}

// signal goes to the process group, as Ctrl-C does.
func (a *attempt) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-a.cmd.Process.Pid, s); err != nil {
		t.Fatal(err)
	}
}

func (a *attempt) text(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(a.events)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// await waits until a phase has begun.
func (a *attempt) await(t *testing.T, phase string) {
	t.Helper()
	a.awaitText(t, `"kind":"begun","phase":"`+phase+`"`)
}

// awaitText waits until the events have something.
func (a *attempt) awaitText(t *testing.T, pattern string) {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	for range 3600 {
		if wanted.MatchString(a.text(t)) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s:\n%s", pattern, a.text(t))
}

// end waits for the end.
func (a *attempt) end(t *testing.T) *attempt {
	t.Helper()
	_ = a.cmd.Wait() // the status is what is asked for
	a.status = a.cmd.ProcessState.ExitCode()
	for line := range bytes.Lines([]byte(a.text(t))) {
		var event struct {
			Kind   string
			Result *attemptResult
		}
		if json.Unmarshal(line, &event) == nil && event.Result != nil {
			a.attemptResult = *event.Result
		}
	}
	return a
}

func (d *deployer) deploys(t *testing.T, options ...string) *attempt {
	t.Helper()
	return d.start(t, options...).end(t)
}

func (a *attempt) want(t *testing.T, status int, outcome string) attemptResult {
	t.Helper()
	if a.status != status || a.Outcome != outcome {
		t.Fatalf("status %d, outcome %q, want %d and %q:\n%s", a.status, a.Outcome, status, outcome, a.text(t))
	}
	return a.attemptResult
}

// deviceState is what a Pi runs and boots.
type deviceState struct {
	running, profile string // store paths
	generation       int
	containers       string
}

func (d *deployer) state(t *testing.T) deviceState {
	t.Helper()
	var s deviceState
	var link string
	out := d.ssh(t, watched, "readlink -f /run/current-system; readlink -f /nix/var/nix/profiles/system; readlink /nix/var/nix/profiles/system")
	if _, err := fmt.Sscan(out, &s.running, &s.profile, &link); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	if _, err := fmt.Sscanf(link, "system-%d-link", &s.generation); err != nil {
		t.Fatalf("%q: %v", link, err)
	}
	s.containers = d.ssh(t, watched, "docker ps --format '{{.Names}} {{.Command}}'")
	return s
}

func (d *deployer) wantState(t *testing.T, want deviceState) {
	t.Helper()
	if got := d.state(t); got != want {
		t.Fatalf("state %+v, want %+v", got, want)
	}
}

// wantSound: all units are well, the container has its key, and neither lock nor
// timer nor a root of the garbage collector is left.
func (d *deployer) wantSound(t *testing.T) {
	t.Helper()
	got := d.ssh(t, watched, "systemctl is-system-running; ls /run/pistack-deploy | grep -vx undo; ls /run/pistack-deploy/undo/armed /nix/var/nix/gcroots/pistack-deploy 2>/dev/null; "+
		"systemctl list-units --all --plain --no-legend 'pistack-undo*' nixos-rebuild-switch-to-configuration.service; "+
		"docker exec $(docker ps -q) app sha256 env OPENAI_API_KEY")
	if want := "running\n" + digest(d.values["OPENAI_KEY"]); got != want {
		t.Fatalf("the Pi is not sound:\n%s\nwant\n%s", got, want)
	}
}

// receiptHere is a receipt on the workstation.
type receiptHere struct {
	text                        []byte
	Old, New, Revision, Outcome string
	Generation                  int
	Dirty                       bool
}

// receipt is the last one.
func (d *deployer) receipt(t *testing.T) receiptHere {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(d.work, "state/pistack/*/receipts", watched.host, "*.json"))
	if err != nil || len(all) == 0 {
		t.Fatalf("no receipt: %v", err)
	}
	slices.SortFunc(all, func(a, b string) int { return must(os.Stat(a)).ModTime().Compare(must(os.Stat(b)).ModTime()) })
	r := receiptHere{text: must(os.ReadFile(all[len(all)-1]))}
	if err := json.Unmarshal(r.text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// wantRolledBack: the receipt here says it, and the one on the Pi is still that
// of the system that runs.
func (d *deployer) wantRolledBack(t *testing.T, old deviceState) {
	t.Helper()
	if r := d.receipt(t); r.Outcome != "rolled back" || r.Old != old.running || r.New == old.running {
		t.Errorf("receipt here: %s", r.text)
	}
	var there receiptHere
	if err := json.Unmarshal([]byte(d.ssh(t, watched, "cat /var/lib/pistack/receipt.json")), &there); err != nil || there.New != old.running {
		t.Errorf("receipt there: %+v, %v", there, err)
	}
}

// awaitUnit waits on the Pi until a unit is in a state.
func (d *deployer) awaitUnit(t *testing.T, name, state string) {
	t.Helper()
	d.ssh(t, watched, "timeout 60 sh -c 'until [ \"$(systemctl show -P ActiveState "+name+")\" = "+state+" ]; do sleep 0.1; done'")
}

// awaitUndo waits on the Pi for the end of an undo.
func (d *deployer) awaitUndo(t *testing.T) {
	t.Helper()
	d.ssh(t, watched, "timeout 60 sh -c 'until [ -e /run/pistack-deploy/undo/result ]; do sleep 0.1; done'")
}

func (d *deployer) reboots(t *testing.T) {
	t.Helper()
	d.vpi(t, "reboot", watched.number)
	d.ssh(t, watched, "systemctl start pistack-chat") // waits for the one that the boot started
}

func (d *deployer) number(t *testing.T, script string) int {
	t.Helper()
	var n int
	if text := strings.TrimSpace(d.ssh(t, watched, script)); must(fmt.Sscan(text, &n)) != 1 {
		t.Fatalf("%q is no number", text)
	}
	return n
}
