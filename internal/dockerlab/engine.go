// Package dockerlab starts, for tests, what images are built by and pushed to:
// Docker engines, registries and sshds, real ones, each for one test. They need
// root; where that or a program is missing the test is left out, unless
// PISTACK_REQUIRE_ALL is set.
package dockerlab

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Need leaves the test out without root and these programs.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root")
	}
	for _, p := range programs {
		if _, err := find(p); err != nil {
			missing = append(missing, p)
		}
	}
	switch {
	case len(missing) == 0:
	case os.Getenv("PISTACK_REQUIRE_ALL") != "":
		t.Fatalf("nothing may be left out, and these are missing: %s", strings.Join(missing, ", "))
	default:
		t.Skipf("missing: %s", strings.Join(missing, ", "))
	}
}

// find also looks where PATH of an ordinary user does not.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + program)
}

// Engine is a Docker engine without a network.
type Engine struct {
	Env []string // that leads docker to it
	t   testing.TB
}

// NewEngine starts an engine that ends with the test, and the user's side of it:
// a DOCKER_CONFIG with Buildx, which PISTACK_BUILDX may name.
func NewEngine(t testing.TB) *Engine {
	t.Helper()
	Need(t, "dockerd", "docker", "unshare")
	dir := short(t)
	config := filepath.Join(dir, "config")
	must(t, os.MkdirAll(filepath.Join(config, "cli-plugins"), 0o700))
	if buildx := os.Getenv("PISTACK_BUILDX"); buildx != "" {
		must(t, os.Symlink(buildx, filepath.Join(config, "cli-plugins", "docker-buildx")))
	}
	socket := "unix://" + filepath.Join(dir, "docker.sock")
	e := &Engine{t: t, Env: []string{"DOCKER_HOST=" + socket, "DOCKER_CONFIG=" + config}}
	program, _ := find("dockerd")
	// Namespaces of its own: it mounts, and nothing that it sets up for a network is
	// the machine's.
	start(t, filepath.Join(dir, "log"), "unshare", "--net", "--mount", program,
		"--host", socket, "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"),
		"--iptables=false", "--ip6tables=false", "--bridge=none")
	await(t, filepath.Join(dir, "log"), func() bool { return e.command("version").Run() == nil })
	return e
}

// Config is the user's DOCKER_CONFIG.
func (e *Engine) Config() string { return strings.TrimPrefix(e.Env[1], "DOCKER_CONFIG=") }

func (e *Engine) command(args ...string) *exec.Cmd {
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), e.Env...)
	return cmd
}

// Docker runs docker and gives what it prints, without space around it.
func (e *Engine) Docker(args ...string) string {
	e.t.Helper()
	out, err := e.command(args...).CombinedOutput()
	if err != nil {
		e.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// HasBuildx leaves the test out without Buildx.
func (e *Engine) HasBuildx() {
	e.t.Helper()
	if out, err := e.command("buildx", "version").CombinedOutput(); err != nil {
		if os.Getenv("PISTACK_REQUIRE_ALL") != "" {
			e.t.Fatalf("nothing may be left out, and there is no Buildx: %s", out)
		}
		e.t.Skip("no Docker Buildx: set PISTACK_BUILDX to one")
	}
}

// short is a new folder with a path that a socket's fits into.
func short(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lab-")
	must(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("something of the lab is left: %v", err)
		}
	})
	return dir
}

// start runs a program until the test ends.
func start(t testing.TB, log, program string, args ...string) {
	t.Helper()
	out, err := os.Create(log)
	must(t, err)
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(20*time.Second, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer timer.Stop()
		cmd.Wait()
	})
}

// await waits until something that was started answers.
func await(t testing.TB, log string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if ready() {
			return
		}
	}
	said, _ := os.ReadFile(log)
	t.Fatalf("it does not answer: %s", bytes.TrimSpace(said))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
