package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"pistack/secrets"
)

// standInNix makes a folder with a nix that "builds" an image which is there.
func standInNix(t *testing.T, image string) string {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
while [ $# -gt 1 ]; do [ "$1" = --out-link ] && link=$2; shift; done
[ -n "$link" ] || exit 0
mkdir -p %[1]s/result/sd-image && cp %[2]s %[1]s/result/sd-image/pi.img && ln -sfn %[1]s/result "$link"
`, dir, image)
	if err := os.WriteFile(filepath.Join(dir, "nix"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestKilledBuild sends SIGKILL to "pistack image build --new-key" at many moments.
// After each, operators read every secret, and all of them are for the pinned key;
// the next run ends with an image whose key is pinned and opens them all.
func TestKilledBuild(t *testing.T) {
	f := newKillFleet(t)
	names := []string{"KEY", "A", "B", "C", "D", "E"}
	for _, name := range names {
		f.must(f.pisec("value of "+name, "add", "pi", name))
	}
	f.write("flake.nix", "")
	f.write("flake.lock", "")
	f.git("init", "-q")
	f.git("add", "fleet.toml", "flake.nix", "flake.lock", "hosts")
	f.must(f.pistack("generate"))
	f.git("add", "hosts")
	base := filepath.Join(t.TempDir(), "base.img")
	newImage(t, base)
	nix := standInNix(t, base)
	build := func() *exec.Cmd {
		cmd := f.pistack("image", "build", "pi", "--new-key", "--yes", "--identity", "operator")
		cmd.Env = append(os.Environ(), "PATH="+nix+":"+os.Getenv("PATH"))
		return cmd
	}
	whole := f.must(build())
	image := filepath.Join(f.root, "images/pi.img")
	for i := range 20 {
		f.kill(build(), whole*time.Duration(i)/20)
		if _, err := (secrets.Store{Root: f.root}).Recover(); err != nil {
			t.Fatal(err)
		}
		f.must(f.pisec("", "verify"))
		for _, name := range names {
			if value, err := f.show(name, "operator"); err != nil || value != "value of "+name {
				t.Fatalf("%s: %q, %v", name, value, err)
			}
		}
		f.wantKey(image) // the old one, or the new one, and whole
		f.must(build())
		f.opens(image, names)
	}
	rest, err := filepath.Glob(filepath.Join(f.root, "images", "*"))
	if err != nil || len(rest) != len([]string{".gitignore", "pi.img"}) {
		t.Errorf("beside the image: %q (%v)", rest, err)
	}
}

func (f killFleet) git(args ...string) {
	f.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = f.root
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	f.must(cmd)
}
