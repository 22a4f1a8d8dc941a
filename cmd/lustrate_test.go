package cmd_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// debian is a root before, nixos the same root after bootstrap/lustrate.sh.
// Directories end with a slash, files have their content behind an equals sign.
var (
	debian = []string{
		".hidden=h", "bin/sh=s", "boot/grub/grub.cfg=new", "boot.debian/vmlinuz=v", "etc/NIXOS=", "etc/NIXOS_LUSTRATE=etc/ssh/key\netc/ssh/key.pub\n../outside\n",
		"etc/passwd=p", "etc/ssh/key=private", "etc/ssh/key.pub=public", "lost+found/", "nix/store/system=n", "proc/", "var/lib/data=d",
	}
	nixos = []string{
		"boot/grub/grub.cfg=new", "etc/NIXOS=", "etc/ssh/key=private", "etc/ssh/key.pub=public", "lost+found/", "nix/store/system=n",
		"old-root/.hidden=h", "old-root/bin/sh=s", "old-root/boot.debian/vmlinuz=v", "old-root/etc/NIXOS=", "old-root/etc/NIXOS_LUSTRATE=etc/ssh/key\netc/ssh/key.pub\n../outside\n",
		"old-root/etc/passwd=p", "old-root/etc/ssh/key=private", "old-root/etc/ssh/key.pub=public", "old-root/proc/", "old-root/var/lib/data=d",
	}
)

// TestLustrate interrupts bootstrap/lustrate.sh at each of its commands. When it
// is run again, as lustrate.nix does while one of two files is there, the result
// is always the same, and at no moment is there a root without a host key.
func TestLustrate(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("wants GNU coreutils, as the initrd has")
	}
	bin := breakable(t)
	for n := 1; ; n++ {
		root := t.TempDir()
		writeTree(t, root, debian)
		out, err := lustrate(t, bin, root, n)
		if err != nil && !strings.Contains(string(out), "interrupted") {
			t.Fatalf("command %d: %v\n%s", n, err, out)
		}
		for _, condition := range []string{"etc/NIXOS_LUSTRATE", "etc.nixos"} {
			if _, e := os.Lstat(filepath.Join(root, condition)); e == nil {
				if out, err := lustrate(t, bin, root, 0); err != nil {
					t.Fatalf("again, after command %d: %v\n%s", n, err, out)
				}
				break
			}
		}
		if got, want := readTree(t, root), slices.Sorted(slices.Values(nixos)); !slices.Equal(got, want) {
			t.Fatalf("interrupted at command %d:\n%q\nwant\n%q", n, got, want)
		}
		if err == nil {
			t.Logf("%d commands", n-1)
			if n < 10 {
				t.Error("too few of them were interrupted")
			}
			return
		}
	}
}

// breakable is a folder with the programs of the script, of which the one that
// is called $BREAK-th fails, and does nothing.
func breakable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"mkdir", "mv", "rm", "cp", "sync"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf("#!/bin/bash\necho >>\"$COUNT\"\nn=0\nwhile read -r; do n=$((n + 1)); done <\"$COUNT\"\n"+
			"[ $n != \"$BREAK\" ] || { echo interrupted >&2; exit 1; }\nexec %s \"$@\"\n", path)
		if name == "sync" { // the whole machine's, in every round
			script = strings.Replace(script, "exec "+path+" \"$@\"", "exit 0", 1)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func lustrate(t *testing.T, bin, root string, breakAt int) ([]byte, error) {
	t.Helper()
	cmd := exec.Command("bash", filepath.Join("..", "bootstrap", "lustrate.sh"), root)
	cmd.Env = []string{"PATH=" + bin, fmt.Sprintf("BREAK=%d", breakAt), "COUNT=" + filepath.Join(t.TempDir(), "count")}
	return cmd.CombinedOutput()
}

func writeTree(t *testing.T, root string, tree []string) {
	t.Helper()
	for _, entry := range tree {
		name, content, isFile := strings.Cut(entry, "=")
		dir := name
		if isFile {
			dir = filepath.Dir(name)
		}
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if isFile {
			if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// readTree names files and empty folders.
func readTree(t *testing.T, root string) []string {
	t.Helper()
	var tree []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			if entries, err := os.ReadDir(path); err != nil || len(entries) > 0 {
				return err
			}
			tree = append(tree, name+"/")
			return nil
		}
		data, err := os.ReadFile(path)
		tree = append(tree, name+"="+string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(tree)
	return tree
}
