package sdimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Variables of a process that seals an image, or makes and seals a draft, and
// kills itself.
const (
	killImage = "PISTACK_TEST_KILL_IMAGE"
	killStep  = "PISTACK_TEST_KILL_STEP"
	killKey   = "PISTACK_TEST_KILL_KEY"
	killDraft = "PISTACK_TEST_KILL_DRAFT" // what the draft is made from
)

// TestMain runs the tests or, in a process that die started, seals an image.
func TestMain(m *testing.M) {
	path := os.Getenv(killImage)
	if path == "" {
		os.Exit(m.Run())
	}
	key, err := ParseHostKey([]byte(os.Getenv(killKey)))
	if err == nil {
		err = sealTold(path, os.Getenv(killDraft), key, func(step string) {
			if step == os.Getenv(killStep) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		})
	}
	fmt.Fprintln(os.Stderr, "was not killed:", err)
	os.Exit(1)
}

// sealTold seals an image, or with a source a draft of it, and tells the steps.
func sealTold(path, source string, key HostKey, step func(string)) error {
	var img *Image
	var err error
	if source == "" {
		img, err = Open(path, true)
	} else {
		img, err = Unpack(context.Background(), source, path, func(int64, int64) {})
	}
	if err != nil {
		return err
	}
	defer img.Discard()
	s, err := img.Prepare(context.Background(), key, Marker{Host: "pi"})
	if err != nil {
		return err
	}
	s.step = step
	return s.Apply()
}

// TestKilled kills the process before every effect of sealing. Whatever has the
// image's name is the image as it was, or sealed; the next run leaves one of the
// two, and nothing else.
func TestKilled(t *testing.T) {
	original := makeImage(t, 24, system(t, "pi"))
	before, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	path := filepath.Join(t.TempDir(), "pi.img")
	reset := func() {
		for _, name := range left(t, path) {
			if err := os.Remove(filepath.Join(filepath.Dir(path), name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var steps []string
	reset()
	if err := sealTold(path, "", key, func(step string) { steps = append(steps, step) }); err != nil {
		t.Fatal(err)
	}
	if len(steps) < 12 {
		t.Fatalf("only the steps %q", steps)
	}
	for n, step := range steps {
		t.Run(step, func(t *testing.T) {
			reset()
			die(t, path, "", step, key)
			whole(t, path, before, key)
			for _, name := range left(t, path) {
				noKey(t, filepath.Join(filepath.Dir(path), name), key, name == "pi.img"+asideSuffix)
			}
			recovered, err := Recover(path)
			if err != nil {
				t.Fatal(err)
			}
			if aside := strings.HasPrefix(step, "write block") || strings.HasPrefix(step, "sync blocks") || step == "commit"; recovered != aside {
				t.Errorf("something was put back: %v", recovered)
			}
			if sealed := whole(t, path, before, key); sealed != (n == len(steps)-1) {
				t.Errorf("is it sealed: %v", sealed)
			}
			if rest := left(t, path); rest != nil {
				t.Errorf("left beside it: %q", rest)
			}
			if err := seal(t, path, key); (err == nil) != (n < len(steps)-1) {
				t.Errorf("sealing it again: %v", err)
			}
			assertSealed(t, path, key)
		})
	}
	clean(t, path)
}

// die starts a process that is killed before a step.
func die(t *testing.T, path, source, step string, key HostKey) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killImage+"="+path, killDraft+"="+source, killStep+"="+step, killKey+"="+string(key.private))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
		t.Fatalf("was not killed: %v\n%s", err, out)
	}
}

// whole wants what has the image's name, if anything, to be as it was, or sealed.
func whole(t *testing.T, path string, before []byte, key HostKey) (sealed bool) {
	t.Helper()
	now, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || bytes.Equal(now, before) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "pi.img")
	if err := os.WriteFile(copied, now, 0o600); err != nil {
		t.Fatal(err)
	}
	assertSealed(t, copied, key)
	return true
}

