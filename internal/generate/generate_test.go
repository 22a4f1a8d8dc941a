package generate_test

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pistack/compose"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/git"
	"pistack/internal/memo"
	"pistack/secrets"
)

const (
	hostToml = "address = \"pi.local\"\nsystem = \"aarch64-linux\"\nstacks = [\"chat\"]\n[env]\nTZ = \"UTC\"\n"
	chat     = "services:\n  web:\n    image: x\n    environment: {TOKEN: $KEY, TZ: $TZ}\n    volumes: [\"./site:/site\", \"./data:/data\"]\n"
	age      = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
)

// repository is a fleet of one host in Git. All tests remember results: none may
// be an old one.
type repository struct {
	t           *testing.T
	root, cache string
}

func newRepository(t *testing.T) repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git not on PATH")
	}
	for _, name := range []string{"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"} {
		t.Setenv(name, os.DevNull)
	}
	for _, name := range []string{"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	r := repository{t, t.TempDir(), t.TempDir()}
	r.git("init", "--quiet")
	r.write("flake.nix", "{ }")
	r.write(".gitignore", "data\n")
	r.write("fleet.toml", "operators = [\""+age+"\"]\n")
	r.write("hosts/pi/host.toml", hostToml)
	r.write("stacks/chat/compose.yaml", chat)
	r.write("stacks/chat/site/index.html", "<html>")
	r.addSecret("KEY")
	r.git("add", "--all")
	return r
}

