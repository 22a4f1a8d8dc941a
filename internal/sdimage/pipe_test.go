package sdimage

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipes: nobody waits for the other end of a pipe.
func TestPipes(t *testing.T) {
	dir := t.TempDir()
	pipe := func(name string) string {
		path := filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Skip(err)
		}
		return path
	}
	key, image := pipe("key"), pipe("pi.img")
	pipe("draft.img" + draftSuffix)
	pipe("aside.img" + asideSuffix)
	raw := makeImage(t, 24, "")
	unpack := func(from, out string) error {
		img, err := Unpack(t.Context(), from, out, func(int64, int64) {})
		if err == nil {
			img.Discard()
		}
		return err
	}
	for name, do := range map[string]func() error{
		"an image":            func() error { _, err := Open(image, false); return err },
		"an image to seal":    func() error { _, err := Open(image, true); return err },
		"a key":               func() error { _, err := ReadHostKey(key); return err },
		"a source":            func() error { return unpack(image, filepath.Join(dir, "new.img")) },
		"an old draft":        func() error { return unpack(raw, filepath.Join(dir, "draft.img")) },
		"an unfinished image": func() error { _, err := Recover(filepath.Join(dir, "aside.img")); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
