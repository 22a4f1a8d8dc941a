package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pistack/compose/changes"
	"pistack/internal/git"
)

// repository is a fleet in Git.
type repository struct {
	t    *testing.T
	root string
}

const operator = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

func newRepository(t *testing.T, files map[string]string) repository {
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
	r := repository{t, t.TempDir()}
	r.git("init", "--quiet")
	r.write("fleet.toml", "operators = [\""+operator+"\"]\n")
	for name, content := range files {
		r.write(name, content)
	}
	r.commit()
	return r
}

func (r repository) git(args ...string) {
	r.t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", r.root}, args...)...).CombinedOutput(); err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (r repository) commit() {
	r.t.Helper()
	r.git("add", "--all")
	r.git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--allow-empty", "--message", "c")
}

// write makes a file; without content it removes one.
func (r repository) write(file, content string) {
	r.t.Helper()
	path := filepath.Join(r.root, file)
	var err error
	if content == "" {
		err = os.RemoveAll(path)
	} else {
		err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644))
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// compare gives the report of the work tree against HEAD, and how many stacks
// were loaded for it. It also checks that what was not loaded is the same, and
// that a commit of the work tree gives the same report.
func (r repository) compare(selectors ...string) (Report, int) {
	r.t.Helper()
	report, loaded := r.report("", false, selectors)
	whole, _ := r.report("", true, selectors)
	if report.Nix, whole.Nix = nil, nil; !reflect.DeepEqual(report, whole) {
		r.t.Errorf("some stacks:\n%+v\nall stacks:\n%+v", report, whole)
	}
	return report, loaded
}

func (r repository) report(head string, all bool, selectors []string) (Report, int) {
	r.t.Helper()
	p, err := Open(context.Background(), r.root, cmp.Or(map[bool]string{true: "HEAD~"}[head != ""], "HEAD"), head)
	if err != nil {
		r.t.Fatal(err)
	}
	defer p.Close()
	if all {
		p.differ = git.FilesOf(slices.Concat(p.Base.Tracked.All(), p.Head.Tracked.All(), p.differ.All()))
	}
	report, w, err := hosts(r.t.Context(), p, selectors)
	if err != nil {
		r.t.Fatal(err)
	}
	return report, len(w.jobs)
}

// lines is a report in short.
func lines(r Report) []string {
	var out []string
	for _, h := range r.Hosts {
		for _, d := range h.Dangers {
			out = append(out, fmt.Sprintf("! %s %s", h.Name, d.Code))
		}
		for _, d := range h.Settings {
			out = append(out, fmt.Sprintf("%s %s", h.Name, d.Path))
		}
		for _, s := range h.Secrets {
			out = append(out, fmt.Sprintf("%s secret %s %s", h.Name, s.Name, s.Change))
		}
		for _, s := range h.Stacks {
			for _, service := range s.Services {
				out = append(out, fmt.Sprintf("%s %s/%s %s", h.Name, s.Name, service.Name, service.Effect))
			}
		}
	}
	for _, f := range r.Findings {
		out = append(out, fmt.Sprintf("%s: %s %s", f.Side, f.File, f.Code))
	}
	return out
}

func host(stacks ...string) string {
	return fmt.Sprintf("address = \"x.local\"\nsystem = \"aarch64-linux\"\nstacks = [%s]\n", `"`+strings.Join(stacks, `", "`)+`"`)
}

func image(tag string) string { return "services:\n  web:\n    image: x:" + tag + "\n" }

// example has three hosts, two of which share a stack.
func example(t *testing.T) repository {
	return newRepository(t, map[string]string{
		"hosts/a/host.toml": host("one", "shared"), "hosts/b/host.toml": host("two", "shared"), "hosts/c/host.toml": host("three"),
		"stacks/one/compose.yaml": image("1"), "stacks/two/compose.yaml": image("1"), "stacks/three/compose.yaml": image("1"),
		"stacks/shared/compose.yaml": image("1"), ".gitignore": "state\n",
	})
}