// noKey wants no private key in a file, unless it may.
func noKey(t *testing.T, path string, key HostKey, may bool) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if line := strings.Split(string(key.private), "\n")[3]; !may && bytes.Contains(data, []byte(line)) {
		t.Errorf("the private key is in %s", path)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
	}
}

// TestKilledDraft: a draft that was not finished has another name, is private, and
// is in nobody's way.
func TestKilledDraft(t *testing.T) {
	source := makeImage(t, 24, system(t, "pi"))
	key := newKey(t)
	path := filepath.Join(t.TempDir(), "out", "pi.img")
	var steps []string
	if err := sealTold(path, source, key, func(step string) { steps = append(steps, step) }); err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			if err := os.RemoveAll(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			die(t, path, source, step, key)
			if rest := left(t, path); !slices.Equal(rest, []string{"pi.img" + draftSuffix}) {
				t.Fatalf("left: %q", rest)
			}
			if info, err := os.Stat(path + draftSuffix); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if err := sealTold(path, source, key, func(string) {}); err != nil {
				t.Fatal(err)
			}
			assertSealed(t, path, key)
			if rest := left(t, path); rest != nil {
				t.Errorf("left: %q", rest)
			}
		})
	}
}

// TestDraftOverUnfinished: a draft does not take the name of an image that was killed
// while it was sealed; that one is put back, by a symlink too.
func TestDraftOverUnfinished(t *testing.T) {
	source := makeImage(t, 24, system(t, "pi"))
	path := filepath.Join(t.TempDir(), "pi.img")
	before, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	die(t, path, "", "commit", key)
	if !Unfinished(path) {
		t.Fatal("nothing is unfinished")
	}
	err = sealTold(path, source, key, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "a killed run left one half sealed") {
		t.Errorf("error %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if done, err := Recover(link); err != nil || !done {
		t.Errorf("%v, %v", done, err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, before) {
		t.Errorf("the image is not what it was (%v)", err)
	}
	if rest := left(t, path); rest != nil {
		t.Errorf("left beside it: %q", rest)
	}
}

// TestFull: the disk that holds a sparse image is full when it is sealed. The
// blocks that were written are put back.
func TestFull(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "pi.img")
	makeImageAt(t, path, 520, system(t, "pi"))
	fillDisk(t, dir, undoSize(t, path)+4096)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	err = seal(t, path, newKey(t))
	if err == nil || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the image has changed (%v)", err)
	}
	if rest := left(t, path); rest != nil {
		t.Errorf("left beside it: %q", rest)
	}
	key := newKey(t)
	if err := seal(t, path, key); err != nil {
		t.Fatal(err)
	}
	assertSealed(t, path, key)
}

// undoSize is what sealing an image needs beside it.
func undoSize(t *testing.T, path string) int64 {
	t.Helper()
	img := open(t, path)
	defer img.Close()
	s, err := img.Prepare(t.Context(), newKey(t), Marker{Host: "pi"})
	if err != nil {
		t.Fatal(err)
	}
	undo := filepath.Join(t.TempDir(), "undo")
	if err := writeUndo(undo, img.Size, s.blocks); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(undo)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// fillDisk takes all room but for some bytes.
func fillDisk(t *testing.T, dir string, room int64) {
	t.Helper()
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	for n := int64(st.Bavail)*st.Bsize - room; n > 0; n -= 4096 {
		if _, err := filler.Write(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnpackFull(t *testing.T) {
	source := makeImage(t, 24, system(t, "pi"))
	dir := smallDisk(t)
	fillDisk(t, dir, 100<<10)
	_, err := Unpack(t.Context(), source, filepath.Join(dir, "pi.img"), func(int64, int64) {})
	if err == nil || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error %v", err)
	}
	if rest := left(t, filepath.Join(dir, "pi.img")); !slices.Equal(rest, []string{"filler"}) {
		t.Errorf("left: %q", rest)
	}
}

// smallDisk is a folder on a file system of its own with a few megabytes.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a small file system is mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(fmt.Errorf("%s: %w", dir, err))
		}
	})
	return dir
}
