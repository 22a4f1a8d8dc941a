package status_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/status"
	"pistack/internal/target"
)

// repository is a fleet in Git: two hosts, two stacks.
type repository struct{ root string }

func newRepository(t *testing.T) repository {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	t.Setenv("GIT_CONFIG_SYSTEM", "/dev/null")
	r := repository{t.TempDir()}
	r.git(t, "init", "-q", "-b", "main")
	r.write(t, "fleet.toml", "")
	r.write(t, "flake.nix", "{ outputs = i: { x = i.pistack.lib.mkFleet { root = ./.; }; }; }\n")
	r.write(t, "modules/base.nix", "{ lib, ... }: { imports = [ ./more.nix ]; }\n")
	for _, name := range []string{"pi", "other"} {
		r.write(t, "hosts/"+name+"/default.nix", "{ ... }: { imports = [ ./generated ../../modules/base.nix ]; }\n")
	}
	r.write(t, "stacks/web/compose.yaml", "services: {}\n")
	r.write(t, "stacks/db/compose.yaml", "services: {}\n")
	r.write(t, "docs/notes.md", "x\n")
	return r
}

func (r repository) git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-C", r.root, "-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) write(t *testing.T, file, text string) {
	t.Helper()
	path := filepath.Join(r.root, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// commit commits all there is and gives the commit's name.
func (r repository) commit(t *testing.T) string {
	t.Helper()
	r.git(t, "add", "--all")
	r.git(t, "commit", "-q", "--allow-empty", "-m", "x")
	return r.git(t, "rev-parse", "HEAD")
}

func pi() fleet.Host { return fleet.Host{Name: "pi", Stacks: []string{"web"}} }

// TestMade: what a host is made of, and when that cannot be told.
func TestMade(t *testing.T) {
	begin := []string{"authorized_keys", "flake.lock", "flake.nix", "fleet.toml", "hosts/pi", "modules", "stacks/web"}
	for _, c := range []struct {
		name, file, text string
		more             []string // nil: cannot be told
	}{
		{"nothing unusual", "hosts/pi/x.nix", "{ ... }: { }", []string{}},
		{"a file elsewhere", "hosts/pi/x.nix", "import ../../docs/notes.md", []string{"docs/notes.md"}},
		{"a folder of another host", "hosts/pi/x.nix", "import ../other;", []string{"hosts/other"}},
		{"a file that is not there", "hosts/pi/x.nix", "import ../../gone.nix", []string{}},
		{"a file of another stack", "stacks/web/compose.yaml", "volumes: [../db/compose.yaml:/x]", []string{"stacks/db/compose.yaml"}},
		{"all stacks", "stacks/web/compose.yaml", "volumes: ['..:/x']", nil},
		{"the repository", "hosts/pi/x.nix", "src = ../..;", nil},
		{"the repository, by slash", "hosts/pi/x.nix", "src = ../../.;", nil},
		{"the flake itself", "hosts/pi/x.nix", `"${self}/x"`, nil},
		{"a path put together", "hosts/pi/x.nix", `./. + "/../${name}"`, nil},
		{"a variable before dots", "stacks/web/compose.yaml", "x: $HERE/../db", nil},
		{"out of the repository", "stacks/web/compose.yaml", "x: ../../../etc", []string{}},
		{"dots that are no path", "hosts/pi/x.nix", "{ lib, ... }: a.b // x...y", []string{}},
		{"a text that nobody reads", "hosts/pi/notes.md", "see ../..", []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepository(t)
			r.write(t, c.file, c.text)
			r.git(t, "add", "--all")
			tree, err := git.Read(t.Context(), r.root)
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			paths, known := status.Made(os.DirFS(r.root), tree.Tracked, pi())
			want := slices.Sorted(slices.Values(append(slices.Clone(begin), c.more...)))
			if known != (c.more != nil) || known && !slices.Equal(paths, want) {
				t.Errorf("%v, %q; want %q", known, paths, want)
			}
		})
	}
}

// TestWork: which commits count for a host.
func TestWork(t *testing.T) {
	r := newRepository(t)
	first := r.commit(t)
	r.write(t, "docs/notes.md", "y\n")
	r.commit(t)
	r.write(t, "hosts/other/default.nix", "{ }\n")
	r.commit(t)
	r.write(t, "stacks/web/compose.yaml", "services: {x: {}}\n")
	third := r.commit(t)
	r.write(t, "modules/base.nix", "{ }\n")
	r.commit(t)

	work := func(revision string) status.Work {
		w := status.OpenRepository(t.Context(), r.root).Work(t.Context(), pi(), revision)
		if w.Err != nil {
			t.Fatal(w.Err)
		}
		return w
	}
	if w := work(first); w.Behind != 2 || w.Ahead != 0 || w.Whole || len(w.Changed) > 0 {
		t.Errorf("since the first commit: %+v", w)
	}
	if w := work(third); w.Behind != 1 {
		t.Errorf("since the third commit: %+v", w)
	}
	if w := work(strings.Repeat("a", 40)); !w.Unknown || w.Behind != 0 {
		t.Errorf("an unknown commit: %+v", w)
	}
	if w := work(""); w.Unknown || w.Behind != 0 {
		t.Errorf("no commit: %+v", w)
	}
	head := r.git(t, "rev-parse", "HEAD")
	r.git(t, "checkout", "-q", third)
	if w := work(head); w.Ahead != 1 || w.Behind != 0 {
		t.Errorf("from before: %+v", w)
	}
	r.git(t, "checkout", "-q", "main")

	r.write(t, "hosts/other/default.nix", "{ x = 1; }\n")
	if w := work(head); len(w.Changed) > 0 {
		t.Errorf("a change of another host: %+v", w)
	}
	r.write(t, "modules/base.nix", "{ x = 1; }\n")
	r.write(t, "modules/untracked.nix", "{ }\n")
	if w := work(head); !slices.Equal(w.Changed, []string{"modules/base.nix"}) {
		t.Errorf("a change: %+v", w)
	}
	r.write(t, "hosts/pi/default.nix", "../..\n")
	if w := work(first); !w.Whole || w.Behind != 4 || !slices.Equal(w.Changed, []string{"hosts/other/default.nix", "hosts/pi/default.nix", "modules/base.nix"}) {
		t.Errorf("all count: %+v", w)
	}
}

// TestSubfolder: a fleet that is a folder of a repository.
func TestSubfolder(t *testing.T) {
	outer := newRepository(t)
	inner := repository{filepath.Join(outer.root, "fleet")}
	inner.write(t, "fleet.toml", "")
	inner.write(t, "hosts/pi/default.nix", "{ }\n")
	first := outer.commit(t)
	outer.write(t, "hosts/pi/default.nix", "{ y = 1; }\n")
	outer.commit(t)
	inner.write(t, "hosts/pi/default.nix", "{ x = 1; }\n")
	outer.commit(t)
	inner.write(t, "hosts/pi/default.nix", "{ x = 2; }\n")
	w := status.OpenRepository(t.Context(), inner.root).Work(t.Context(), pi(), first)
	if w.Err != nil || w.Behind != 1 || !slices.Equal(w.Changed, []string{"hosts/pi/default.nix"}) {
		t.Errorf("%+v", w)
	}
}

// TestNoRepository: the machines are asked all the same.
func TestNoRepository(t *testing.T) {
	w := status.OpenRepository(t.Context(), t.TempDir()).Work(t.Context(), pi(), "x")
	if w.Err == nil {
		t.Errorf("no error: %+v", w)
	}
}

// machine answers with one survey, or an error.
type machine struct {
	survey target.Survey
	err    error
}

func (m machine) Survey(context.Context) (target.Survey, error) { return m.survey, m.err }

func TestLook(t *testing.T) {
	r := newRepository(t)
	first := r.commit(t)
	r.write(t, "modules/base.nix", "{ }\n")
	r.commit(t)
	good := healthy().Survey
	good.Receipt = []byte(strings.Replace(string(receipt(nil)), commit, first, 1))
	odd := healthy().Survey
	odd.Receipt = []byte(strings.Replace(string(receipt(nil)), commit, "--output=/tmp/x", 1))
	machines := map[string]machine{"a": {survey: good}, "b": {err: errors.New("b: gone")}, "c": {survey: odd}}
	l := status.Looker{
		Root: r.root, Parallel: 2, Now: now, Hosts: []fleet.Host{{Name: "a"}, {Name: "b"}, {Name: "c"}},
		Machine: func(host string) status.Machine { return machines[host] },
	}
	report, err := l.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []status.Code
	for _, h := range report.Hosts {
		verdicts = append(verdicts, h.Verdict)
	}
	if !slices.Equal(verdicts, []status.Code{status.Behind, status.Unreachable, status.Behind}) || report.InSync() {
		t.Errorf("verdicts %q", verdicts)
	}
	if w := report.Hosts[2].Work; w.Revision != "" {
		t.Errorf("Git was asked for %q", w.Revision)
	}
}

// TestWatch: as many rounds as wanted, and no longer than the context.
func TestWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	looks, waits := 0, 0
	var drawn []time.Time
	look := func(context.Context) (status.Report, error) {
		looks++
		return status.Report{Time: now().Add(time.Duration(looks) * time.Second)}, ctx.Err()
	}
	draw := func(r status.Report) error { drawn = append(drawn, r.Time); return nil }
	wait := func(ctx context.Context) bool {
		if waits++; waits == 5 {
			cancel()
		}
		return ctx.Err() == nil
	}
	if r, err := status.Watch(ctx, look, draw, wait, 3); err != nil || looks != 3 || waits != 2 || len(drawn) != 3 || r.Time != drawn[2] {
		t.Errorf("3 rounds: %d looks, %d waits, %v", looks, waits, err)
	}
	if _, err := status.Watch(ctx, look, draw, wait, 0); err != nil || waits != 5 || len(drawn) != looks {
		t.Errorf("until the end: %d looks, %d waits, %v", looks, waits, err)
	}
	broken := errors.New("nobody reads")
	if _, err := status.Watch(t.Context(), func(context.Context) (status.Report, error) { return status.Report{}, nil }, func(status.Report) error { return broken }, wait, 0); !errors.Is(err, broken) {
		t.Errorf("a draw that fails: %v", err)
	}
	if !status.Pause(0)(t.Context()) || status.Pause(time.Hour)(ctx) {
		t.Error("Pause does not heed its context")
	}
}
