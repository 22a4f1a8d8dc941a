package remote_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pistack/internal/remote"
)

var update = flag.Bool("update", false, "write the golden files")

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPti/ekoVsgnQb4HZSWCGReKiRNKJFfb6QU/rsqMRh4K"

func box(change ...func(*remote.Host)) remote.Host {
	h := remote.Host{Name: "rpi-box-01", Address: "10.1.2.3", User: "root", Port: 2222, PublicKey: key + " root@rpi-box-01"}
	for _, c := range change {
		c(&h)
	}
	return h
}

func newConfig(t *testing.T, o remote.Options, hosts ...remote.Host) *remote.Config {
	t.Helper()
	c, err := remote.NewConfig(hosts, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func written(t *testing.T, o remote.Options, hosts ...remote.Host) *remote.Config {
	t.Helper()
	c := newConfig(t, o, hosts...)
	if err := c.Write(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFolderPaths: nixos-rebuild splits NIX_SSHOPTS at spaces and cannot quote.
func TestFolderPaths(t *testing.T) {
	for _, dir := range []string{"", "state", "/a b", "/a\tb", "/a\nb", `/a"b`, "/a'b", "/a%b", `/a\b`, "/a$b", "/a*b", "/~a", "/a;b"} {
		_, err := remote.NewConfig(nil, remote.Options{Dir: dir})
		var refused *remote.Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), fmt.Sprintf("%q", dir)) || refused.Hint() == "" {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

// TestHostsRefused: nothing of a host can become an option of its own.
func TestHostsRefused(t *testing.T) {
	for what, change := range map[string]func(*remote.Host){
		"name":    func(h *remote.Host) { h.Name = "-oProxyCommand=x" },
		"pattern": func(h *remote.Host) { h.Name = "*" },
		"address": func(h *remote.Host) { h.Address = "10.0.0.1\n  ProxyCommand x" },
		"option":  func(h *remote.Host) { h.Address = "-x" },
		"user":    func(h *remote.Host) { h.User = "root\n" },
		"key":     func(h *remote.Host) { h.PublicKey = key + "\n* " + key },
		"no key":  func(h *remote.Host) { h.PublicKey = "" },
		"port":    func(h *remote.Host) { h.Port = 70000 },
	} {
		if _, err := remote.NewConfig([]remote.Host{box(change)}, remote.Options{Dir: "/state"}); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}

// TestFiles holds the generated files to their goldens, in which their folder is
// called FOLDER.
func TestFiles(t *testing.T) {
	other := remote.Host{Name: "other", PublicKey: key}
	v6 := box(func(h *remote.Host) { h.Address = "fe80::1%eth0" })
	for _, c := range []struct {
		name    string
		options remote.Options
		hosts   []remote.Host
	}{
		{"plain", remote.Options{}, []remote.Host{box()}},
		{"full", remote.Options{IdentityFile: `/home/me/100% my "keys"/id`, UserConfig: "/home/me/.ssh/config"}, []remote.Host{v6, other}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options.Dir = filepath.Join(t.TempDir(), "new", "state")
			config := written(t, c.options, c.hosts...)
			dir := filepath.Dir(config.Path())
			for _, name := range []string{"config", "known_hosts"} {
				file := filepath.Join(dir, name)
				golden(t, c.name+"."+name, strings.ReplaceAll(read(t, file), dir, "FOLDER"))
				if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
				}
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("folder: %v, %v", info.Mode(), err)
			}
		})
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, file); got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

// TestPaths: other content, other path; what nobody used for long goes away, and
// nothing else.
func TestPaths(t *testing.T) {
	o := remote.Options{Dir: t.TempDir()}
	a := written(t, o, box())
	b := written(t, o, box(func(h *remote.Host) { h.Port = 23 }))
	if a.Path() == b.Path() || newConfig(t, o, box()).Path() != a.Path() {
		t.Fatalf("paths %s and %s", a.Path(), b.Path())
	}
	foreign := filepath.Join(o.Dir, "ssh", "mine")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-31 * 24 * time.Hour)
	for _, dir := range []string{filepath.Dir(a.Path()), filepath.Dir(b.Path()), foreign} {
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	written(t, o, box())
	for path, want := range map[string]bool{a.Path(): true, b.Path(): false, foreign: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// hostile is a user's configuration that would undo the pinning if it could.
const hostile = `UserKnownHostsFile /evil/known_hosts
GlobalKnownHostsFile /evil/known_hosts
StrictHostKeyChecking no
CheckHostIP yes
VerifyHostKeyDNS yes
UpdateHostKeys yes
HostKeyAlias evil
HostKeyAlgorithms ssh-rsa
KnownHostsCommand /evil/command
NoHostAuthenticationForLocalhost yes
ControlMaster auto
ControlPath /evil/%C
ForwardAgent yes
ForwardX11 yes
BatchMode no
Hostname evil.example
Port 1
User evil
RequestTTY force
RemoteCommand /evil/command
CanonicalizeHostname always
PermitLocalCommand yes
LocalForward 8080 localhost:80

Match all
  StrictHostKeyChecking no

Host *
  ProxyJump bastion
  IdentityFile /home/me/.ssh/from_config

Host rpi-box-01
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking accept-new
`

// guarded is what no configuration of the user's may change.
func guarded(knownHosts string) map[string]string {
	return map[string]string{
		"hostkeyalias": "rpi-box-01", "hostkeyalgorithms": "ssh-ed25519",
		"userknownhostsfile": knownHosts, "globalknownhostsfile": "/dev/null",
		"stricthostkeychecking": "true", "verifyhostkeydns": "false", "updatehostkeys": "false", "checkhostip": "no",
		"nohostauthenticationforlocalhost": "no", "controlmaster": "false", "controlpath": "", "knownhostscommand": "",
		"batchmode": "yes", "forwardagent": "no", "forwardx11": "no", "connecttimeout": "15", "serveraliveinterval": "15",
		"requesttty": "false", "remotecommand": "", "canonicalizehostname": "false", "permitlocalcommand": "no", "clearallforwardings": "yes",
	}
}

// TestSSHReadsConfig: ssh itself takes the pinned options from the generated
// configuration, whatever the user's own says; what it may add, it adds.
func TestSSHReadsConfig(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh not on PATH")
	}
	dir, home := t.TempDir(), filepath.Join(t.TempDir(), "my home")
	user := func(name, text string) string {
		path := filepath.Join(home, ".ssh", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	evil := user("evil", hostile)
	fine := user("fine", "Host rpi-*\n  User admin\n  Port 2200\n  ProxyJump me@bastion:2022\nHost rpi-box-01\n  HostName pi.example\n")
	open := func(h *remote.Host) { h.User, h.Port, h.Address = "", 0, "" }
	for _, c := range []struct {
		name    string
		options remote.Options
		change  func(*remote.Host)
		want    map[string]string
	}{
		{"no user configuration", remote.Options{}, func(*remote.Host) {}, map[string]string{"proxyjump": ""}},
		{"user configuration that is not there", remote.Options{UserConfig: filepath.Join(home, "none")}, func(*remote.Host) {}, map[string]string{"proxyjump": ""}},
		{"hostile user configuration", remote.Options{UserConfig: evil}, func(*remote.Host) {}, map[string]string{"proxyjump": "bastion", "identityfile": "/home/me/.ssh/from_config"}},
		{"hostile, and the repository is silent", remote.Options{UserConfig: evil}, open, map[string]string{"user": "evil", "port": "1", "hostname": "evil.example", "proxyjump": "bastion"}},
		{"the repository is silent", remote.Options{UserConfig: fine}, open, map[string]string{"user": "admin", "port": "2200", "hostname": "pi.example", "proxyjump": "me@bastion:2022"}},
		{"both are silent", remote.Options{}, open, map[string]string{"user": "root", "port": "22", "hostname": "rpi-box-01"}},
		{"identity file", remote.Options{IdentityFile: filepath.Join(home, "100% id")}, func(*remote.Host) {}, map[string]string{"identityfile": filepath.Join(home, "100%% id"), "identitiesonly": "yes"}},
		{"address with a zone", remote.Options{UserConfig: evil}, func(h *remote.Host) { h.Address = "fe80::1%eth0" }, map[string]string{"hostname": "fe80::1%eth0", "proxyjump": "bastion"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options.Dir = dir
			config := written(t, c.options, box(c.change))
			out, err := exec.Command(ssh, "-G", "-F", config.Path(), "rpi-box-01").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			want := guarded(filepath.Join(filepath.Dir(config.Path()), "known_hosts"))
			want["hostname"], want["port"], want["user"] = "10.1.2.3", "2222", "root"
			for name, value := range c.want {
				want[name] = value
			}
			wantOptions(t, string(out), want)
			settings, err := config.Resolve(t.Context(), "rpi-box-01")
			if err != nil || settings.User != want["user"] || fmt.Sprint(settings.Port) != want["port"] || settings.Address != want["hostname"] || settings.Jump != want["proxyjump"] {
				t.Errorf("settings %+v, %v", settings, err)
			}
		})
	}
}

// wantOptions compares what "ssh -G" prints; "" is not said, or "none".
func wantOptions(t *testing.T, out string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, seen := got[name]; !seen {
			got[name] = value
		}
	}
	for name, value := range want {
		if got[name] != value && !(value == "" && got[name] == "none") {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	if got["localforward"] != "" && got["clearallforwardings"] != "yes" {
		t.Errorf("forwards %q", got["localforward"])
	}
}

// TestJumpHost: the user's own known_hosts speaks for a jump host, and nobody is
// asked anything.
func TestJumpHost(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh not on PATH")
	}
	user := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(user, []byte("Host *\n  UserKnownHostsFile /home/me/known\nBatchMode no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := written(t, remote.Options{Dir: t.TempDir(), UserConfig: user, IdentityFile: "/id"}, box())
	out, err := exec.Command(ssh, "-G", "-F", config.Path(), "bastion").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wantOptions(t, string(out), map[string]string{"userknownhostsfile": "/home/me/known", "batchmode": "yes", "port": "22", "hostkeyalias": "", "connecttimeout": "15"})
	if strings.Contains(string(out), "identitiesonly yes") {
		t.Error("the fleet's identity file is the jump host's, too")
	}
}

// TestResolveFails: the user's own mistake is named.
func TestResolveFails(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh not on PATH")
	}
	user := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(user, []byte("NoSuchOption yes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := written(t, remote.Options{Dir: t.TempDir(), UserConfig: user}, box())
	_, err := config.Resolve(t.Context(), "rpi-box-01")
	if err == nil || !strings.Contains(err.Error(), "does not understand its configuration") {
		t.Errorf("error %v", err)
	}
	if _, err := config.Resolve(t.Context(), "another"); err == nil {
		t.Error("a host of no fleet was resolved")
	}
	t.Setenv("PATH", t.TempDir())
	var failed *remote.Error
	if _, err := config.Resolve(t.Context(), "rpi-box-01"); !errors.As(err, &failed) || !strings.Contains(err.Error(), "not found") || strings.Contains(failed.Fix, "config") || failed.Fix == "" {
		t.Errorf("without ssh: %v, %+v", err, failed)
	}
}
