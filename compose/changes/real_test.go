package changes_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pistack/compose"
	"pistack/compose/changes"
	"pistack/nixgen"
)

// realCompose is Docker Compose as a program. Version 2 hashes more: depends_on
// and profiles.
func realCompose(t *testing.T) string {
	t.Helper()
	program := os.Getenv("PISTACK_COMPOSE")
	if program == "" {
		t.Skip("set PISTACK_COMPOSE to a docker-compose of version 5")
	}
	return program
}

// hashes are what Compose compares with the label of a container, of every
// service as the device has it: with the generated override, and in a folder that
// all versions are in.
func (s side) hashes(t *testing.T, program, dir string) map[string]string {
	t.Helper()
	stack := s.mustLoad(t)
	files, err := nixgen.Generate(nixgen.Host{Name: "pi", Env: s.env, Secrets: s.secrets, Stacks: []*compose.Stack{stack}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("compose.yaml", []byte(s.yaml))
	write("override.yaml", files["s.override.yaml"])
	write("host.env", files["host.env"])
	for name, content := range s.files {
		write(name, []byte(content))
	}
	var values strings.Builder
	for name, version := range s.secrets {
		fmt.Fprintf(&values, "%s=value-%s\n", name, version)
	}
	write("secrets.env", []byte(values.String()))
	args := []string{"--project-name", "s", "--project-directory", dir, "--file", filepath.Join(dir, "compose.yaml"), "--file", filepath.Join(dir, "override.yaml")}
	if _, has := s.files[".env"]; has {
		args = append(args, "--env-file", filepath.Join(dir, ".env"))
	}
	args = append(args, "--env-file", filepath.Join(dir, "host.env"), "--env-file", filepath.Join(dir, "secrets.env"), "config", "--hash", "*")
	command := exec.Command(program, args...)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	var errs strings.Builder
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	found := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, hash, _ := strings.Cut(line, " ")
		found[name] = hash
	}
	return found
}

// besideTheHash tells of a cause that Compose finds by looking at networks,
// volumes and other containers.
func besideTheHash(cause string) bool {
	return strings.HasPrefix(cause, "network ") || strings.HasPrefix(cause, "volume ") || strings.HasPrefix(cause, "it lives in ")
}

// TestAgreesWithCompose: a container is made anew for exactly those services
// whose hash the real Docker Compose computes as another.
func TestAgreesWithCompose(t *testing.T) {
	program := realCompose(t)
	for _, c := range cases {
		if c.before.yaml == "" || c.after.yaml == "" || c.name == "whether an env file is required" {
			continue // "config --hash" of 5.1 hashes env_file as written; "up" reads env files before
		}
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "s")
			before, after := c.before.hashes(t, program, dir), c.after.hashes(t, program, dir)
			effects := map[string]changes.Service{}
			for _, s := range between(c.before.mustLoad(t), c.after.mustLoad(t)).Services {
				effects[s.Name] = s
			}
			for name, hash := range after {
				old, had := before[name]
				s := effects[name]
				if !had || len(s.Causes) > 0 && !slices.ContainsFunc(s.Causes, func(cause string) bool { return !besideTheHash(cause) }) {
					continue
				}
				if predicted := s.Effect == changes.Recreate || s.Effect == changes.Pull; predicted != (hash != old) {
					t.Errorf("%s: effect %q, and its hash is another: %t", name, s.Effect, hash != old)
				}
			}
		})
	}
}
