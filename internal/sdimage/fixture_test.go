package sdimage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// makeImage makes an image with the layout of NixOS's, with testdata/sdimage.
// settings are variables of that script.
func makeImage(t *testing.T, mib int, folder string, settings ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pi.img")
	makeImageAt(t, path, mib, folder, settings...)
	return path
}

func makeImageAt(t *testing.T, path string, mib int, folder string, settings ...string) {
	t.Helper()
	needTools(t, "sfdisk", "mkfs.vfat", "mkfs.ext4")
	cmd := exec.Command("../../testdata/sdimage", path, fmt.Sprint(mib), folder)
	cmd.Env = append(os.Environ(), settings...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// needTools leaves a test out where it cannot be run.
func needTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(program(name)); err != nil {
			t.Skip(name + " not on PATH: see testdata/prepare")
		}
	}
}

// system is a folder as NixOS puts it into an image of a host.
func system(t *testing.T, host string) string {
	t.Helper()
	root := t.TempDir()
	store := "/nix/store/" + strings.Repeat("a", 32) + "-nixos-system-" + host + "-26.05.20260901.abcdef0"
	write(t, root, store+"/nixos-version", "26.05.20260901.abcdef0\n")
	write(t, root, "/boot/extlinux/extlinux.conf", "LABEL nixos-default\n  LINUX ../nixos/"+strings.Repeat("b", 32)+"-linux-6.12.44-Image\n  APPEND init="+store+"/init console=ttyS0\n")
	// Folders of several blocks, and long symlinks, are metadata, too.
	for n := range 400 {
		write(t, root, fmt.Sprintf("/nix/store/%032d-a-package-with-a-name-of-some-length/file", n), "content\n")
	}
	if err := os.Symlink(strings.Repeat("long/", 40), filepath.Join(root, "nix/link")); err != nil {
		t.Fatal(err)
	}
	return root
}

func write(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T) HostKey {
	t.Helper()
	key, err := NewHostKey("pi")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func open(t *testing.T, path string) *Image {
	t.Helper()
	img, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { img.Close() })
	return img
}

// seal seals an image as the command does.
func seal(t *testing.T, path string, key HostKey) error {
	t.Helper()
	img, err := Open(path, true)
	if err != nil {
		return err
	}
	defer img.Close()
	s, err := img.Prepare(t.Context(), key, Marker{Host: "pi", Board: "rpi4", System: "aarch64-linux", Pistack: "test"})
	if err != nil {
		return err
	}
	return s.Apply()
}

// clean has fsck look at both file systems of an image, as they are in the file.
func clean(t *testing.T, path string) {
	t.Helper()
	img, err := Open(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if err := img.filesystem().check(t.Context()); err != nil {
		t.Errorf("e2fsck: %v", err)
	}
	fat := filepath.Join(t.TempDir(), "fat")
	data := make([]byte, img.Firmware.Size)
	if _, err := img.file.ReadAt(data, img.Firmware.Start); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fat, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program("fsck.vfat"), "-n", fat).CombinedOutput(); err != nil {
		t.Errorf("fsck.vfat: %v\n%s", err, out)
	}
}

// left lists what is beside an image.
func left(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			names = append(names, e.Name())
		}
	}
	return names
}
