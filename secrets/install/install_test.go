package install_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"pistack/secrets"
	"pistack/secrets/install"
	"pistack/secrets/manifest"
)

// device is a machine's view: a host key, encrypted files, and a root on tmpfs.
type device struct {
	t       testing.TB
	dir     string // on disk: key and encrypted files
	root    string // in memory
	readers []secrets.Reader
	files   map[string]string // secret name to encrypted file
	version map[string]string
}

const (
	host    = "pi"
	setSize = 8 // secrets in a set of TestKilledInstaller
)

func newDevice(t testing.TB) *device {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("secrets are installed on Linux only")
	}
	root, err := os.MkdirTemp("/dev/shm", "pistack-install-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	d := &device{t: t, dir: t.TempDir(), root: root, files: map[string]string{}, version: map[string]string{}}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	d.write(d.key(), pem.EncodeToMemory(block))
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := secrets.ParseReader("host", string(ssh.MarshalAuthorizedKey(key)), nil)
	if err != nil {
		t.Fatal(err)
	}
	d.readers = []secrets.Reader{reader}
	return d
}

func (d *device) key() string { return filepath.Join(d.dir, "key") }

func (d *device) write(path string, data []byte) {
	d.t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// add encrypts a value to the device, as the workstation would.
func (d *device) add(name, value string) {
	d.t.Helper()
	repo := filepath.Join(d.dir, fmt.Sprintf("repo-%d", len(d.version)))
	store := secrets.Store{Root: repo}
	a, err := store.Plan(host, name, []byte(value), d.readers, true, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	if err := store.Apply(a); err != nil {
		d.t.Fatal(err)
	}
	d.files[name], d.version[name] = filepath.Join(repo, a.File), a.Label.Version
}

// manifest gives every secret a file, and the names in env an env file.
func (d *device) manifest(env ...string) *manifest.Manifest {
	m := &manifest.Manifest{Schema: manifest.Schema, Host: host, HostKeys: []string{d.key()}, Root: "/run/pistack"}
	for name := range d.files {
		m.Secrets = append(m.Secrets, manifest.Secret{Name: name, File: d.files[name], Version: d.version[name]})
		m.Files = append(m.Files, manifest.File{Secret: name, Path: "secrets/" + name, Mode: 0o400})
	}
	if len(env) > 0 {
		m.EnvFiles = []manifest.EnvFile{{Path: "env/stack.env", Secrets: env}}
	}
	return m
}

func (d *device) install(m *manifest.Manifest) (install.Report, error) {
	return install.Run(m, install.Options{Try: d.root})
}

func (d *device) mustInstall(m *manifest.Manifest) install.Report {
	d.t.Helper()
	r, err := d.install(m)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// tree is everything below root/current: path to "mode content".
func (d *device) tree() map[string]string {
	d.t.Helper()
	current, err := filepath.EvalSymlinks(filepath.Join(d.root, "current"))
	if err != nil {
		d.t.Fatal(err)
	}
	found := map[string]string{}
	err = filepath.WalkDir(current, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		rel, _ := filepath.Rel(current, path)
		found[rel] = fmt.Sprintf("%04o %s", info.Mode().Perm(), content)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

func (d *device) generations() []string {
	d.t.Helper()
	entries, err := os.ReadDir(filepath.Join(d.root, "generations"))
	if err != nil {
		d.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestRunInstallsChangesAndRemoves(t *testing.T) {
	d := newDevice(t)
	d.add("A", "first")
	d.add("B", "second")
	r := d.mustInstall(d.manifest("A"))
	if r.Generation != 1 || !slices.Equal(r.Added, []string{"env/stack.env", "secrets/A", "secrets/B"}) {
		t.Fatalf("first run: %+v", r)
	}
	want := map[string]string{"secrets/A": "0400 first", "secrets/B": "0400 second", "env/stack.env": "0400 A=\"first\"\n"}
	assertTree(t, d, want)

	if r = d.mustInstall(d.manifest("A")); !r.Same() || r.Generation != 1 {
		t.Fatalf("a second run must change nothing: %+v", r)
	}

	d.add("A", "changed")
	delete(d.files, "B")
	r = d.mustInstall(d.manifest())
	if !slices.Equal(r.Changed, []string{"secrets/A"}) || !slices.Equal(r.Removed, []string{"env/stack.env", "secrets/B"}) {
		t.Fatalf("third run: %+v", r)
	}
	assertTree(t, d, map[string]string{"secrets/A": "0400 changed"})

	d.add("A", "again")
	d.mustInstall(d.manifest())
	if got := d.generations(); !slices.Equal(got, []string{"2", "3"}) {
		t.Fatalf("the current and the last generation are kept, found %v", got)
	}
}

func assertTree(t *testing.T, d *device, want map[string]string) {
	t.Helper()
	got := d.tree()
	for path, text := range want {
		if got[path] != text {
			t.Errorf("%s: got %q, want %q", path, got[path], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d files, want %d", len(got), len(want))
	}
}

func TestModeAndFolders(t *testing.T) {
	d := newDevice(t)
	d.add("A", "x")
	m := d.manifest("A")
	m.Files = append(m.Files, manifest.File{Secret: "A", Path: "stacks/web/A", Mode: 0o444})
	d.add("LOGIN", "me:token")
	m.Secrets = d.manifest().Secrets
	m.Logins = []manifest.Login{{Registry: "ghcr.io", Secret: "LOGIN"}}
	d.mustInstall(m)
	for path, mode := range map[string]os.FileMode{
		"": 0o711, "secrets": 0o711, "stacks": 0o700, "stacks/web": 0o700, "env": 0o700, "docker": 0o700, "docker/config.json": 0o600,
		"secrets/A": 0o400, "stacks/web/A": 0o444, "env/stack.env": 0o400,
	} {
		info, err := os.Stat(filepath.Join(d.root, "current", path))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%q: mode %04o, want %04o", path, info.Mode().Perm(), mode)
		}
	}
}

// TestFailureKeepsTheOldSecrets breaks a run in every way that its input can,
// and looks at the invariant: the old generation is current and whole, the
// error names each culprit, and no plaintext is in it.
func TestFailureKeepsTheOldSecrets(t *testing.T) {
	const poison = "POISON-plaintext"
	cases := map[string]struct {
		sabotage func(d *device, m *manifest.Manifest)
		want     []string
	}{
		"truncated file": {func(d *device, m *manifest.Manifest) {
			data, _ := os.ReadFile(d.files["A"])
			d.write(d.files["A"], data[:len(data)-70])
		}, []string{"secret A"}},
		"not an age file": {func(d *device, m *manifest.Manifest) { d.write(d.files["A"], []byte(poison)) }, []string{"secret A"}},
		"two swapped files": {func(d *device, m *manifest.Manifest) {
			for i := range m.Secrets {
				m.Secrets[i].File = d.files[map[string]string{"A": "B", "B": "A"}[m.Secrets[i].Name]]
			}
		}, []string{"secret A", "secret B"}},
		"another version": {func(d *device, m *manifest.Manifest) {
			for i := range m.Secrets {
				m.Secrets[i].Version = "20200101T000000Z-00000000"
			}
		}, []string{"secret A", "secret B"}},
		"another host":     {func(d *device, m *manifest.Manifest) { m.Host = "other" }, []string{"secret A", "secret B"}},
		"missing file":     {func(d *device, m *manifest.Manifest) { os.Remove(d.files["B"]) }, []string{"secret B"}},
		"missing host key": {func(d *device, m *manifest.Manifest) { os.Remove(d.key()) }, []string{"host key"}},
		"damaged host key": {func(d *device, m *manifest.Manifest) { d.write(d.key(), []byte(poison)) }, []string{"host key"}},
		"rsa host key": {func(d *device, m *manifest.Manifest) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				d.t.Fatal(err)
			}
			block, err := ssh.MarshalPrivateKey(key, "")
			if err != nil {
				d.t.Fatal(err)
			}
			d.write(d.key(), pem.EncodeToMemory(block))
		}, []string{"host key", "is an rsa key, and secrets are encrypted to ssh-ed25519 keys only"}},
		"another host's key": {func(d *device, m *manifest.Manifest) { m.HostKeys = []string{newDevice(d.t).key()} }, []string{"secret A", "secret B"}},
		"NUL in an env file": {func(d *device, m *manifest.Manifest) {
			d.add("A", poison+"\x00")
			*m = *d.manifest("A")
		}, []string{"secret A", "env/stack.env"}},
		"no logins of registries": {func(d *device, m *manifest.Manifest) {
			d.add("A", poison)
			d.add("B", "me:"+poison+"\n")
			*m = *d.manifest("A")
			m.Logins = []manifest.Login{{Registry: "docker.io", Secret: "A"}, {Registry: "ghcr.io", Secret: "B"}}
		}, []string{"secret A is no login of the registry docker.io", "secret B is no login of the registry ghcr.io"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			d.add("A", "old-a")
			d.add("B", "old-b")
			d.mustInstall(d.manifest("A"))
			before := d.tree()

			d.add("A", poison+"-a")
			d.add("B", poison+"-b")
			m := d.manifest("A")
			c.sabotage(d, m)
			_, err := d.install(m)
			if err == nil {
				t.Fatal("want an error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not name %q: %v", w, err)
				}
			}
			if strings.Contains(err.Error(), poison) {
				t.Errorf("plaintext in the error: %v", err)
			}
			assertTree(t, d, before)
			if got := d.generations(); !slices.Equal(got, []string{"1"}) {
				t.Errorf("left over: %v", got)
			}
		})
	}
}

func TestStorageOnDiskIsRefused(t *testing.T) {
	d := newDevice(t)
	d.add("A", "x")
	if _, err := install.Run(d.manifest(), install.Options{Try: d.dir}); err == nil || !strings.Contains(err.Error(), "in memory") {
		t.Fatalf("want a refusal, got %v", err)
	}
	missing := filepath.Join(d.root, "missing")
	if _, err := install.Run(d.manifest(), install.Options{Try: missing}); err == nil || !strings.HasSuffix(err.Error(), "it must be a folder on a tmpfs: mkdir -p "+missing) {
		t.Fatalf("want what to type, got %v", err)
	}
	m := d.manifest()
	m.Root = d.root // a tmpfs that can be swapped: good enough to try, not for a device
	if _, err := install.Run(m, install.Options{}); err == nil || !strings.Contains(err.Error(), "swap") {
		t.Fatalf("want a refusal, got %v", err)
	}
}

func TestSecondInstallerIsRefused(t *testing.T) {
	d := newDevice(t)
	d.add("A", "x")
	f, err := os.OpenFile(filepath.Join(d.root, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := d.install(d.manifest()); err == nil || !strings.Contains(err.Error(), "another pisec install") {
		t.Fatalf("want a refusal, got %v", err)
	}
}

func TestCheckNeedsNoKey(t *testing.T) {
	d := newDevice(t)
	d.add("A", "x")
	m := d.manifest()
	os.Remove(d.key())
	if err := install.Check(m); err != nil {
		t.Fatal(err)
	}
	m.Secrets[0].Version = "other"
	if err := install.Check(m); err == nil || !strings.Contains(err.Error(), "secret A") {
		t.Fatalf("want a complaint about A, got %v", err)
	}
}

// TestKilledInstaller sends SIGKILL to a real installer at many moments. Two
// sets of secrets take turns; whatever the moment, the current generation is
// one of the two as a whole, and the next run puts the wanted one in place.
func TestKilledInstaller(t *testing.T) {
	d := newDevice(t)
	sets := map[string]*manifest.Manifest{}
	for _, set := range []string{"x", "y"} {
		for i := range setSize {
			d.add(fmt.Sprintf("S%d", i), fmt.Sprintf("%s-%d", set, i))
		}
		sets[set] = d.manifest("S0", "S1")
	}
	d.mustInstall(sets["x"])
	files := map[string]string{}
	for set, m := range sets {
		files[set] = filepath.Join(d.dir, set+".json")
		d.write(files[set], mustJSON(t, m))
	}
	// How long a whole run takes here decides where the kills fall.
	start := time.Now()
	if err := d.process(files["y"]).Run(); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(start)
	for i := range 40 {
		set := []string{"x", "y"}[i%2]
		p := d.process(files[set])
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(whole*time.Duration(i)/40, func() { p.Process.Kill() })
		_ = p.Wait() // killed or not, the invariant holds
		timer.Stop()
		assertOneSet(t, d)
	}
	for set, m := range sets {
		d.mustInstall(m)
		if got := assertOneSet(t, d); got != set {
			t.Fatalf("installed %s, found %s", set, got)
		}
	}
	if n := len(d.generations()); n > 2 {
		t.Fatalf("%d generations are left", n)
	}
}

// assertOneSet checks that all files are of one set, and tells which.
func assertOneSet(t *testing.T, d *device) string {
	t.Helper()
	tree := d.tree()
	set := strings.TrimPrefix(tree["secrets/S0"], "0400 ")[:1]
	for i := range setSize {
		if want := fmt.Sprintf("0400 %s-%d", set, i); tree[fmt.Sprintf("secrets/S%d", i)] != want {
			t.Fatalf("S%d is %q in a generation of set %s", i, tree[fmt.Sprintf("secrets/S%d", i)], set)
		}
	}
	if want := fmt.Sprintf("0400 S0=\"%s-0\"\nS1=\"%s-1\"\n", set, set); tree["env/stack.env"] != want {
		t.Fatalf("the env file is %q in a generation of set %s", tree["env/stack.env"], set)
	}
	if len(tree) != setSize+1 {
		t.Fatalf("%d files instead of %d", len(tree), setSize+1)
	}
	return set
}

// process is this test binary as an installer; TestMain makes it one.
func (d *device) process(manifestFile string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "INSTALL_MANIFEST="+manifestFile, "INSTALL_ROOT="+d.root)
	return cmd
}

func TestMain(m *testing.M) {
	if file := os.Getenv("INSTALL_MANIFEST"); file != "" {
		os.Exit(installerProcess(file, os.Getenv("INSTALL_ROOT")))
	}
	os.Exit(m.Run())
}

func installerProcess(file, root string) int {
	data, err := os.ReadFile(file)
	if err == nil {
		var m *manifest.Manifest
		if m, err = manifest.Read(bytes.NewReader(data)); err == nil {
			_, err = install.Run(m, install.Options{Try: root})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func mustJSON(t *testing.T, m *manifest.Manifest) []byte {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