func (r repository) git(args ...string) {
	r.t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", r.root}, args...)...).CombinedOutput(); err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (r repository) path(file string) string { return filepath.Join(r.root, file) }

func (r repository) write(file, content string) {
	r.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(r.path(file)), 0o755), os.WriteFile(r.path(file), []byte(content), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

func (r repository) addSecret(name string) {
	r.t.Helper()
	reader, err := secrets.ParseReader("fleet.toml", age, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	store := secrets.Store{Root: r.root}
	a, err := store.Plan("pi", name, []byte("canary"), []secrets.Reader{reader}, true, time.Unix(0, 0))
	if err == nil {
		err = store.Apply(a)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// open reads the repository as it is now.
func (r repository) open() (*generate.Workspace, fleet.Host) {
	r.t.Helper()
	f, err := fleet.Load(r.root)
	if err != nil {
		r.t.Fatal(err)
	}
	w, err := generate.Open(r.t.Context(), f, memo.Open(r.cache))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { w.Close() })
	return w, f.Hosts[0]
}

func (r repository) load() (*generate.Workspace, generate.Result) {
	r.t.Helper()
	w, host := r.open()
	result, err := w.Host(r.t.Context(), host)
	if err != nil {
		r.t.Fatal(err)
	}
	return w, result
}

// plan is what would be done now, as lines.
func (r repository) plan() []string {
	r.t.Helper()
	w, result := r.load()
	changes, err := w.Plan(result)
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []string
	for _, c := range changes {
		lines = append(lines, string(c.Action)+" "+c.File)
	}
	return lines
}

func (r repository) apply() {
	r.t.Helper()
	w, result := r.load()
	if _, err := w.Write(r.t.Context(), []generate.Result{result}); err != nil {
		r.t.Fatal(err)
	}
	if left := r.plan(); len(left) > 0 {
		r.t.Errorf("after Apply: %q", left)
	}
}

func TestHost(t *testing.T) {
	r := newRepository(t)
	_, result := r.load()
	if compose.HasErrors(result.Findings) || len(result.Images) != 1 || !slices.Contains(result.Needed, "hosts/pi/secrets/KEY.age") {
		t.Fatalf("%+v", result)
	}
	names := slices.Sorted(maps.Keys(result.Files))
	if want := []string{"chat.override.yaml", "default.nix", "host.env"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
	for name, data := range result.Files {
		if strings.Contains(string(data), "canary") || strings.Contains(string(data), r.root) {
			t.Errorf("%s holds a value or a path of this machine:\n%s", name, data)
		}
	}
	if override := string(result.Files["chat.override.yaml"]); !strings.Contains(override, "source: /var/lib/pistack/chat/data\n") || strings.Contains(override, "site") {
		t.Errorf("override:\n%s", override)
	}
}

// TestRemembered: a second load takes the result of the first, which is the same
// to the last position.
func TestRemembered(t *testing.T) {
	r := newRepository(t)
	r.write("stacks/chat/compose.yaml", chat+"    privileged: true\n")
	_, first := r.load()
	entries, err := os.ReadDir(r.cache)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	before, err := os.Stat(filepath.Join(r.cache, entries[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	_, second := r.load()
	after, err := os.Stat(filepath.Join(r.cache, entries[0].Name()))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the host was computed again: %v", err)
	}
	fresh := r
	fresh.cache = t.TempDir()
	_, computed := fresh.load()
	if len(first.Findings) == 0 || !reflect.DeepEqual(first, second) || !reflect.DeepEqual(second, computed) {
		t.Errorf("first %+v\nsecond %+v\nwithout a memory %+v", first, second, computed)
	}
}

// TestPlanApply: nothing there, up to date, one thing changed after the other.
func TestPlanApply(t *testing.T) {
	r := newRepository(t)
	const dir = "hosts/pi/generated/"
	step := func(what string, want ...string) {
		t.Helper()
		if got := r.plan(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
		r.apply()
	}
	step("at first", "create "+dir+"chat.override.yaml", "create "+dir+"default.nix", "create "+dir+"host.env")
	step("again")
	r.write(dir+"host.env", "edited by hand\n")
	step("edited by hand", "update "+dir+"host.env")
	r.write(dir+"stale.nix", "{ }")
	r.write(dir+"folder/x", "x")
	step("foreign files", "delete "+dir+"folder", "delete "+dir+"stale.nix")
	r.addSecret("KEY")
	step("new value of a secret", "update "+dir+"chat.override.yaml", "update "+dir+"default.nix")
	r.write("stacks/chat/site/index.html", "<html lang=en>")
	step("content of a mounted file", "update "+dir+"chat.override.yaml")
	r.write("stacks/chat/data/rows", "x")
	step("state")
	r.addSecret("UNUSED")
	step("new secret", "update "+dir+"default.nix")
	r.write("hosts/pi/host.toml", strings.Replace(hostToml, "UTC", "CET", 1))
	step("variable of the host", "update "+dir+"host.env")
	r.write("hosts/pi/host.toml", strings.Replace(hostToml, `stacks = ["chat"]`, "", 1))
	step("stack taken away", "delete "+dir+"chat.override.yaml", "update "+dir+"default.nix", "update "+dir+"host.env")
	if err := os.RemoveAll(r.path(dir)); err != nil {
		t.Fatal(err)
	}
	step("folder removed", "create "+dir+"default.nix", "create "+dir+"host.env")
	files, err := os.ReadDir(r.path(dir))
	if err != nil || len(files) != 2 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}

// TestSymlinks: nothing is removed or written where a symlink leads.
func TestSymlinks(t *testing.T) {
	for _, link := range []string{"hosts", "hosts/pi", "hosts/pi/generated"} {
		t.Run(link, func(t *testing.T) {
			r := newRepository(t)
			w, result := r.load()
			r.write("hosts/pi/generated/default.nix", "old")
			elsewhere := filepath.Join(t.TempDir(), "elsewhere")
			if err := errors.Join(os.Rename(r.path(link), elsewhere), os.Symlink(elsewhere, r.path(link))); err != nil {
				t.Fatal(err)
			}
			photos := filepath.Join(elsewhere, "photos")
			if err := os.WriteFile(photos, []byte("mine"), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(t.Context(), []generate.Result{result}); err == nil || !strings.HasPrefix(err.Error(), link+": is a symlink") {
				t.Errorf("error %v", err)
			}
			old, err := os.ReadFile(r.path("hosts/pi/generated/default.nix"))
			if _, gone := os.Stat(photos); gone != nil || err != nil || string(old) != "old" {
				t.Errorf("changed elsewhere: %v, %v, %s", gone, err, old)
			}
		})
	}
	t.Run("a generated file", func(t *testing.T) {
		r := newRepository(t)
		r.apply()
		const file = "hosts/pi/generated/host.env"
		data, err := os.ReadFile(r.path(file))
		elsewhere := filepath.Join(t.TempDir(), "host.env")
		if err := errors.Join(err, os.WriteFile(elsewhere, data, 0o644), os.Remove(r.path(file)), os.Symlink(elsewhere, r.path(file))); err != nil {
			t.Fatal(err)
		}
		if got, want := r.plan(), []string{"update " + file}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		r.apply()
		if info, err := os.Lstat(r.path(file)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%v, %v", info, err)
		}
	})
}

// TestTurns: who writes at the same time is not in the way of others, and leaves
// nothing behind; nor does who was killed.
func TestTurns(t *testing.T) {
	r := newRepository(t)
	r.write("hosts/.pistack-new/files/hosts/pi/generated/default.nix", "of a killed run")
	w, result := r.load()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := w.Write(t.Context(), []generate.Result{result}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if left := r.plan(); len(left) > 0 {
		t.Errorf("still to do: %q", left)
	}
	if entries, err := os.ReadDir(r.path("hosts")); err != nil || len(entries) != 1 {
		t.Errorf("hosts holds %v, %v", entries, err)
	}
}

// TestErrors: with an error in a stack there is nothing to write.
func TestErrors(t *testing.T) {
	r := newRepository(t)
	r.write("stacks/chat/compose.yaml", chat+"    command: $NOPE\n")
	_, result := r.load()
	if len(result.Findings) != 1 || !compose.HasErrors(result.Findings) || result.Files != nil || result.Needed != nil || result.Images != nil {
		t.Errorf("%+v", result)
	}
	t.Run("broken secret", func(t *testing.T) {
		r := newRepository(t)
		r.write("hosts/pi/secrets/KEY.age", "x")
		w, host := r.open()
		if _, err := w.Host(t.Context(), host); err == nil || err.Error() != "hosts/pi/secrets/KEY.age: is not an armored age file, or is damaged" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("not in Git", func(t *testing.T) {
		r := newRepository(t)
		t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(r.root))
		if err := os.RemoveAll(r.path(".git")); err != nil {
			t.Fatal(err)
		}
		f, err := fleet.Load(r.root)
		if err != nil {
			t.Fatal(err)
		}
		_, err = generate.Open(t.Context(), f, nil)
		var none *git.NotARepository
		if !errors.As(err, &none) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("symlink out of the repository", func(t *testing.T) {
		r := newRepository(t)
		outside := filepath.Join(t.TempDir(), "compose.yaml")
		if err := errors.Join(os.WriteFile(outside, []byte(chat), 0o644), os.Remove(r.path("stacks/chat/compose.yaml")), os.Symlink(outside, r.path("stacks/chat/compose.yaml"))); err != nil {
			t.Fatal(err)
		}
		_, result := r.load()
		if len(result.Findings) != 1 || result.Findings[0].Code != compose.CodePath {
			t.Errorf("findings %v", result.Findings)
		}
	})
}

// TestNotTracked: a flake would not see these files.
func TestNotTracked(t *testing.T) {
	r := newRepository(t)
	missing := func() []string {
		w, result := r.load()
		return w.NotTracked(result)
	}
	r.apply()
	want := []string{"hosts/pi/generated/chat.override.yaml", "hosts/pi/generated/default.nix", "hosts/pi/generated/host.env"}
	if got := missing(); !slices.Equal(got, want) {
		t.Errorf("generated: %q, want %q", got, want)
	}
	r.git("add", "--all")
	if got := missing(); len(got) != 0 {
		t.Errorf("all added: %q", got)
	}
	r.addSecret("NEW")
	if got, want := missing(), []string{"hosts/pi/secrets/NEW.age"}; !slices.Equal(got, want) {
		t.Errorf("secret: %q, want %q", got, want)
	}
	r.git("add", "--all")
	r.git("rm", "--quiet", "--cached", "stacks/chat/compose.yaml", "hosts/pi/host.toml", "flake.nix")
	if got, want := missing(), []string{"flake.nix", "hosts/pi/host.toml", "stacks/chat/compose.yaml"}; !slices.Equal(got, want) {
		t.Errorf("removed from the index: %q, want %q", got, want)
	}
}

// TestTwoClones: what is generated depends on nothing but the repository.
func TestTwoClones(t *testing.T) {
	first := newRepository(t)
	second := repository{t, filepath.Join(t.TempDir(), "another place"), t.TempDir()}
	if err := os.CopyFS(second.root, os.DirFS(first.root)); err != nil {
		t.Fatal(err)
	}
	_, a := first.load()
	t.Setenv("TZ", "Asia/Tokyo")
	t.Setenv("HOME", "/nowhere")
	_, b := second.load()
	if len(a.Files) == 0 || !maps.EqualFunc(a.Files, b.Files, slices.Equal) {
		t.Errorf("two clones differ:\n%s\n%s", a.Files, b.Files)
	}
}