// TestHosts: what differs is compared, and not much more is loaded.
func TestHosts(t *testing.T) {
	for _, c := range []struct {
		name   string
		write  map[string]string
		loaded int
		want   []string
	}{
		{"nothing", nil, 0, nil},
		{"one stack", map[string]string{"stacks/one/compose.yaml": image("2")}, 1, []string{"a one/web pull"}},
		{"a shared stack is loaded once", map[string]string{"stacks/shared/compose.yaml": image("2")}, 1, []string{"a shared/web pull", "b shared/web pull"}},
		{"an override for one host", map[string]string{"stacks/shared/compose.b.yaml": image("2")}, 2, []string{"b shared/web pull"}},
		{"a variable of one host", map[string]string{"hosts/a/host.toml": host("one", "shared") + "[env]\nA = \"1\"\n"}, 2, []string{"a env.A"}},
		{"an address", map[string]string{"hosts/a/host.toml": strings.Replace(host("one", "shared"), "x.local", "y.local", 1)}, 0, []string{"a address"}},
		{"a stack comes and one goes", map[string]string{"hosts/c/host.toml": host("one")}, 2, []string{"! c stack-moved", "c stacks", "c one/web create", "c three/web remove"}[1:]},
		{"a stack moves", map[string]string{"hosts/a/host.toml": host("shared"), "hosts/c/host.toml": host("one", "three")}, 2, []string{"a stacks", "a one/web remove", "! c stack-moved", "c stacks", "c one/web create"}},
		{"a host comes", map[string]string{"hosts/d/host.toml": host("one")}, 1, []string{"d one/web create"}},
		{"a host goes", map[string]string{"hosts/c/host.toml": ""}, 1, []string{"c three/web remove"}},
		{"state of a stack", map[string]string{"stacks/one/state/file": "x"}, 0, nil},
		{"a new file that is not tracked", map[string]string{"stacks/one/compose.a.yaml": image("2")}, 1, []string{"a one/web pull"}},
		{".gitignore", map[string]string{".gitignore": "other\n"}, 4, nil},
		{"files of no stack", map[string]string{"README": "x", "stacks/none/file": "x", "hosts/a/generated/x": "y"}, 0, nil},
		{"an error in the new version", map[string]string{"stacks/one/compose.yaml": "services: [", "stacks/two/compose.yaml": image("2")}, 2,
			[]string{"b two/web pull", "head: stacks/one/compose.yaml syntax"}},
		{"an error in host.toml takes nothing away", map[string]string{"hosts/a/host.toml": "adress = 1\n", "stacks/two/compose.yaml": image("2")}, 1,
			[]string{"b two/web pull", "head: hosts/a/host.toml fleet"}},
		{"an error in fleet.toml", map[string]string{"fleet.toml": "operator = []\n", "stacks/two/compose.yaml": image("2")}, 1,
			[]string{"b two/web pull", "head: fleet.toml fleet"}},
		{"what is no secret", map[string]string{"hosts/a/secrets/X.age": "x"}, 0, []string{"head: hosts/a/secrets/X.age secret"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := example(t)
			for file, content := range c.write {
				r.write(file, content)
			}
			report, loaded := r.compare()
			if got := lines(report); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if loaded != c.loaded {
				t.Errorf("%d stacks loaded, want %d", loaded, c.loaded)
			}
			r.commit()
			committed, _ := r.report("HEAD", false, nil)
			if got := lines(committed); !slices.Equal(got, c.want) {
				t.Errorf("committed: got %q, want %q", got, c.want)
			}
		})
	}
}

