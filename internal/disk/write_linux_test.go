package disk

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// loop makes a loop device of a file of that size, full of old bytes, until the
// test ends. It returns its path.
func loop(t *testing.T, size int64) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a loop device is made: needs root")
	}
	file := filepath.Join(t.TempDir(), "card")
	if err := os.WriteFile(file, bytes.Repeat([]byte("old!"), int(size/4)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--find", "--show", file).CombinedOutput()
	if err != nil {
		t.Skipf("losetup: %v\n%s", err, out)
	}
	path := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", path).CombinedOutput(); err != nil {
			t.Errorf("losetup: %v\n%s", err, out)
		}
	})
	return path
}

// source is an image with data, holes and an end between two sectors of 4 KiB.
func source(t *testing.T) (*os.File, int64) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	random := rand.New(rand.NewPCG(1, 2))
	for _, part := range []struct{ at, size int64 }{{0, 5000}, {9 << 20, 6 << 20}, {40<<20 - 512, 512}} {
		data := make([]byte, part.size)
		for n := range data {
			data[n] = byte(random.Uint32())
		}
		if _, err := file.WriteAt(data, part.at); err != nil {
			t.Fatal(err)
		}
	}
	const size = 44<<20 + 512
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return file, size
}

// openCard opens a device, which is no removable one, until the test ends.
func openCard(t *testing.T, d Device, size int64) *Card {
	t.Helper()
	card, err := Machine{}.Open(d, size, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { card.Close() })
	return card
}

// TestAnother: a path that names another device, or no device, by the time somebody
// said yes is not written, and a device is checked again.
func TestAnother(t *testing.T) {
	first, second := loop(t, 8<<20), loop(t, 8<<20)
	path := filepath.Join(t.TempDir(), "card")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := func(target string) {
		if err := errors.Join(os.RemoveAll(path), os.Symlink(target, path)); err != nil {
			t.Fatal(err)
		}
	}
	name(first)
	d, err := Machine{}.Find(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{second, file} {
		name(target)
		if _, err := (Machine{}).Open(d, 1<<20, true); err == nil || !strings.Contains(err.Error(), "is not the device any more") {
			t.Errorf("%s: %v", target, err)
		}
	}
	name(first)
	if _, err := (Machine{}).Open(d, 1<<20, false); err == nil || !strings.Contains(err.Error(), "is not removable") {
		t.Errorf("error %v", err)
	}
	card := openCard(t, d, 1<<20)
	name(second) // too late
	image, _ := source(t)
	for _, do := range []func(context.Context, *os.File, int64, func(int64)) error{card.Write, card.Verify} {
		if err := do(t.Context(), image, 1<<20, func(int64) {}); err != nil {
			t.Error(err)
		}
	}
	if got, err := os.ReadFile(second); err != nil || !bytes.HasPrefix(got, []byte("old!")) {
		t.Errorf("another device was written (%v)", err)
	}
}

// TestWrite: a real block device holds the image, zeros where that has holes, and
// behind it what was there.
func TestWrite(t *testing.T) {
	path := loop(t, 48<<20)
	image, size := source(t)
	d, err := Machine{}.Find(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(size, false); err == nil || !strings.Contains(err.Error(), "is not removable") {
		t.Errorf("error %v", err)
	}
	if err := d.Check(size, true); err != nil {
		t.Fatal(err)
	}
	card := openCard(t, d, size)
	var done []int64
	take := func(n int64) { done = append(done, n) }
	if err := card.Write(t.Context(), image, size, take); err != nil {
		t.Fatal(err)
	}
	if last := done[len(done)-1]; last != size {
		t.Errorf("the last of the progress is %d of %d", last, size)
	}
	if err := card.Verify(t.Context(), image, size, take); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(image.Name())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got[:size], want) {
		t.Fatalf("the device does not hold the image (%v)", err)
	}
	if !bytes.Equal(got[size:], bytes.Repeat([]byte("old!"), (48<<20-int(size))/4)) {
		t.Error("more than the image was written")
	}
	t.Run("another byte is noticed", func(t *testing.T) {
		if _, err := image.WriteAt([]byte{1}, 30<<20); err != nil {
			t.Fatal(err)
		}
		if err := card.Verify(t.Context(), image, size, take); err == nil || !strings.Contains(err.Error(), "does not hold what was written") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		if err := card.Write(ctx, image, size, func(int64) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// TestMounted: a mounted device is refused, by us and by the kernel.
func TestMounted(t *testing.T) {
	path := loop(t, 16<<20)
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", path).CombinedOutput(); err != nil {
		t.Skipf("mkfs.ext4: %v\n%s", err, out)
	}
	dir := t.TempDir()
	if err := syscall.Mount(path, dir, "ext4", 0, ""); err != nil {
		t.Skipf("mounting: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	d, err := Machine{}.Find(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(1<<20, false); err == nil || !strings.Contains(err.Error(), "is mounted at "+dir) {
		t.Errorf("error %v", err)
	}
	if err := d.Check(1<<20, true); err != nil {
		t.Errorf("error %v", err)
	}
	d.Mounts = nil // as if nobody had told
	if _, err := (Machine{}).Open(d, 1<<20, true); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("error %v", err)
	}
}

// TestRootDisk: the disk that this very machine runs on is refused, with --force,
// too.
func TestRootDisk(t *testing.T) {
	m := Machine{}
	mounts, err := m.mounts()
	if err != nil {
		t.Fatal(err)
	}
	b := below{machine: m, mounts: mounts, found: map[string]bool{}}
	b.path("/")
	found := false
	for name := range b.found {
		path := "/dev/" + name
		if info, err := os.Stat(path); err != nil || info.Mode()&os.ModeDevice == 0 || m.wholeOf(name) != name {
			continue
		}
		found = true
		d, err := m.Find(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Check(1<<20, true); err == nil || !strings.Contains(err.Error(), "this machine runs on it") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if !found {
		t.Skip("this machine's root is on no disk that can be seen, as in a container")
	}
}
