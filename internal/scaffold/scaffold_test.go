package scaffold_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v4"

	"pistack/internal/fleet"
	"pistack/internal/scaffold"
)

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPti/ekoVsgnQb4HZSWCGReKiRNKJFfb6QU/rsqMRh4K me@laptop"

func firstHost() scaffold.Host {
	return scaffold.Host{Name: "pi-01", Address: "pi-01.local", System: "aarch64-linux", Board: "rpi4", Stacks: []string{"hello"}, Open: []string{"any"}}
}

func newFleet() scaffold.Fleet {
	return scaffold.Fleet{Source: scaffold.Source, Operators: []string{key}, AuthorizedKeys: []string{key}, BuildSystem: "x86_64-linux", CI: scaffold.GitHub, Host: firstHost()}
}

// TestTemplate: what nix flake init -t copies is what pistack init prints.
func TestTemplate(t *testing.T) {
	template, err := scaffold.Template()
	if err != nil {
		t.Fatal(err)
	}
	host, err := firstHost().Files()
	if err != nil {
		t.Fatal(err)
	}
	stack, err := scaffold.Stack{Name: scaffold.FirstStack, Image: scaffold.DefaultImage, Port: scaffold.DefaultPort, Published: 8080}.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(host, stack...) {
		text, err := fs.ReadFile(template, f.Path)
		if err != nil || string(text) != f.Text {
			t.Errorf("%s is printed as\n%s\nand the folder has\n%s%v", f.Path, f.Text, text, err)
		}
	}
	flake, err := fs.ReadFile(template, "flake.nix")
	if err != nil || !strings.Contains(string(flake), `"`+scaffold.Source+`"`) {
		t.Errorf("flake.nix does not name %s: %v", scaffold.Source, err)
	}
}

// TestFleet: every change of a line finds its line, and the result is a fleet.
func TestFleet(t *testing.T) {
	f := newFleet()
	f.Source, f.Operators, f.BuildSystem = "git+https://example.org/p?ref=x", []string{key, "age1 \"\\\n\x00"}, "aarch64-darwin"
	f.Host.Name = "kitchen"
	files, err := f.Files()
	if err != nil {
		t.Fatal(err)
	}
	memory := fstest.MapFS{}
	var paths []string
	for _, file := range files {
		memory[file.Path] = &fstest.MapFile{Data: []byte(file.Text)}
		paths = append(paths, file.Path)
	}
	loaded, err := fleet.LoadFS(memory, "")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(loaded.Operators, f.Operators) || !slices.Equal(loaded.HostNames(), []string{"kitchen"}) || !slices.Equal(loaded.Stacks, []string{"hello"}) {
		t.Errorf("%+v", loaded)
	}
	for path, want := range map[string]string{
		"flake.nix": `pistack.url = "git+https://example.org/p?ref=x";`, "authorized_keys": "\n" + key + "\n", "fleet.toml": `build_system = "aarch64-darwin"`,
	} {
		if !strings.Contains(string(memory[path].Data), want) {
			t.Errorf("%s lacks %q:\n%s", path, want, memory[path].Data)
		}
	}
	if !slices.IsSorted(paths) || !slices.Contains(paths, scaffold.GitHub.Workflow()) {
		t.Errorf("paths %v", paths)
	}
	for ci, more := range map[scaffold.CI]int{scaffold.NoCI: -1, scaffold.Forgejo: 1, scaffold.GitLab: 1} {
		f.CI = ci
		got, err := f.Files()
		has := func(path string) bool {
			return slices.ContainsFunc(got, func(f scaffold.File) bool { return f.Path == path })
		}
		if err != nil || len(got) != len(files)+more || has(scaffold.GitHub.Workflow()) || ci != scaffold.NoCI && !has(ci.Workflow()) {
			t.Errorf("%s: %d files, %d for GitHub: %v", ci, len(got), len(files), err)
		}
	}
	for _, source := range []string{"", `x";`, "${x}", "-x", "a b"} {
		f.Source = source
		if _, err := f.Files(); err == nil {
			t.Errorf("%q is taken for a flake reference", source)
		}
	}
}

func FuzzHost(f *testing.F) {
	f.Add("pi.local", "rpi4", "ai", "any")
	f.Add("\"\\\n\x00\x7f", "ü\u2028", "'''", "#")
	f.Fuzz(func(t *testing.T, address, board, role, open string) {
		for _, text := range []*string{&address, &board, &role, &open} {
			*text = strings.ToValidUTF8(*text, "?") // TOML is UTF-8
		}
		var got struct {
			Address, System, Board string
			Roles, Open            []string
		}
		text := scaffold.Host{Address: address, System: "s", Board: board, Roles: []string{role, role}, Open: []string{open}}.TOML()
		if _, err := toml.Decode(text, &got); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if got.Address != address || got.Board != board || !slices.Equal(got.Roles, []string{role, role}) || !slices.Equal(got.Open, []string{open}) {
			t.Errorf("%+v from\n%s", got, text)
		}
	})
}

