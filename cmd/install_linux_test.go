package cmd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pistack/secrets"
	"pistack/secrets/manifest"
)

// pi is a device: a host key and encrypted files on disk, and a root to install
// below. The values of its secrets come in sets: "x-S0", "x-S1" …
type pi struct {
	t       *testing.T
	dir     string
	root    string
	readers []secrets.Reader
}

func newPi(t *testing.T, root string) pi {
	t.Helper()
	d := pi{t: t, dir: t.TempDir(), root: root}
	public, err := keyPair(d.key())
	if err != nil {
		t.Fatal(err)
	}
	reader, err := secrets.ParseReader("host", public, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.readers = []secrets.Reader{reader}
	return d
}

func (d pi) key() string { return filepath.Join(d.dir, "key") }

// file is where a set's encrypted secret is.
func (d pi) file(set, name string) string {
	return filepath.Join(d.dir, set, secrets.File("pi", name))
}

// set encrypts n secrets, each of size bytes or a few more, and makes a manifest
// of them.
func (d pi) set(set string, n, size int) *manifest.Manifest {
	d.t.Helper()
	m := &manifest.Manifest{Schema: manifest.Schema, Host: "pi", HostKeys: []string{d.key()}, Root: d.root}
	store := secrets.Store{Root: filepath.Join(d.dir, set)}
	var all []*secrets.Addition
	for i := range n {
		name := fmt.Sprintf("S%d", i)
		a, err := store.Plan("pi", name, value(set, name, size), d.readers, true, time.Now())
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, a)
		m.Secrets = append(m.Secrets, manifest.Secret{Name: name, File: d.file(set, name), Version: a.Label.Version})
		m.Files = append(m.Files, manifest.File{Secret: name, Path: "secrets/" + name, Mode: 0o440, UID: 1234, GID: 4321})
	}
	m.EnvFiles = []manifest.EnvFile{{Path: "env/stack.env", Secrets: []string{"S0"}}}
	if err := store.Apply(all...); err != nil {
		d.t.Fatal(err)
	}
	return m
}

func value(set, name string, size int) []byte {
	return []byte(set + "-" + name + "-" + strings.Repeat(set, size))
}

func (d pi) install(m *manifest.Manifest, args ...string) *exec.Cmd {
	d.t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		d.t.Fatal(err)
	}
	file := filepath.Join(d.dir, "manifest.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return exec.Command(filepath.Join(binaries, "pisec"), append(append([]string{"install"}, args...), file)...)
}

func (d pi) mustInstall(m *manifest.Manifest) string {
	d.t.Helper()
	out, err := d.install(m).CombinedOutput()
	if err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// refuse installs what must fail, and checks that every culprit is named.
func (d pi) refuse(m *manifest.Manifest, culprits ...string) {
	d.t.Helper()
	cmd := d.install(m)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		d.t.Fatalf("want exit status 1, got %v\n%s", err, out)
	}
	for _, c := range culprits {
		if !strings.Contains(string(out), c) {
			d.t.Errorf("%q is not named:\n%s", c, out)
		}
	}
}

// assertSet checks that the current generation is n secrets of a set, whole,
// with owner and mode, and that no byte of another set is anywhere below root.
func (d pi) assertSet(set string, n, size int) {
	d.t.Helper()
	current := filepath.Join(d.root, "current")
	for i := range n {
		name := fmt.Sprintf("S%d", i)
		path := filepath.Join(current, "secrets", name)
		content, err := os.ReadFile(path)
		if err != nil || string(content) != string(value(set, name, size)) {
			d.t.Fatalf("%s is not that of set %s (%d bytes, %v)", name, set, len(content), err)
		}
		info, err := os.Stat(path)
		if err != nil {
			d.t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); info.Mode() != 0o440 || st.Uid != 1234 || st.Gid != 4321 {
			d.t.Errorf("%s: %s, owner %d:%d", name, info.Mode(), st.Uid, st.Gid)
		}
	}
	files := 0
	err := filepath.WalkDir(current+"/", func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files++
		}
		return err
	})
	if want := n + len([]string{"env/stack.env"}); err != nil || files != want {
		d.t.Errorf("%d files instead of %d, %v", files, want, err)
	}
}

// generations lists what is kept below root.
func (d pi) generations() (names []string) {
	d.t.Helper()
	entries, err := os.ReadDir(filepath.Join(d.root, "generations"))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestInstallInMemory installs as root on the real file systems that the
// installer accepts.
func TestInstallInMemory(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for _, fs := range []struct{ kind, options string }{{"ramfs", "mode=0711"}, {"tmpfs", "mode=0711,noswap"}} {
		t.Run(fs.kind, func(t *testing.T) {
			d := newPi(t, mount(t, fs.kind, fs.options))
			x, y := d.set("x", 5, 0), d.set("y", 4, 0)
			if out := d.mustInstall(x); !strings.Contains(out, "generation 1: 6 added") {
				t.Errorf("first run: %s", out)
			}
			d.assertSet("x", 5, 0)
			if out := d.mustInstall(x); !strings.Contains(out, "generation 1 is up to date") {
				t.Errorf("second run: %s", out)
			}
			d.mustInstall(y)
			d.assertSet("y", 4, 0)
			if got := d.generations(); !slices.Equal(got, []string{"1", "2"}) {
				t.Errorf("generations %v", got)
			}
		})
	}
}

// TestInstallRefusesStorage: where plaintext could reach a disk, not a byte is
// written.
func TestInstallRefusesStorage(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for _, c := range []struct{ name, root, want string }{
		{"a tmpfs that can be swapped", mount(t, "tmpfs", "mode=0711"), "can be swapped"},
		{"a disk", t.TempDir(), "not in memory"},
		{"a folder that is not there", filepath.Join(t.TempDir(), "none"), "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newPi(t, c.root)
			d.refuse(d.set("x", 2, 0), c.want)
			if entries, _ := os.ReadDir(c.root); len(entries) > 0 {
				t.Errorf("written: %v", entries)
			}
		})
	}
}

