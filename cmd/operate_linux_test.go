package cmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pistack/internal/fleettest"
)

// desk is a workstation with a fleet of machines that fleettest runs.
type desk struct {
	*fleettest.Fleet
	root string // of the repository
	env  []string
}

func newDesk(t *testing.T, machines int) *desk {
	t.Helper()
	d := &desk{Fleet: fleettest.Start(t, machines), root: filepath.Join(t.TempDir(), "fleet")}
	home := t.TempDir()
	d.env = append(os.Environ(), "HOME="+home, "XDG_STATE_HOME="+filepath.Join(home, "state"), "PISTACK_SSH_IDENTITY="+d.Identity,
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "PATH="+binaries+":"+os.Getenv("PATH"), "SSH_AUTH_SOCK=")
	public, err := os.ReadFile(d.Identity + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	d.write(t, "fleet.toml", fmt.Sprintf("operators = [%q]\n", strings.TrimSpace(string(public))))
	d.write(t, "flake.nix", "{ outputs = inputs: inputs.pistack.lib.mkFleet { root = ./.; }; }\n")
	d.write(t, "stacks/web/compose.yaml", "services:\n  web:\n    image: nginx:1\n")
	system := map[string]string{"amd64": "x86_64-linux", "arm64": "aarch64-linux"}[runtime.GOARCH]
	board := map[string]string{"amd64": "generic-x86_64", "arm64": "rpi4"}[runtime.GOARCH]
	for _, h := range d.Hosts {
		d.write(t, "hosts/"+h.Name+"/host.toml", fmt.Sprintf("address = %q\nsystem = %q\nboard = %q\nstacks = [\"web\"]\ntags = [\"lab\"]\n\n[ssh]\nport = %d\n", h.Address, system, board, h.Port))
		d.write(t, "hosts/"+h.Name+"/ssh_host_ed25519_key.pub", h.PublicKey+"\n")
	}
	d.git(t, "init", "-q", "-b", "main")
	d.commit(t)
	return d
}

func (d *desk) write(t *testing.T, file, text string) {
	t.Helper()
	path := filepath.Join(d.root, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", d.root, "-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...)
	cmd.Env = d.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (d *desk) commit(t *testing.T) string {
	t.Helper()
	d.git(t, "add", "--all")
	d.git(t, "commit", "-q", "--allow-empty", "-m", "x")
	return d.git(t, "rev-parse", "HEAD")
}

// ran is how a command ended.
type ran struct {
	status      int
	out, errOut string
}

// toFull among arguments has standard output be a full disk.
const toFull = ">/dev/full"

// pistack runs the command to its end.
func (d *desk) pistack(t *testing.T, args ...string) ran {
	t.Helper()
	full := slices.Contains(args, toFull)
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == toFull })
	cmd := exec.CommandContext(t.Context(), filepath.Join(binaries, "pistack"), args...)
	var out, errOut bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.root, d.env, &out, &errOut
	if full {
		disk, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		cmd.Stdout = disk
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// want runs the command, and holds its end to an exit status and to words of its
// output.
func (d *desk) want(t *testing.T, status int, words []string, args ...string) ran {
	t.Helper()
	r := d.pistack(t, args...)
	if r.status != status {
		t.Errorf("pistack %q: exit status %d, want %d\n%s%s", args, r.status, status, r.out, r.errOut)
	}
	for _, w := range words {
		if !strings.Contains(r.out+r.errOut, w) {
			t.Errorf("pistack %q: does not say %q:\n%s%s", args, w, r.out, r.errOut)
		}
	}
	return r
}

func stackSystem(name string, change ...func(*fleettest.System)) fleettest.System {
	s := fleettest.System{
		Name: name, Kernel: "a",
		Units:      map[string]string{"pistack-web.service": name},
		Etc:        map[string]string{"pistack/images": "web\tnginx:1\n"},
		Containers: []fleettest.Container{{Project: "web", Service: "web", Name: "web-web-1", ID: "c-" + name, Image: "nginx:1", Log: []string{"hello from " + name}}},
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

// deployed makes a machine one that pistack deployed a system to.
func (d *desk) deployed(t *testing.T, h *fleettest.Host, s fleettest.System, revision string) string {
	t.Helper()
	path := h.Install(t, s)
	h.Boot(t, path)
	h.Change(t, func(s *fleettest.State) { s.Images = []string{"nginx:1"} })
	d.receipt(t, h, path, revision)
	return path
}

func (d *desk) receipt(t *testing.T, h *fleettest.Host, path, revision string) {
	t.Helper()
	text := fmt.Sprintf(`{"schema":1,"run":"r","host":%q,"by":"ann","from":"desk","revision":%q,"action":"switch","old":"","new":%q,"outcome":"deployed","ended":"2026-11-24T12:00:00Z"}`, h.Name, revision, path)
	h.Shell(t, "mkdir -p /var/lib/pistack/.receipts && echo '"+text+"' | tee /var/lib/pistack/receipt.json >/var/lib/pistack/.receipts/20261124T120000Z-$(date +%N).json")
}

// TestStatus: the verdicts come through, with their exit status, in one session a
// host; and a deploy that holds the lock does not keep a status away.
func TestStatus(t *testing.T) {
	d := newDesk(t, 3)
	a, b, c := d.Hosts[0], d.Hosts[1], d.Hosts[2]
	head := d.git(t, "rev-parse", "HEAD")
	for _, h := range d.Hosts {
		d.deployed(t, h, stackSystem("one"), head)
	}
	connections, sessions := a.Connections(t), a.Sessions(t)
	d.want(t, 0, []string{"h001  in sync", "1 of 1 up", "3 hosts: 3 in sync"}, "status")
	if n, m := a.Connections(t)-connections, a.Sessions(t)-sessions; n != 1 || m != 1 {
		t.Errorf("%d connections, %d sessions, want 1 and 1", n, m)
	}

	d.write(t, "hosts/h001/default.nix", "{ }\n")
	d.write(t, "docs/notes.md", "x\n")
	d.commit(t)
	d.write(t, "hosts/h002/host.toml", strings.Replace(d.read(t, "hosts/h002/host.toml"), "[ssh]", "[env]\nX = \"1\"\n\n[ssh]", 1))
	b.Change(t, func(s *fleettest.State) { s.Containers[0].State = "exited" })
	d.want(t, 3, []string{"h001: behind", "behind by 1 commit\n", "h002: drifted", "stack web: web-web-1 exited with 0", "not committed: the work tree has changes that are in no commit: hosts/h002/host.toml", "h003  in sync", "1 in sync, 1 behind, 1 drifted"}, "status")

	c.Shell(t, "mkdir -p /run/pistack-deploy/lock && printf 'id\\tX\\nuser\\tbob\\nfrom\\tlaptop\\nrevision\\t"+head+"\\ndirty\\tno\\nsince\\t1700000000\\n' >/run/pistack-deploy/lock/owner")
	d.want(t, 3, []string{"deploy in progress: locked by bob from laptop", "2023-11-14T22:13:20Z", "pistack unlock h003"}, "status", "h003")
	c.Shell(t, "nix-env -p /nix/var/nix/profiles/system --set $(readlink -f /nix/var/nix/profiles/system) >/dev/null; rm -r /run/pistack-deploy/lock")
	two := c.Install(t, stackSystem("two"))
	c.Shell(t, "nix-env -p /nix/var/nix/profiles/system --set "+two+" && "+two+"/bin/switch-to-configuration switch")
	d.want(t, 3, []string{"changed by hand: it runs and boots a system that pistack did not deploy: generation 2"}, "status", "h003")

	r := d.want(t, 3, nil, "status", "--json")
	var report struct {
		Schema int
		InSync bool
		Hosts  []struct {
			Host, Verdict string
			Repository    struct{ Behind int }
		}
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || report.Schema != 1 || report.InSync || len(report.Hosts) != 3 || report.Hosts[0].Repository.Behind != 1 || report.Hosts[2].Verdict != "changed by hand" {
		t.Errorf("JSON %v: %+v", err, report)
	}
	d.want(t, 2, []string{"--watch needs a terminal"}, "status", "--watch")
	d.want(t, 2, []string{"--watch draws for people"}, "status", "--watch", "--json")
	d.want(t, 1, []string{"no host \"nobody\""}, "status", "nobody")
}

func (d *desk) read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestStatusMisbehaves: a machine that misbehaves is said to, and takes nobody else
// along.
func TestStatusMisbehaves(t *testing.T) {
	d := newDesk(t, 4)
	head := d.git(t, "rev-parse", "HEAD")
	for _, h := range d.Hosts {
		d.deployed(t, h, stackSystem("one"), head)
	}
	hang, garbage, wrongKey, fine := d.Hosts[0], d.Hosts[1], d.Hosts[2], d.Hosts[3]
	hang.Fail(t, fleettest.Fault{Program: "docker", Args: "ps", Hang: true})
	garbage.Program(t, "uname", "yes 'a line' | head -c 100000000")
	d.write(t, "hosts/"+wrongKey.Name+"/ssh_host_ed25519_key.pub", fine.PublicKey+"\n")
	d.commit(t)
	for _, h := range []*fleettest.Host{hang, garbage, wrongKey, fine} {
		d.receipt(t, h, fleettest.Path(stackSystem("one")), d.git(t, "rev-parse", "HEAD"))
	}
	sessions := wrongKey.Sessions(t)
	d.want(t, 3, []string{
		"h001: drifted", "Docker does not answer",
		"h002: unreachable", "the answer is too long",
		"h003: unreachable", "does not have the pinned host key",
		"h004  in sync",
	}, "status")
	if n := wrongKey.Sessions(t) - sessions; n != 0 {
		t.Errorf("%d commands reached a machine with another key", n)
	}
	fine.Link(t, false)
	d.want(t, 3, []string{"h004: unreachable", "cannot be reached at"}, "status", fine.Name)
}

// TestRollback: to the generation before, which need not be one less, by the store
// path that it is, and back when that fails.
func TestRollback(t *testing.T) {
	d := newDesk(t, 1)
	h := d.Hosts[0]
	first := d.git(t, "rev-parse", "HEAD")
	one := d.deployed(t, h, stackSystem("one"), first)
	h.Boot(t, h.Install(t, stackSystem("two")))
	d.write(t, "hosts/h001/default.nix", "{ }\n")
	second := d.commit(t)
	three := d.deployed(t, h, stackSystem("three"), second)
	h.Shell(t, "rm /nix/var/nix/profiles/system-2-link")
	quick := []string{"--gate-window", "1s", "--yes"}

	d.want(t, 1, []string{"there is no generation 2", "there are 1, 3"}, "rollback", h.Name, "--to", "2")
	d.want(t, 2, []string{"--to is the number of a generation"}, "rollback", h.Name, "--to", "0")
	d.want(t, 2, []string{"there is no terminal: say --yes"}, "rollback", h.Name)
	dry := d.want(t, 0, []string{"boots, runs", "chosen", "back to generation 1, " + one, "will restart pistack-web.service", first[:12]}, "rollback", h.Name, "--dry-run")
	if strings.Contains(dry.out, "plan:") || h.Shell(t, "readlink -f /run/current-system") != three {
		t.Errorf("a dry run: %s", dry.out)
	}

	h.Change(t, func(s *fleettest.State) { s.NoDocker = true })
	d.want(t, 0, []string{"back to generation 1"}, "rollback", h.Name, "--dry-run")
	h.Change(t, func(s *fleettest.State) { s.NoDocker = false })

	r := d.want(t, 0, []string{"deployed"}, append([]string{"rollback", h.Name}, quick...)...)
	if got := h.Shell(t, "readlink -f /run/current-system; readlink /nix/var/nix/profiles/system; ls /run/pistack-deploy"); !strings.HasPrefix(got, one+"\nsystem-1-link") || strings.Contains(got, "lock") {
		t.Errorf("it runs %s\n%s%s", got, r.out, r.errOut)
	}
	var receipt struct{ Revision, New, Old, Outcome string }
	if err := json.Unmarshal([]byte(h.Shell(t, "cat /var/lib/pistack/receipt.json")), &receipt); err != nil || receipt.New != one || receipt.Old != three || receipt.Revision != first || receipt.Outcome != "deployed" {
		t.Errorf("receipt %+v, %v", receipt, err)
	}
	d.want(t, 3, []string{"h001: behind", "behind by 1 commit"}, "status")
	d.want(t, 1, []string{"there is no generation before the current one, 1"}, append([]string{"rollback", h.Name}, quick...)...)
	d.want(t, 0, []string{"it runs and boots that system already"}, "rollback", h.Name, "--to", "1")
	d.want(t, 0, []string{"deployed"}, append([]string{"rollback", h.Name, "--to", "3"}, quick...)...)
	d.want(t, 0, []string{"in sync"}, "status")
}

// TestRollbackFails: what fails on the old generation, too, brings the machine back
// to where it was.
func TestRollbackFails(t *testing.T) {
	d := newDesk(t, 1)
	h := d.Hosts[0]
	head := d.git(t, "rev-parse", "HEAD")
	bad := h.Install(t, stackSystem("bad", func(s *fleettest.System) { s.Failed = []string{"pistack-web.service"} }))
	h.Boot(t, bad)
	two := d.deployed(t, h, stackSystem("two"), head)
	d.want(t, 3, []string{"rolled back", "units fail on the new system: pistack-web.service"}, "rollback", h.Name, "--yes", "--gate-window", "1s")
	if got := h.Shell(t, "readlink -f /run/current-system; readlink /nix/var/nix/profiles/system"); got != two+"\nsystem-2-link" {
		t.Errorf("it runs %s", got)
	}
	h.Shell(t, "mkdir -p /run/pistack-deploy/lock && printf 'id\\tX\\nuser\\tbob\\nfrom\\tlaptop\\nrevision\\t\\ndirty\\tno\\nsince\\t1700000000\\n' >/run/pistack-deploy/lock/owner")
	d.want(t, 3, []string{"locked by bob from laptop"}, "rollback", h.Name, "--yes", "--gate-window", "1s")
	d.want(t, 2, []string{"locked by bob from laptop, since 2023-11-14T22:13:20Z", "there is no terminal"}, "unlock", h.Name)
	d.want(t, 0, []string{"h001: unlocked"}, "unlock", h.Name, "--yes")
	d.want(t, 0, []string{"h001: is not locked"}, "unlock", h.Name)
	for _, owner := range []string{"", "by hand, sorry", "by hand\n", "id\tX\nuser\tbob\ndirty\tmaybe\nsince\tnoon\n"} {
		h.Shell(t, "mkdir -p /run/pistack-deploy/lock && printf '"+owner+"' >/run/pistack-deploy/lock/owner")
		who := map[bool]string{true: "locked by bob", false: "locked by somebody unknown"}[strings.Contains(owner, "bob")]
		d.want(t, 3, []string{"deploy in progress: " + who, "pistack unlock h001"}, "status")
		d.want(t, 3, []string{who}, "rollback", h.Name, "--yes", "--to", "1", "--lock-wait", "1ms")
		d.want(t, 0, []string{who, "h001: unlocked"}, "unlock", h.Name, "--yes")
	}
	h.Shell(t, "rm -rf "+bad)
	d.want(t, 1, []string{"is not a system, or was deleted"}, "rollback", h.Name, "--yes")
}

func TestLogs(t *testing.T) {
	d := newDesk(t, 1)
	h := d.Hosts[0]
	d.deployed(t, h, stackSystem("one"), d.git(t, "rev-parse", "HEAD"))
	d.want(t, 0, []string{"web-web-1  | hello from one\n"}, "logs", h.Name, "web", "--lines", "5")
	d.want(t, 0, []string{"Starting pistack-web.service..."}, "logs", h.Name, "web", "--unit", "--since", "1h")
	d.want(t, 1, []string{`has no stack "wep"`, "it runs web"}, "logs", h.Name, "wep")
	d.want(t, 2, []string{"is neither a time like 30m"}, "logs", h.Name, "web", "--since", "yesterday")
	d.want(t, 2, []string{"usage: pistack logs HOST STACK"}, "logs", h.Name)
	d.want(t, 2, []string{"--lines -5: is neither a number of lines nor -1"}, "logs", h.Name, "web", "--lines", "-5")
	d.want(t, 1, []string{"standard output: write /dev/stdout: no space left on device"}, "logs", h.Name, "web", toFull)

	cmd := exec.Command(filepath.Join(binaries, "pistack"), "logs", "-f", h.Name, "web")
	cmd.Dir, cmd.Env = d.root, d.env
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("web-web-1  | hello from one\n"))
	if _, err := out.Read(first); err != nil || string(first) != "web-web-1  | hello from one\n" {
		t.Errorf("read %q, %v", first, err)
	}
	d.want(t, 0, []string{"in sync"}, "status") // meanwhile
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

func TestExec(t *testing.T) {
	d := newDesk(t, 3)
	r := d.want(t, 0, []string{"does not last"}, "exec", "@lab", "--", "sh", "-c", "echo \"$1 on $(uname -n)\"; cat", "sh", "a  'b")
	for _, h := range d.Hosts {
		if !strings.Contains(r.out, h.Name+" | a  'b on "+h.Name+"\n") {
			t.Errorf("%s is missing:\n%s", h.Name, r.out)
		}
	}
	d.want(t, 1, []string{"standard output: write /dev/stdout: no space left on device"}, "exec", "h001", toFull, "--", "echo", "hi")
	d.Hosts[1].Link(t, false)
	r = d.want(t, 3, []string{"h001: exit status 71", "h002: cannot be reached", "h003: exit status 71", "failed on 3 of 3 hosts"}, "exec", "h*", "--", "sh", "-c", "exit 71")
	r = d.want(t, 3, nil, "exec", "h*", "--json", "--", "uname", "-n")
	var report struct {
		Schema  int
		Command []string
		Hosts   []struct {
			Done   bool
			Status int
			Output []string
		}
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || report.Schema != 1 || len(report.Hosts) != 3 || !report.Hosts[0].Done || report.Hosts[0].Output[0] != "h001" || report.Hosts[1].Status != -1 {
		t.Errorf("JSON %v: %+v", err, report)
	}
	d.want(t, 2, []string{"usage: pistack exec HOST|GLOB|@TAG|!NOT… -- PROGRAM [ARGUMENT…]"}, "exec", "h001", "uname")
	d.want(t, 2, []string{"usage: pistack exec HOST|GLOB|@TAG|!NOT… -- PROGRAM [ARGUMENT…]"}, "exec", "--", "uname")
	d.want(t, 3, []string{"h001: sleep did not end within 1s; it may go on there", "hint: give it longer with --timeout"}, "exec", "h001", "--timeout", "1s", "--", "sleep", "100")
	huge := d.want(t, 0, nil, "exec", "h001", "--json", "--", "sh", "-c", `yes "$(printf %1000d 0)" | head -c 100000000`)
	if len(huge.out) > 16<<20 || !strings.Contains(huge.out, `"cut": true`) {
		t.Errorf("100 MB gave %d bytes", len(huge.out))
	}
}

// TestOperateCompletion: what can be typed next.
func TestOperateCompletion(t *testing.T) {
	d := newDesk(t, 1)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"status"}, "h001\n@lab\n"},
		{[]string{"rollback"}, "h001\n"},
		{[]string{"logs"}, "h001\n"},
		{[]string{"logs", "h001"}, "web\n"},
		{[]string{"exec"}, "h001\n@lab\n"},
		{[]string{"reboot", "h001"}, "h001\n@lab\n"},
		{[]string{"unlock"}, "h001\n"},
		{[]string{"doctor"}, "h001\n@lab\n"},
	} {
		if r := d.pistack(t, append(c.args, "--generate-bash-completion")...); r.out != c.want {
			t.Errorf("%q: %q, want %q", c.args, r.out, c.want)
		}
	}
}
