package compose_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"pistack/compose"
)

var update = flag.Bool("update", false, "write the golden files")

// A file of testdata/cases is a stack: a comment, its files by their path from
// the stack's folder, and at the end what Load makes of it. The first word of
// the comment says what Docker Compose makes of it, "accepts" or "rejects"; a
// line that begins with "stricter:" says why Load refuses it anyway.
type testCase struct {
	name    string
	archive *txtar.Archive
	stack   stack
	want    string
}

const wantFile = "want"

func cases(t *testing.T) []testCase {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases: ", err)
	}
	var all []testCase
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := testCase{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), archive: a}
		c.stack.files = map[string]string{}
		c.stack.secrets = map[string]string{"KEY": "v1"}
		c.stack.ignored = []string{"data", "../common/data"}
		for _, f := range a.Files {
			if f.Name == wantFile {
				c.want = string(f.Data)
			} else {
				c.stack.files[f.Name] = string(f.Data)
			}
		}
		all = append(all, c)
	}
	return all
}

func (c testCase) accepted() bool { return strings.HasPrefix(string(c.archive.Comment), "accepts") }

func (c testCase) stricter() bool { return strings.Contains(string(c.archive.Comment), "\nstricter:") }

// result is the findings, what the device needs, and the model.
func result(t *testing.T, loaded *compose.Stack, findings []compose.Finding) string {
	out := text(findings)
	if loaded == nil {
		return out
	}
	out += fmt.Sprintf("files: %s\n", strings.Join(loaded.Files, " "))
	for _, s := range loaded.Services {
		out += fmt.Sprintf("service %s: image %q, state %v, resets %v, secrets %v\n", s.Name, s.Image, s.State, s.Resets, s.Secrets)
	}
	model, err := loaded.Project.MarshalYAML()
	if err != nil {
		t.Fatal(err)
	}
	return out + compose.Redact(string(model))
}

// TestCases holds every feature to its model, byte for byte.
func TestCases(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.name, func(t *testing.T) {
			loaded, findings := c.stack.load(t)
			got := result(t, loaded, findings)
			if wantLoaded := c.accepted() && !c.stricter(); (loaded != nil) != wantLoaded {
				t.Errorf("loaded: %t, want %t\n%s", loaded != nil, wantLoaded, text(findings))
			}
			if *update {
				c.update(t, got)
			} else if got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func (c testCase) update(t *testing.T, got string) {
	c.archive.Files = slices.DeleteFunc(c.archive.Files, func(f txtar.File) bool { return f.Name == wantFile })
	c.archive.Files = append(c.archive.Files, txtar.File{Name: wantFile, Data: []byte(got)})
	if err := os.WriteFile("testdata/cases/"+c.name+".txtar", txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// realCompose is a Docker Compose to compare with: the program that
// PISTACK_COMPOSE names, or the plugin of docker.
func realCompose(t *testing.T) []string {
	if program := os.Getenv("PISTACK_COMPOSE"); program != "" {
		return []string{program}
	}
	if exec.Command("docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}
	}
	t.Skip("no Docker Compose: set PISTACK_COMPOSE to one")
	return nil
}

// config runs the real Compose on a stack, in its folder.
func config(compose []string, dir string, env map[string]string, args ...string) ([]byte, error) {
	files := []string{}
	for _, name := range []string{"compose.yaml", "compose.pi.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			files = append(files, "-f", name)
		}
	}
	argv := slices.Concat(compose, []string{"--all-resources", "-p", "s"}, files, []string{"config"}, args)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return out, err
}

// TestCasesConform: the real Compose accepts and rejects the same stacks, and
// makes the same model of them.
func TestCasesConform(t *testing.T) {
	if os.Getenv("PISTACK_COMPOSE") == "" {
		t.Skip("set PISTACK_COMPOSE to Docker Compose " + compose.DeviceCompose)
	}
	program := realCompose(t)
	for _, c := range cases(t) {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, c.stack)
			dir := filepath.Join(root, "stacks/s")
			env := map[string]string{}
			for name, version := range c.stack.secrets {
				env[name] = "⟦secret " + name + " " + version + "⟧"
			}
			out, err := config(program, dir, env, "--format", "json", "--no-env-resolution")
			if (err == nil) != c.accepted() {
				t.Fatalf("Compose: %v", err)
			}
			loaded, _ := c.stack.load(t)
			if err != nil || loaded == nil {
				return
			}
			ours, err := loaded.Project.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := comparable(t, ours, "stacks/s"), comparable(t, afterConfig(out, root), ""); !reflect.DeepEqual(got, want) {
				t.Errorf("ours (+) is not Compose's (-):\n%s", differing(indented(got), indented(want)))
			}
		})
	}
}