// TestInstallOnAFullFileSystem runs out of space, or of inodes: the old secrets
// stay, whole, and nothing of the new ones is left.
func TestInstallOnAFullFileSystem(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const small, large = 10, 100 << 10
	for _, c := range []struct {
		name, options string
		n, size       int
	}{{"space", "size=256k", 4, large}, {"inodes", "nr_inodes=24", 20, small}} {
		t.Run(c.name, func(t *testing.T) {
			d := newPi(t, mount(t, "tmpfs", "mode=0711,noswap,"+c.options))
			old, next := d.set("x", 3, small), d.set("y", c.n, c.size)
			d.mustInstall(old)
			for range 2 { // also the second failure starts from nothing
				d.refuse(next, "no space left on device", "the old secrets stay in place")
				d.assertSet("x", 3, small)
				if got := d.generations(); !slices.Equal(got, []string{"1"}) {
					t.Errorf("generations %v", got)
				}
			}
			d.mustInstall(d.set("z", 3, small))
			d.assertSet("z", 3, small)
		})
	}
}

// TestInstallNamesEveryCulprit breaks what the installer reads; the old secrets
// stay.
func TestInstallNamesEveryCulprit(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const n = 4
	for _, c := range []struct {
		name     string
		sabotage func(d pi, m *manifest.Manifest) error
		want     []string
	}{
		{"a newer schema", func(d pi, m *manifest.Manifest) error { m.Schema++; return nil }, []string{"schema 3"}},
		{"no host key", func(d pi, m *manifest.Manifest) error { return os.Remove(d.key()) }, []string{"host key /"}},
		{"a host key that cannot be read", func(d pi, m *manifest.Manifest) error {
			m.HostKeys = []string{d.dir, filepath.Join(d.dir, "none")}
			return nil
		}, []string{"is a directory", "no such file"}},
		{"swapped and truncated files, and one that is gone", func(d pi, m *manifest.Manifest) error {
			m.Secrets[0].File, m.Secrets[1].File = m.Secrets[1].File, m.Secrets[0].File
			if err := os.Truncate(m.Secrets[2].File, 200); err != nil {
				return err
			}
			return os.Remove(m.Secrets[3].File)
		}, []string{"secret S0", "secret S1", "secret S2", "secret S3"}},
		{"a truncated payload", func(d pi, m *manifest.Manifest) error {
			info, err := os.Stat(m.Secrets[1].File)
			if err != nil {
				return err
			}
			return os.Truncate(m.Secrets[1].File, info.Size()-60)
		}, []string{"secret S1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newPi(t, mount(t, "ramfs", "mode=0711"))
			d.mustInstall(d.set("x", n, 0))
			next := d.set("y", n, 0)
			if err := c.sabotage(d, next); err != nil {
				t.Fatal(err)
			}
			d.refuse(next, c.want...)
			d.assertSet("x", n, 0)
			if got := d.generations(); !slices.Equal(got, []string{"1"}) {
				t.Errorf("generations %v", got)
			}
		})
	}
}

// TestKilledInstall sends SIGKILL at many moments while two sets take turns.
// Whatever the moment, the current generation is one of them as a whole, and the
// next run leaves the wanted one and the one before it, and nothing else.
func TestKilledInstall(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const n = 40
	d := newPi(t, mount(t, "ramfs", "mode=0711"))
	sets := map[string]*manifest.Manifest{"x": d.set("x", n, 0), "y": d.set("y", n, 0)}
	d.mustInstall(sets["x"])
	start := time.Now()
	d.mustInstall(sets["y"])
	whole := time.Since(start) // decides where the kills fall
	for i := range 60 {
		cmd := d.install(sets[[]string{"x", "y"}[i%2]])
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(whole*time.Duration(i+1)/60, func() { cmd.Process.Kill() })
		_ = cmd.Wait() // killed or not, the invariant holds
		timer.Stop()
		first, err := os.ReadFile(filepath.Join(d.root, "current/secrets/S0"))
		if err != nil || len(first) == 0 {
			t.Fatalf("%q, %v", first, err)
		}
		d.assertSet(string(first[:1]), n, 0)
	}
	for set, m := range sets {
		d.mustInstall(m)
		d.assertSet(set, n, 0)
		if got := d.generations(); len(got) > 2 {
			t.Errorf("generations %v", got)
		}
	}
}

// TestInstallMemory: the installer of 1,000 secrets fits into the smallest Pi
// beside everything else that starts at boot.
func TestInstallMemory(t *testing.T) {
	root, err := os.MkdirTemp("/dev/shm", "pistack-memory-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	d := newPi(t, root)
	const most = 20 << 10 // KiB
	peak := peakAtReport(t, d.install(d.set("x", 1000, 32), "--try", root))
	t.Logf("%d KiB", peak)
	if peak > most {
		t.Errorf("%d KiB, want at most %d", peak, most)
	}
}

// peakAtReport tells the most memory that an installer has had when it reports,
// in KiB. It is held up there by a pipe too small for the report: what wait4(2)
// would tell after its end counts the memory of this process, too.
func peakAtReport(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	status, err1 := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	_, err2 := io.Copy(io.Discard, r)
	if err := errors.Join(err1, err2, cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	peak := 0
	if _, err := fmt.Sscanf(text, "%d kB", &peak); err != nil || peak == 0 {
		t.Fatalf("no VmHWM: %v\n%s", err, status)
	}
	return peak
}
