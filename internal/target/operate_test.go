package target_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pistack/internal/fleettest"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// machineOf makes a machine of a fleet's first host.
func machineOf(t *testing.T, f *fleettest.Fleet) target.Machine {
	t.Helper()
	return machineAs(t, f, f.Remote())
}

func machineAs(t *testing.T, f *fleettest.Fleet, hosts []remote.Host) target.Machine {
	t.Helper()
	config, err := remote.NewConfig(hosts, remote.Options{Dir: t.TempDir(), IdentityFile: f.Identity})
	if err == nil {
		err = config.Write()
	}
	if err != nil {
		t.Fatal(err)
	}
	connections, err := config.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connections.Close)
	return target.New(connections, f.Hosts[0].Name)
}

func webStack() fleettest.System {
	return fleettest.System{
		Name: "web", Kernel: "a",
		Units: map[string]string{"pistack-web.service": "x", "pistack-secrets.service": "x", "pistack-images.service": "x", "sshd.service": "x"},
		Etc:   map[string]string{"pistack/images": "web\tnginx:1@sha256:1\nweb\tredis:7@sha256:2\n"},
		Containers: []fleettest.Container{
			{Project: "web", Service: "web", Name: "web-web-1", ID: "1", Image: "nginx:1@sha256:1", Health: "healthy", Log: []string{"one", "two"}},
			{Project: "web", Service: "odd\nend\t\n", Name: "web-\x1b[2J-1", ID: "2", Image: "redis:7@sha256:2", State: "exited", ExitCode: 3, Restart: "no"},
		},
	}
}

// TestSurvey: one session tells all, and what a container's author chose cannot
// pass for a line of the answer.
func TestSurvey(t *testing.T) {
	f := fleettest.Start(t, 1)
	h, m := f.Hosts[0], machineOf(t, f)
	path := h.Install(t, webStack())
	h.Boot(t, path)
	before := h.Sessions(t)
	s, err := m.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := h.Sessions(t) - before; n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	if s.Running != path || s.Profile != path || s.Generation != 1 || s.Docker != "26.1.5" || !s.Counted {
		t.Errorf("state %+v", s.State)
	}
	if !slices.Equal(s.Stacks, []string{"web"}) {
		t.Errorf("stacks %q", s.Stacks)
	}
	if want := []target.StackImage{{Stack: "web", Reference: "nginx:1@sha256:1"}, {Stack: "web", Reference: "redis:7@sha256:2"}}; !slices.Equal(s.Images, want) {
		t.Errorf("images %q", s.Images)
	}
	if len(s.Containers) != 2 {
		t.Fatalf("containers %+v", s.Containers)
	}
	for i, want := range []target.StackContainer{
		{Container: target.Container{Stack: "web", Service: "web", Name: "web-web-1", ID: "1", Image: "nginx:1@sha256:1", State: "running", Health: "healthy"}, Restart: "unless-stopped"},
		{Container: target.Container{Stack: "web", Service: "odd\nend\t\n", Name: "web-\x1b[2J-1", ID: "2", Image: "redis:7@sha256:2", State: "exited", ExitCode: 3}, Restart: "no"},
	} {
		if s.Containers[i] != want {
			t.Errorf("container %+v, want %+v", s.Containers[i], want)
		}
	}
	h.Change(t, func(s *fleettest.State) { s.NoDocker = true })
	if s, err = m.Survey(t.Context()); err != nil || s.Counted || s.Docker != "" || len(s.Containers) > 0 {
		t.Errorf("without Docker: %v, %+v", err, s)
	}
}

