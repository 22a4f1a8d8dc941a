package staging_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"pistack/internal/staging"
)

func entries(t *testing.T, dir string) int {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestTurns: one at a time has the folder, it is empty, and nothing is left.
func TestTurns(t *testing.T) {
	parent := t.TempDir()
	var having atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			f, err := staging.Open(t.Context(), parent)
			if err != nil {
				t.Error(err)
				return
			}
			if n := having.Add(1); n != 1 {
				t.Errorf("%d have it", n)
			}
			if n := entries(t, f.Path); n != 0 {
				t.Errorf("it holds %d files of another", n)
			}
			if err := os.WriteFile(filepath.Join(f.Path, "x"), nil, 0o644); err != nil {
				t.Error(err)
			}
			having.Add(-1)
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := entries(t, parent); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestLeft: what a killed command left is removed; where a symlink leads is not.
func TestLeft(t *testing.T) {
	parent, outside := t.TempDir(), t.TempDir()
	kept := filepath.Join(outside, "files", "x")
	if err := errors.Join(os.Mkdir(filepath.Dir(kept), 0o755), os.WriteFile(kept, nil, 0o644), os.Symlink(outside, filepath.Join(parent, staging.Name))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f, err := staging.Open(t.Context(), parent)
		if err != nil {
			t.Fatal(err)
		}
		if n := entries(t, f.Path); n != 0 {
			t.Errorf("%d files of another command", n)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(kept); err != nil {
			t.Error(err)
		}
		if err := os.MkdirAll(filepath.Join(f.Path, "left"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInterrupted: who waits can be told to stop.
func TestInterrupted(t *testing.T) {
	parent := t.TempDir()
	f, err := staging.Open(t.Context(), parent)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := staging.Open(ctx, parent); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := staging.Open(t.Context(), filepath.Join(parent, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestGit: Git sees nothing of it, whatever the repository ignores.
func TestGit(t *testing.T) {
	parent := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", parent}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	git("init", "--quiet")
	f, err := staging.Open(t.Context(), parent)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.WriteFile(filepath.Join(f.Path, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out := git("status", "--short"); out != "" {
		t.Errorf("Git sees %s", out)
	}
}