func FuzzStack(f *testing.F) {
	f.Add("hello", scaffold.DefaultImage, 80, 8080)
	f.Add("no", "12:30", 1, 1)
	f.Add("3d", "null", 0, 0)
	f.Add("1e3", "a: b #c", 65535, 1)
	f.Fuzz(func(t *testing.T, name, image string, port, published int) {
		files, err := scaffold.Stack{Name: name, Image: image, Port: port, Published: published}.Files()
		if err != nil {
			return
		}
		var got struct {
			Services map[string]struct {
				Image any
				Ports []any
			}
		}
		text := files[len(files)-1].Text
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if len(got.Services) != 1 || got.Services[name].Image != image || len(got.Services[name].Ports) != min(port, 1) {
			t.Errorf("%+v of %q from\n%s", got, name, text)
		}
	})
}

func TestStackCheck(t *testing.T) {
	for _, s := range []scaffold.Stack{
		{Name: "Web", Image: "a"}, {Name: "../x", Image: "a"}, {Name: "", Image: "a"}, {Name: "secrets", Image: "a"},
		{Name: "web", Image: ""}, {Name: "web", Image: "-x"}, {Name: "web", Image: "a b"}, {Name: "web", Image: "a/b@sha256:abc"}, {Name: "web", Image: "App:1"}, {Name: "web", Image: "a:"}, {Name: "web", Image: "a", Port: 65536}, {Name: "web", Image: "a", Published: -1},
	} {
		if files, err := s.Files(); err == nil {
			t.Errorf("%+v is taken: %v", s, files)
		}
	}
}

// TestWriteFails: whatever cannot be placed, what was there stays and nothing new does.
func TestWriteFails(t *testing.T) {
	files := []scaffold.File{{Path: "a/one", Text: "1"}, {Path: "b", Text: "2"}, {Path: "hosts/new/host.toml", Text: "3"}, {Path: "z/taken", Text: "4"}}
	root := filepath.Join(t.TempDir(), "above", "fleet")
	if err := scaffold.Write(t.Context(), root, files); err != nil {
		t.Fatal(err)
	}
	wantTree(t, root, "a/one=1 b=2 hosts/new/host.toml=3 z/taken=4")
	for _, d := range []string{"a", "b", "hosts/new"} {
		if err := os.RemoveAll(filepath.Join(root, d)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "hosts", "old"), []byte("5"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Write(t.Context(), root, files); err == nil || err.Error() != "z/taken exists already" {
		t.Errorf("error %v", err)
	}
	wantTree(t, root, "hosts/old=5 z/taken=4")
}

// TestWriteNowhere: folders that were made for a fleet that cannot be written go.
func TestWriteNowhere(t *testing.T) {
	base := t.TempDir()
	bad := []scaffold.File{{Path: "a", Text: "1"}, {Path: "a/b", Text: "a file is no folder"}}
	if err := scaffold.Write(t.Context(), filepath.Join(base, "x", "y"), bad); err == nil {
		t.Fatal("a file became a folder")
	}
	if _, err := os.Stat(filepath.Join(base, "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("x is still there: %v", err)
	}
}

// TestWriteAfterKill: a run that was killed keeps nobody from the folder.
func TestWriteAfterKill(t *testing.T) {
	root := t.TempDir()
	left := filepath.Join(root, ".pistack-new", "files", "hosts")
	if err := errors.Join(os.MkdirAll(left, 0o755), os.WriteFile(filepath.Join(left, "x"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := scaffold.CheckEmpty(root); err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Write(t.Context(), root, []scaffold.File{{Path: "a", Text: "1"}}); err != nil {
		t.Fatal(err)
	}
	wantTree(t, root, "a=1")
	if err := scaffold.CheckEmpty(root); err == nil {
		t.Error("a folder with a file is empty")
	}
}

// TestWriteTogether: of several who write the same, one does and the others are
// told; nobody's files are removed.
func TestWriteTogether(t *testing.T) {
	root := t.TempDir()
	var written atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			err := scaffold.Write(t.Context(), root, []scaffold.File{{Path: "a/x", Text: "1"}, {Path: "b", Text: "2"}})
			switch {
			case err == nil:
				written.Add(1)
			case err.Error() != "a/x exists already":
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := written.Load(); n != 1 {
		t.Errorf("%d have written", n)
	}
	wantTree(t, root, "a/x=1 b=2")
}

// wantTree compares all files below root, "path=text" by path.
func wantTree(t *testing.T, root, want string) {
	t.Helper()
	var got []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		got = append(got, path+"="+string(text))
		return err
	})
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("tree %v, want %s; %v", got, want, err)
	}
}

// TestReservedNames: what the module refuses as the name of a stack is not offered
// as one.
func TestReservedNames(t *testing.T) {
	module, err := os.ReadFile("../../modules/pistack/assertions.nix")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)reservedNames = \[(.*?)\]`).FindSubmatch(module)
	if list == nil {
		t.Fatal("the module has no list of reserved names")
	}
	names := regexp.MustCompile(`"(.*?)"`).FindAllSubmatch(list[1], -1)
	if len(names) == 0 {
		t.Fatal("the list of reserved names is empty")
	}
	for _, name := range names {
		s := scaffold.Stack{Name: string(name[1]), Image: scaffold.DefaultImage}
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), "a unit of pistack itself") {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}
