package cmd_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pistack/internal/dockerlab"
)

// builder is a workstation with a fleet whose images it builds.
type builder struct {
	t     *testing.T
	fleet string
	env   []string // of pistack
}

// newBuilder writes a fleet of an arm64 and an amd64 host. They share a stack of
// two services, web and worker, each built from a folder of its own.
func newBuilder(t *testing.T, engine *dockerlab.Engine, registry string) *builder {
	t.Helper()
	b := &builder{t: t, fleet: filepath.Join(t.TempDir(), "fleet")}
	b.env = append(os.Environ(), "HOME="+t.TempDir(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.org")
	b.env = append(b.env, engine.Env...)
	public, err := keyPair(filepath.Join(t.TempDir(), "operator"))
	if err != nil {
		t.Fatal(err)
	}
	b.write("fleet.toml", fmt.Sprintf("operators = [%q]\nregistry = %q\n", public, registry))
	for host, system := range map[string]string{"pi": "aarch64-linux", "vps": "x86_64-linux"} {
		b.write("hosts/"+host+"/host.toml", fmt.Sprintf("address = \"%s.example.org\"\nsystem = %q\nstacks = [\"shop\"]\n", host, system))
	}
	b.write("stacks/shop/compose.yaml", "services:\n  web:\n    build: web\n    restart: unless-stopped\n  worker:\n    image: worker\n    build:\n      context: worker\n      labels: {purpose: work}\n    restart: unless-stopped\n")
	for _, service := range []string{"web", "worker"} {
		dir := "stacks/shop/" + service + "/"
		b.write(dir+"Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY app-${TARGETARCH} /app\nCOPY text /text\nENTRYPOINT [\"/app\"]\n")
		b.write(dir+".dockerignore", "*.log\n")
		b.write(dir+"text", service+" 1\n")
		b.programs(dir)
	}
	b.git("init", "-q")
	b.commit()
	return b
}

// programs builds a Go program for both platforms.
func (b *builder) programs(dir string) {
	b.t.Helper()
	source := filepath.Join(b.t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() { println(\"hello\") }\n"), 0o644); err != nil {
		b.t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(b.fleet, dir, "app-"+arch), source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.t.Fatalf("go build: %v\n%s", err, out)
		}
	}
}

func (b *builder) path(file string) string { return filepath.Join(b.fleet, file) }

func (b *builder) write(file, text string) {
	b.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(b.path(file)), 0o755), os.WriteFile(b.path(file), []byte(text), 0o644)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *builder) read(file string) string {
	b.t.Helper()
	data, err := os.ReadFile(b.path(file))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	return string(data)
}

func (b *builder) git(args ...string) {
	b.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", b.fleet}, args...)...)
	cmd.Env = b.env
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (b *builder) commit() {
	b.t.Helper()
	b.git("add", "--all")
	b.git("commit", "-q", "--allow-empty", "-m", "state")
}

// command is pistack in the fleet.
func (b *builder) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binaries, "pistack"), args...)
	cmd.Dir, cmd.Env = b.fleet, b.env
	return cmd
}

// run runs pistack, checks its exit status, and gives what it printed.
func (b *builder) run(status int, args ...string) (stdout, stderr string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	cmd := b.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		b.t.Fatalf("pistack %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), got, status, &out, &errs)
	}
	return out.String(), errs.String()
}

// want checks that a text has parts, or, of those that begin with "!", has not.
func want(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		unwanted, not := strings.CutPrefix(part, "!")
		if not && strings.Contains(text, unwanted) || !not && !strings.Contains(text, part) {
			t.Errorf("want %q in:\n%s", part, text)
		}
	}
}

const shopLock = "stacks/shop/images.lock"