// TestMended: an error of the base is told, and does not hide what is new.
func TestMended(t *testing.T) {
	r := example(t)
	r.write("stacks/one/compose.yaml", "services: [")
	r.write("hosts/b/host.toml", "x")
	r.commit()
	r.write("stacks/one/compose.yaml", image("1"))
	r.write("hosts/b/host.toml", host("two"))
	r.write("stacks/three/compose.yaml", image("2"))
	report, _ := r.compare()
	if n := report.Failed(); n != 0 {
		t.Errorf("%d errors of the new version", n)
	}
	want := []string{"c three/web pull", "base: hosts/b/host.toml fleet", "base: stacks/one/compose.yaml syntax"}
	if got := lines(report); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSelectors(t *testing.T) {
	r := example(t)
	r.write("stacks/shared/compose.yaml", image("2"))
	r.write("hosts/c/host.toml", "")
	report, _ := r.compare("b", "c")
	if got := lines(report); !slices.Equal(got, []string{"b shared/web pull", "c three/web remove"}) || report.Compared != 2 {
		t.Errorf("got %q of %d hosts", got, report.Compared)
	}
}

// TestNoCommit: there has to be something to compare with.
func TestNoCommit(t *testing.T) {
	r := example(t)
	if err := os.RemoveAll(filepath.Join(r.root, ".git")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(r.root))
	_, err := Open(t.Context(), r.root, "HEAD", "")
	var none *git.NotARepository
	if !errors.As(err, &none) {
		t.Errorf("error %v", err)
	}
	r.git("init", "--quiet")
	_, err = Open(t.Context(), r.root, "HEAD", "")
	var unborn *git.NoRevision
	if !errors.As(err, &unborn) {
		t.Errorf("error %v", err)
	}
}

// TestReach: a difference reaches a stack by every way that leads there.
func TestReach(t *testing.T) {
	r := newRepository(t, map[string]string{
		"stacks/own/compose.yaml":       "a",
		"stacks/include/compose.yaml":   "include: [../common/base.yaml]",
		"stacks/far/compose.yaml":       "include: [{path: [\"../middle/x.yaml\"]}]",
		"stacks/middle/x.yaml":          "extends: {file: ../../shared/deep/y.yml}",
		"stacks/sub/more/compose.yaml":  "file: ../../common/base.yaml",
		"stacks/variable/compose.yaml":  "include: [\"${WHERE}/../x.yaml\"]",
		"stacks/env/.env":               "WHERE=../common/base.yaml",
		"stacks/around/compose.yaml":    "include: [../circle/compose.yaml]",
		"stacks/circle/compose.yaml":    "include: [../around/compose.yaml]",
		"stacks/root/compose.yaml":      "include: [../../top.yaml]",
		"stacks/common/base.yaml":       "x",
		"stacks/any-name/README.md":     "../common/base.yaml",
		"shared/deep/y.yml":             "y",
		"top.yaml":                      "t",
		"stacks/above/compose.yaml":     "include: [{path: common/base.yaml, project_directory: ..}]",
		"stacks/dots/compose.yaml":      "# and so on ... a..b ..c",
		"stacks/link/compose.yaml.orig": "x",
	})
	if err := os.Symlink("../common/base.yaml", filepath.Join(r.root, "stacks/link/compose.yaml")); err != nil {
		t.Fatal(err)
	}
	r.commit()
	p, err := Open(context.Background(), r.root, "HEAD", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	all := []string{"own", "include", "far", "sub", "variable", "env", "around", "circle", "root", "above", "dots", "any-name", "link"}
	for _, c := range []struct {
		differ string
		want   []string
	}{
		{"", nil},
		{"stacks/own/x", []string{"own", "variable", "root", "above"}},
		{"stacks/own/folder/", []string{"variable", "root", "above"}},
		{"stacks/own/", []string{"own", "variable", "root", "above"}},
		{"stacks/", all},
		{"stacks/common/base.yaml", []string{"include", "sub", "variable", "env", "root", "above", "any-name", "link"}},
		{"shared/deep/y.yml", []string{"far", "variable", "root", "above"}},
		{"stacks/circle/x", []string{"variable", "around", "circle", "root", "above"}},
		{"top.yaml", []string{"variable", "root", "above"}},
		{".gitignore", all},
	} {
		differ := git.FilesOf(slices.DeleteFunc([]string{c.differ}, func(s string) bool { return s == "" }))
		reach := newReach(p.Base.revision, differ, true)
		var got []string
		for _, stack := range all {
			if reach.stack(stack) {
				got = append(got, stack)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s reaches %q, want %q", c.differ, got, c.want)
		}
	}
}

// TestSubfolder: a fleet may be a folder of a larger repository.
func TestSubfolder(t *testing.T) {
	whole := newRepository(t, map[string]string{
		"deep/fleet/fleet.toml": "operators = [\"" + operator + "\"]\n", "deep/fleet/hosts/a/host.toml": host("one"),
		"deep/fleet/stacks/one/compose.yaml": image("1"), "stacks/one/compose.yaml": image("1"),
	})
	fleet := repository{t, filepath.Join(whole.root, "deep/fleet")}
	whole.write("stacks/one/compose.yaml", image("2"))
	if report, _ := fleet.compare(); !report.Empty() {
		t.Errorf("%+v", report)
	}
	fleet.write("stacks/one/compose.yaml", image("2"))
	if report, loaded := fleet.compare(); !slices.Equal(lines(report), []string{"a one/web pull"}) || loaded != 1 {
		t.Errorf("%+v", report)
	}
	whole.commit()
	if report, _ := fleet.report("HEAD", false, nil); !slices.Equal(lines(report), []string{"a one/web pull"}) {
		t.Errorf("%+v", report)
	}
}

// TestTotals adds up.
func TestTotals(t *testing.T) {
	r := example(t)
	const more = "  same:\n    image: z\n"
	r.write("stacks/shared/compose.yaml", image("1")+more+"  gone:\n    image: z\n")
	r.commit()
	r.write("stacks/shared/compose.yaml", image("2")+more+"  db:\n    image: y\n    privileged: true\n")
	report, _ := r.compare()
	want := Totals{Hosts: 2, Stacks: 2, Dangers: 6, Effects: map[changes.Effect]int{changes.None: 2, changes.Pull: 2, changes.Create: 2, changes.Remove: 2}}
	if got := report.Totals(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// FuzzInText: any text comes to an end, with words that lead up and have no
// variable in them; and what no folder has leads nowhere.
func FuzzInText(f *testing.F) {
	for _, text := range []string{"", "../", "a: ../x/y.yaml", "${A}/../x", "../$B", "../../../../..", "....//../", "x../y ../z", "${A:-../x}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words, _ := inText([]byte(text))
		for _, word := range words {
			if !strings.Contains(text, word) || strings.Contains(word, "$") || !slices.Contains(strings.Split(word, "/"), "..") {
				t.Errorf("%q in %q", word, text)
			}
		}
	})
}

// TestHiddenPaths: a path that a text does not plainly say is followed all the
// same. compare checks against all stacks loaded.
func TestHiddenPaths(t *testing.T) {
	const base = "services:\n  web:\n    image: x:"
	for _, c := range []struct {
		name  string
		files map[string]string
	}{
		{"another extension", map[string]string{"stacks/s/compose.yaml": "include: [inc.tmpl]\n", "stacks/s/inc.tmpl": "include: [../../shared/base.yaml]\n"}},
		{"an escape", map[string]string{"stacks/s/compose.yaml": `include: ["\x2e\x2e/../shared/base.yaml"]` + "\n"}},
		{"dots of a host's variable", map[string]string{"hosts/h/host.toml": host("s") + "[env]\nA = \".\"\n", "stacks/s/compose.yaml": "include: [\"${A}${A}/${A}${A}/shared/base.yaml\"]\n"}},
		{"dots of .env", map[string]string{"stacks/s/.env": "A=.\n", "stacks/s/compose.yaml": "include: [\"$A$A/$A$A/shared/base.yaml\"]\n"}},
		{"a variable that leads up", map[string]string{"stacks/s/.env": "A=..\n", "stacks/s/compose.yaml": "include: [\"$A/$A/shared/base.yaml\"]\n"}},
		{"dots around nothing", map[string]string{"stacks/s/.env": "A=\n", "stacks/s/compose.yaml": "include: [\".${A}./.${A}./shared/base.yaml\"]\n"}},
		{"a default", map[string]string{"stacks/s/compose.yaml": "include: [\"${A:-../..}/shared/base.yaml\"]\n"}},
		{"dots of defaults", map[string]string{"stacks/s/compose.yaml": "include: [\"${A:-.}${A:-.}/${A:-.}${A:-.}/shared/base.yaml\"]\n"}},
		{"variables of an include", map[string]string{"stacks/s/a.txt": "A=.\n", "stacks/s/b.yaml": "include: [\"$A$A/$A$A/shared/base.yaml\"]\n",
			"stacks/s/compose.yaml": "include: [{path: b.yaml, env_file: a.txt}]\n"}},
		{"a space", map[string]string{"stacks/s/compose.yaml": "include: [\"../../shared/my files/../base.yaml\"]\n"}},
		{"the folder of another file", map[string]string{"shared/a/b/one.yaml": "services: {web: {extends: {file: ../../shared/base.yaml, service: web}}}\n",
			"stacks/s/compose.yaml": "include: [{path: [own.yaml, ../../shared/a/b/one.yaml]}]\n", "stacks/s/own.yaml": "services: {}\n"}},
		{"another project directory", map[string]string{"shared/deep/one.yaml": "include: [../../shared/base.yaml]\n",
			"stacks/s/compose.yaml": "include: [{path: ../../shared/deep/one.yaml, project_directory: .}]\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"hosts/h/host.toml": host("s"), "shared/base.yaml": base + "1\n", "shared/my files/x": "x"}
			for file, content := range c.files {
				files[file] = content
			}
			r := newRepository(t, files)
			r.write("shared/base.yaml", base+"2\n")
			report, _ := r.compare()
			if got := lines(report); !slices.Equal(got, []string{"h s/web pull"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}
