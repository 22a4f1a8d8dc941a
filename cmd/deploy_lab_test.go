package cmd_test

import (
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
	"time"

	"pistack/internal/fleettest"
)

// deployLab is a fleet of machines that play, a workstation, and the repository
// of the fleet there. The real pistack deploys it.
type deployLab struct {
	*fleettest.Fleet
	ws   *fleettest.Workstation
	root string // the repository
	home string // state, settings
}

// shortTiming is fast, and still slow enough for a busy machine: what a test waits
// for in vain is a second or two, what it waits for is over at once.
const shortTiming = "deadline=60s,renew=1s,window=100ms,sample=50ms,gatelimit=20s,link=2s,activate=60s,undo=60s,copy=60s,pull=60s,step=30s"

// newDeployLab starts hosts that have no system yet, with their repository.
func newDeployLab(t *testing.T, hosts int) *deployLab {
	t.Helper()
	f := fleettest.Start(t, hosts)
	l := &deployLab{Fleet: f, ws: f.NewWorkstation(t), root: filepath.Join(t.TempDir(), "fleet"), home: t.TempDir()}
	l.write(t, "fleet.toml", "operators = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPti/ekoVsgnQb4HZSWCGReKiRNKJFfb6QU/rsqMRh4K\"]\n")
	l.write(t, "flake.nix", "{ }\n")
	for _, h := range f.Hosts {
		l.write(t, "hosts/"+h.Name+"/host.toml", l.hostText(h, "root"))
		l.write(t, "hosts/"+h.Name+"/ssh_host_ed25519_key.pub", h.PublicKey+"\n")
	}
	l.must(t, "git", "init", "-q", "-b", "main")
	l.must(t, filepath.Join(binaries, "pistack"), "generate")
	l.commit(t)
	return l
}

// config is an ssh configuration of pistack's that knows a host.
func (l *deployLab) config(t *testing.T, h *fleettest.Host) string {
	t.Helper()
	configs, _ := filepath.Glob(filepath.Join(l.home, "state/pistack/*/ssh/*/config"))
	for _, c := range configs {
		text, err := os.ReadFile(c)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nHost "+h.Name+"\n") {
			return c
		}
	}
	t.Fatalf("no ssh configuration among %q knows %s", configs, h.Name)
	return ""
}

// hostText is the host.toml of a machine.
func (l *deployLab) hostText(h *fleettest.Host, user string) string {
	return fmt.Sprintf("address = %q\nsystem = %q\n\n[ssh]\nport = %d\nuser = %q\n", h.Address, thisSystem(), h.Port, user)
}

// thisSystem is what Nix calls the machines, which are of this one's kind.
func thisSystem() string {
	return map[string]string{"amd64": "x86_64-linux", "arm64": "aarch64-linux"}[runtime.GOARCH]
}

func (l *deployLab) write(t *testing.T, file, text string) {
	t.Helper()
	path := filepath.Join(l.root, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// commit makes the work tree clean.
func (l *deployLab) commit(t *testing.T) {
	t.Helper()
	l.must(t, "git", "add", "-A")
	l.must(t, "git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "--allow-empty", "-m", "a fleet")
}

// must runs a command in the repository.
func (l *deployLab) must(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := l.command(argv...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// command is one on the workstation, without the developer's own settings.
func (l *deployLab) command(argv ...string) *exec.Cmd {
	cmd := l.ws.Command(argv...)
	cmd.Dir = l.root
	cmd.Env = append(cmd.Env, "HOME="+l.home, "XDG_STATE_HOME="+filepath.Join(l.home, "state"), "XDG_CACHE_HOME="+filepath.Join(l.home, "cache"), "XDG_RUNTIME_DIR=",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "PISTACK_SSH_IDENTITY="+l.Identity, "PISTACK_TIMING="+shortTiming)
	return cmd
}

// take starts a fleet of hosts, which run and boot the system "old".
func take(t *testing.T, n int) (*deployLab, []*fleettest.Host) {
	t.Helper()
	l := newDeployLab(t, n)
	for _, h := range l.Hosts {
		l.boot(t, h, web(h, "old"))
	}
	return l, l.Hosts
}

func (l *deployLab) boot(t *testing.T, h *fleettest.Host, s fleettest.System) {
	t.Helper()
	h.Boot(t, h.Install(t, s))
}

// web is a system of a host with one stack.
func web(h *fleettest.Host, label string, changes ...func(*fleettest.System)) fleettest.System {
	s := fleettest.System{
		Name: h.Name + "-" + label, Units: map[string]string{"pistack-web.service": label},
		Containers: []fleettest.Container{{Project: "web", Service: "web", Name: "web-1", ID: label, Image: "example.org/web:1", Log: []string{"it said this"}}},
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

// next has the repository say another system for a host, and returns it.
func (l *deployLab) next(t *testing.T, h *fleettest.Host, changes ...func(*fleettest.System)) fleettest.System {
	t.Helper()
	s := web(h, "new", changes...)
	l.ws.Want(t, h.Name, s)
	return s
}

// standing is what a machine is found to be, by its own files.
type standing struct {
	running, boots string
	lock           string // id of its owner, "" for none
	armed          bool
}

func stand(t *testing.T, h *fleettest.Host) standing {
	t.Helper()
	read := func(link string) string {
		path, err := os.Readlink(h.Inside(link))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return path
	}
	s := standing{running: read("/run/current-system"), boots: read("/nix/var/nix/profiles/system")}
	s.boots = read("/nix/var/nix/profiles/" + s.boots)
	owner, err := os.ReadFile(h.Inside("/run/pistack-deploy/lock/owner"))
	if err == nil {
		s.lock = strings.TrimPrefix(strings.SplitN(string(owner), "\n", 2)[0], "id\t")
	}
	_, err = os.Stat(h.Inside("/run/pistack-deploy/undo/armed"))
	_, timer := h.State(t).Timers["pistack-undo"]
	s.armed = err == nil || timer
	return s
}

// at checks that a machine runs one system whole, boots another, and that nobody
// has anything in hand there.
func at(t *testing.T, h *fleettest.Host, runs, boots fleettest.System) {
	t.Helper()
	got, want := stand(t, h), standing{running: fleettest.Path(runs), boots: fleettest.Path(boots)}
	if got != want {
		t.Errorf("%s is at %+v\nwant %+v", h.Name, got, want)
	}
	if now := h.State(t).Containers; !slices.EqualFunc(now, runs.Containers, func(a, b fleettest.Container) bool { return a.ID == b.ID }) {
		t.Errorf("%s: containers %v of another system", h.Name, now)
	}
}

// back checks that a machine is as it was before.
func back(t *testing.T, h *fleettest.Host) {
	t.Helper()
	at(t, h, web(h, "old"), web(h, "old"))
}

// eventually waits until a machine gets somewhere by itself.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// receipt is the last one that a machine has.
func receipt(t *testing.T, h *fleettest.Host) (r struct{ Old, New, Outcome, Revision, By string }) {
	t.Helper()
	text, err := os.ReadFile(h.Inside("/var/lib/pistack/receipt.json"))
	if errors.Is(err, os.ErrNotExist) {
		return r
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}