func TestContents(t *testing.T) {
	f := fleettest.Start(t, 1)
	h, m := f.Hosts[0], machineOf(t, f)
	path := h.Install(t, webStack())
	c, err := m.Contents(t.Context(), path)
	if err != nil || c.Kernel != path+"/kernel-a" || !slices.Equal(c.Images, []string{"nginx:1@sha256:1", "redis:7@sha256:2"}) {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = m.Contents(t.Context(), "/nix/store/gone")
	var exit *remote.ExitError
	if !errors.As(err, &exit) || !strings.Contains(err.Error(), "is not a system, or was deleted") {
		t.Errorf("a system that is gone: %v", err)
	}
}

func TestReceiptsOfDeploys(t *testing.T) {
	f := fleettest.Start(t, 1)
	m := machineOf(t, f)
	if all, err := m.Receipts(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("none: %q, %v", all, err)
	}
	for _, id := range []string{"a", "b"} {
		if err := errors.Join(m.Lock(t.Context(), target.Owner{ID: id}), m.Conclude(t.Context(), id, []byte(`{"run":"`+id+"\"}\n"))); err != nil {
			t.Fatal(err)
		}
	}
	all, err := m.Receipts(t.Context())
	if err != nil || len(all) != 2 || string(all[0]) != "{\"run\":\"a\"}\n" {
		t.Errorf("%q, %v", all, err)
	}
}

func TestWhichBoot(t *testing.T) {
	f := fleettest.Start(t, 1)
	h, m := f.Hosts[0], machineOf(t, f)
	h.Boot(t, h.Install(t, webStack()))
	first, err := m.Boot(t.Context(), time.Minute)
	if err != nil || first.ID == "" || first.Starting {
		t.Fatalf("%+v, %v", first, err)
	}
	h.Reboot(t)
	h.Program(t, "systemctl", "echo starting; exit 1")
	if second, err := m.Boot(t.Context(), time.Minute); err != nil || second.ID == first.ID || !second.Starting {
		t.Errorf("after a reboot %+v, %v", second, err)
	}
	h.Link(t, false)
	if _, err := m.Boot(t.Context(), time.Minute); !remote.Is(err, remote.Unreachable) {
		t.Errorf("unreachable: %v", err)
	}
}

// TestExec: arguments arrive as they are, input is empty, and no exit status has a
// meaning of ours.
func TestExec(t *testing.T) {
	f := fleettest.Start(t, 1)
	m := machineOf(t, f)
	words := []string{"a b", "", "'", `"`, "$HOME", "`id`", "*", "\\", "new\nline", "-n", "ü", "#", "!"}
	var lines []string
	keep := func(text string) { lines = append(lines, text) }
	argv := append([]string{"sh", "-c", `for a; do printf '<%s>\n' "$a"; done; wc -c`, "sh"}, words...)
	if err := m.Exec(t.Context(), argv, time.Minute, keep); err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, w := range words {
		want += "<" + w + ">\n"
	}
	if got := strings.Join(lines, "\n"); got != want+"0" {
		t.Errorf("got %q, want %q", got, want+"0")
	}
	for _, code := range []int{1, 71, 72, 73, 127, 255} {
		err := m.Exec(t.Context(), []string{"sh", "-c", fmt.Sprintf("exit %d", code)}, time.Minute, nil)
		var exit *remote.ExitError
		if !errors.As(err, &exit) || exit.Code != code || errors.Is(err, target.ErrLockLost) {
			t.Errorf("exit %d: %v", code, err)
		}
	}
	if err := m.Exec(t.Context(), []string{"sleep", "1000"}, time.Second, nil); !remote.Is(err, remote.TimedOut) {
		t.Errorf("a program that hangs: %v", err)
	}
}

// TestLogs: they end by themselves or with ctx, and then nothing is left on the
// machine.
func TestStackLogs(t *testing.T) {
	f := fleettest.Start(t, 1)
	h, m := f.Hosts[0], machineOf(t, f)
	h.Boot(t, h.Install(t, webStack()))
	var lines []string
	if err := m.Logs(t.Context(), "web", target.Output{Lines: 7, Since: 90 * time.Second, Stamps: true}, func(text string) { lines = append(lines, text) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(lines, []string{"web-web-1  | one", "web-web-1  | two"}) {
		t.Errorf("lines %q", lines)
	}
	if calls := h.Calls(t, "docker"); strings.Join(calls[len(calls)-1].Args, " ") != "compose --project-name web logs --no-color --tail 7 --since 90s --timestamps" {
		t.Errorf("call %q", calls[len(calls)-1].Args)
	}
	if err := m.Logs(t.Context(), "web", target.Output{Lines: -1, Since: time.Hour, Unit: true}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if calls := h.Calls(t, "journalctl"); strings.Join(calls[len(calls)-1].Args, " ") != "--unit pistack-web.service --no-pager --output short-iso --lines all --since=-3600s" {
		t.Errorf("call %q", calls[len(calls)-1].Args)
	}
}

func TestFollow(t *testing.T) {
	f := fleettest.Start(t, 1)
	h, m := f.Hosts[0], machineOf(t, f)
	h.Boot(t, h.Install(t, webStack()))
	ctx, cancel := context.WithCancel(t.Context())
	var lines []string
	err := m.Logs(ctx, "web", target.Output{Lines: -1, Follow: true}, func(text string) {
		switch lines = append(lines, text); text {
		case "web-web-1  | two":
			h.Change(t, func(s *fleettest.State) { s.Containers[0].Log = append(s.Containers[0].Log, "three") })
		case "web-web-1  | three":
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, lines %q", err, lines)
	}
	// The program finds out by its own next line, or by the one that is sent every 10 s.
	for end := time.Now().Add(30 * time.Second); strings.Contains(h.Shell(t, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), "--follow"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the program still runs on the machine")
		}
	}
}

func TestCheckup(t *testing.T) {
	f := fleettest.Start(t, 1)
	h, m := f.Hosts[0], machineOf(t, f)
	h.Boot(t, h.Install(t, webStack()))
	c, err := m.Checkup(t.Context())
	if err != nil || c.Login != "root" || !c.Trusted || c.Secrets != "" || c.StoreTotal == 0 || c.Running == "" || c.Docker != "26.1.5" || !c.CgroupMemory || !c.Synchronised {
		t.Fatalf("%+v, %v", c, err)
	}
	h.Shell(t, "mkdir -p /run/pistack/1 /nix/var/nix/db && ln -s 1 /run/pistack/current && mount -t tmpfs none /run/pistack/1")
	if c, err = m.Checkup(t.Context()); err != nil || c.Secrets != "tmpfs" || !c.Writable {
		t.Errorf("%+v, %v", c, err)
	}
	h.Change(t, func(s *fleettest.State) { s.NoDocker, s.NoClock = true, true })
	if err := os.WriteFile(h.Inside("/sys/fs/cgroup/cgroup.controllers"), []byte("cpu pids\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err = m.Checkup(t.Context()); err != nil || c.Docker != "" || c.CgroupMemory || c.Synchronised {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestTrusted: who logs in as somebody else has to be one of Nix's trusted users.
func TestTrusted(t *testing.T) {
	f := fleettest.Start(t, 1)
	h := f.Hosts[0]
	h.Boot(t, h.Install(t, webStack()))
	h.Program(t, "sudo", `shift; SUDO_USER=admin exec "$@"`)
	h.Shell(t, "touch /root/file")
	hosts := f.Remote()
	hosts[0].User = "admin"
	m := machineAs(t, f, hosts)
	for users, want := range map[string]bool{"root": false, "root admin": true, "root @root": true, "@wheel": false, "*": true, "": false} {
		h.Program(t, "nix", `case "$*" in *'config show') exit 1 ;; esac; echo 'trusted-users = `+users+`'`)
		c, err := m.Checkup(t.Context())
		if err != nil || c.Login != "admin" || c.Trusted != want {
			t.Errorf("trusted-users = %s: %q, %v, %v", users, c.Login, c.Trusted, err)
		}
	}
}

// TestSurveyNonsense: an answer that is none is an error, and never a state.
func TestSurveyNonsense(t *testing.T) {
	f := fleettest.Start(t, 1)
	h, m := f.Hosts[0], machineOf(t, f)
	h.Boot(t, h.Install(t, webStack()))
	for name, script := range map[string]string{
		"garbage":                `head -c 3000 /dev/urandom`,
		"lines of another kind":  `echo nonsense`,
		"a container too short":  `case $1 in ps) echo 1 ;; inspect) printf 'container\tx\n' ;; *) echo 26 ;; esac`,
		"a second end":           `case $1 in ps) echo 1 ;; inspect) printf 'end\t\n' ;; *) echo 26 ;; esac`,
		"a key that nobody asks": `case $1 in ps) echo 1 ;; inspect) printf 'stranger\tx\n' ;; *) echo 26 ;; esac`,
		"100 MB":                 `case $1 in ps) echo 1 ;; inspect) yes 'container' | head -c 100000000 ;; *) echo 26 ;; esac`,
	} {
		t.Run(name, func(t *testing.T) {
			h.Program(t, "docker", script)
			if s, err := m.Survey(t.Context()); err == nil {
				t.Errorf("no error: %+v", s)
			}
		})
	}
}