func write(t *testing.T, root string, s stack) {
	for name, content := range s.files {
		file := filepath.Join(root, "stacks/s", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func indented(v any) string {
	out, _ := json.MarshalIndent(v, "", "  ")
	return string(out)
}

// afterConfig undoes what "config" does so that its output can be read again,
// and names the repository as the other model does.
func afterConfig(out []byte, root string) []byte {
	out = bytes.ReplaceAll(out, []byte("$$"), []byte("$"))
	return bytes.ReplaceAll(out, []byte(root+"/"), []byte("/repository/"))
}

// differing lists the lines that only one of two texts has.
func differing(got, want string) string {
	var out strings.Builder
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for _, line := range w {
		if !slices.Contains(g, line) {
			out.WriteString("-" + line + "\n")
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			out.WriteString("+" + line + "\n")
		}
	}
	return out.String()
}

// comparable is a model with the paths of the repository in one form, and
// without what Compose resolves from files.
func comparable(t *testing.T, model []byte, dir string) any {
	var v map[string]any
	if err := json.Unmarshal(model, &v); err != nil {
		t.Fatal(err)
	}
	services, _ := v["services"].(map[string]any)
	for _, s := range services {
		s, _ := s.(map[string]any)
		if s["label_file"] != nil {
			delete(s, "labels")
		}
		delete(s, "pre_start") // newer versions write into it what it inherits
	}
	return samePaths(v, dir, nil)
}

var pathPattern = regexp.MustCompile(`^(services\.[^.]+\.(volumes\.\d+\.source|env_file\.\d+(\.path)?|label_file\.\d+|build\.context|build\.additional_contexts\.[^.]+|develop\.watch\.\d+\.path)|(configs|secrets)\.[^.]+\.file)$`)

func samePaths(v any, dir string, at []string) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = samePaths(value, dir, append(at, key))
		}
	case []any:
		for i, value := range v {
			v[i] = samePaths(value, dir, append(at, fmt.Sprint(i)))
		}
	case string:
		bind := len(at) != 5 || at[2] != "volumes" || strings.ContainsAny(v, "./")
		if dir != "" && bind && pathPattern.MatchString(strings.Join(at, ".")) && !path.IsAbs(v) && !strings.Contains(v, ":") {
			return path.Join("/repository", dir, v)
		}
	}
	return v
}

// lenient are the codes of what Compose does not mind.
var lenient = []compose.Code{
	compose.CodeUndefined, compose.CodeMissing, compose.CodeLeak, compose.CodeInEnv, compose.CodeOwner,
	compose.CodePath, compose.CodeUntracked, compose.CodeUnsupported,
}

var undefinedVariable = regexp.MustCompile(`^variable (\S+) is not defined`)

// TestCorpus: for every Compose file of the folder that PISTACK_CORPUS names,
// Load and the real Compose agree whether it is one.
func TestCorpus(t *testing.T) {
	corpus := os.Getenv("PISTACK_CORPUS")
	if corpus == "" {
		t.Skip("set PISTACK_CORPUS to a folder of Compose files")
	}
	program := realCompose(t)
	total := 0
	err := filepath.WalkDir(corpus, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !slices.Contains([]string{".yml", ".yaml"}, filepath.Ext(file)) {
			return err
		}
		total++
		t.Run(strings.TrimPrefix(file, corpus), func(t *testing.T) { conforms(t, program, file) })
		return nil
	})
	if err != nil || total == 0 {
		t.Fatalf("%d files, %v", total, err)
	}
}

func conforms(t *testing.T, program []string, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := stack{files: one(string(data)), env: map[string]string{}, ignored: []string{"data"}}
	root := t.TempDir()
	write(t, root, s)
	src := s.source()
	src.Ignored = func(string) (bool, error) { return true, nil }
	_, findings := compose.Load(t.Context(), src)
	for _, f := range findings { // Compose takes the empty string for what nothing defines
		if m := undefinedVariable.FindStringSubmatch(f.Message); m != nil {
			s.env[m[1]] = ""
		}
	}
	src.Env = maps.Clone(s.env)
	_, findings = compose.Load(t.Context(), src)
	findings = slices.DeleteFunc(findings, func(f compose.Finding) bool { return slices.Contains(lenient, f.Code) })
	_, err = config(program, filepath.Join(root, "stacks/s"), s.env, "-q", "--no-env-resolution")
	if err != nil && strings.Contains(err.Error(), "label file") {
		return // beside the file, and not in the corpus
	}
	if (err == nil) != (len(findings) == 0) {
		t.Errorf("Compose: %v\nours:\n%s", err, text(findings))
	}
}
