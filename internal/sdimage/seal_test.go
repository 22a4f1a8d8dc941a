package sdimage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSeal: every size has the key, of root and for root alone, and nothing of the
// file systems is damaged.
func TestSeal(t *testing.T) {
	for _, c := range []struct {
		mib      int
		settings []string
	}{
		{64, nil},
		{65, []string{"FEATURES=^metadata_csum,^64bit"}},
		{128, []string{"FEATURES=^extents,^64bit"}},
		{128, []string{"FEATURES=^has_journal"}},
		{64, []string{"FEATURES=orphan_file,metadata_csum_seed"}},
		{128, []string{"FEATURES=orphan_file,^extents,^64bit"}},
		{300, []string{"FEATURES=^flex_bg,^resize_inode"}},
		{1024, nil},
		{4096, nil},
	} {
		t.Run(fmt.Sprint(c.mib, c.settings), func(t *testing.T) {
			path := makeImage(t, c.mib, system(t, "pi"), c.settings...)
			key := newKey(t)
			if err := seal(t, path, key); err != nil {
				t.Fatal(err)
			}
			assertSealed(t, path, key)
			clean(t, path)
			if rest := left(t, path); rest != nil {
				t.Errorf("left beside it: %q", rest)
			}
		})
	}
}

// assertSealed checks an image with what e2fsprogs themselves say.
func assertSealed(t *testing.T, path string, key HostKey) {
	t.Helper()
	img, err := Open(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	fs := img.filesystem()
	for _, f := range []struct {
		file string
		want status
	}{
		{"/etc", status{"directory", 0o755, 0, 0, img.super.blockSize}},
		{"/etc/ssh", status{"directory", 0o755, 0, 0, img.super.blockSize}},
		{keyFile, status{"regular", 0o600, 0, 0, int64(len(key.private))}},
		{keyFile + ".pub", status{"regular", 0o644, 0, 0, int64(len(key.Line()))}},
	} {
		if got, err := fs.stat(t.Context(), f.file); err != nil || got != f.want {
			t.Errorf("%s: %+v, want %+v (%v)", f.file, got, f.want, err)
		}
	}
	content, err := img.Inspect(t.Context())
	if err != nil || !key.Is(content.Key) || content.Marker == nil || content.Marker.Host != "pi" || content.Marker.Key != key.Fingerprint() {
		t.Errorf("%+v, %v", content, err)
	}
	if content.NixOS != "pi-26.05.20260901.abcdef0" || content.Kernel != "6.12.44" {
		t.Errorf("NixOS %q, kernel %q", content.NixOS, content.Kernel)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestRestUntouched: a sealed image differs from what it was in a few blocks, none
// of which is in the other file system or was content of a file.
func TestRestUntouched(t *testing.T) {
	path := makeImage(t, 128, system(t, "pi"))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal(t, path, newKey(t)); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root := open(t, path).Root
	if !bytes.Equal(before[:root.Start], after[:root.Start]) || len(before) != len(after) {
		t.Error("what is in front of the root file system has changed")
	}
	changed := different(after, before, 4096)
	if len(changed) < 6 || len(changed) > 40 {
		t.Errorf("%d blocks have changed", len(changed))
	}
	if at := bytes.Index(after, []byte("content\n")); at < 0 || bytes.Count(after, []byte("content\n")) != bytes.Count(before, []byte("content\n")) {
		t.Error("files have changed")
	}
}

// TestCrowded: a file system that is full takes no key, and stays what it was.
func TestCrowded(t *testing.T) {
	path := makeImage(t, 24, system(t, "pi"))
	img := open(t, path)
	filler, err := inMemory("filler")
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	if _, err := filler.WriteAt(bytes.Repeat([]byte("x"), 24<<20), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := img.filesystem().write(t.Context(), []string{"write " + descriptor(1) + " big"}, filler); err != nil {
		t.Fatal(err)
	}
	img.Close()
	unchanged(t, path, func() error { return seal(t, path, newKey(t)) }, "cannot be sealed, and is unchanged")
}

// unchanged wants an error, and an image that is as it was.
func unchanged(t *testing.T, path string, try func() error, want string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := try(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the image has changed (%v)", err)
	}
	if rest := left(t, path); rest != nil {
		t.Errorf("left beside it: %q", rest)
	}
}

// TestDamagedInside: what e2fsck complains of is not sealed.
func TestDamagedInside(t *testing.T) {
	for _, c := range []struct{ name, command string }{
		{"a folder's inode", "clri /boot"},
		{"the links of the root", "sif / links_count 77"},
		{"a file that counts as free", "freei /boot/extlinux/extlinux.conf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := makeImage(t, 24, system(t, "pi"))
			img := open(t, path)
			if _, err := img.filesystem().write(t.Context(), []string{c.command}); err != nil {
				t.Fatal(err)
			}
			img.Close()
			unchanged(t, path, func() error { return seal(t, path, newKey(t)) }, "cannot be")
		})
	}
}

func TestInterrupted(t *testing.T) {
	path := makeImage(t, 24, system(t, "pi"))
	unchanged(t, path, func() error {
		img := open(t, path)
		defer img.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := img.Prepare(ctx, newKey(t), Marker{Host: "pi"})
		return err
	}, "context canceled")
}
