package doctor_test

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"pistack/internal/doctor"
	"pistack/internal/fleet"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// bench is a workstation whose programs are shell scripts of the test's.
type bench struct {
	doctor.Workstation
	bin string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{bin: filepath.Join(dir, "bin")}
	b.System, b.Home = filepath.Join(dir, "system"), filepath.Join(dir, "home")
	b.Fleet = &fleet.Fleet{Root: filepath.Join(dir, "fleet")}
	b.Hosts = []fleet.Host{{Name: "pi", System: "aarch64-linux", Stacks: []string{"web"}}}
	b.Key = filepath.Join(b.Home, ".ssh/id_ed25519")
	public := b.keyPair(t, b.Key, "")
	b.Fleet.Operators = []string{public + " ann"}
	b.put(t, filepath.Join(b.Fleet.Root, "stacks/web/compose.yaml"), "services:\n  web:\n    image: x\n")
	b.program(t, "nix", `case "$*" in
--version) echo 'nix (Nix) 2.24.1' ;;
*getFlake*) echo true ;;
*'config show') printf 'builders = \nextra-platforms = i686-linux\nsystem = aarch64-linux\n' ;;
esac`)
	for name, script := range map[string]string{"nix-store": "", "nixos-rebuild": "# --store-path", "ssh": "echo user root", "ssh-add": "echo a key", "docker": "echo 26.1"} {
		b.program(t, name, script)
	}
	real, err := exec.LookPath("git")
	if err == nil {
		err = os.Symlink(real, filepath.Join(b.bin, "git"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", b.bin)
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	t.Setenv("GIT_CONFIG_SYSTEM", "/dev/null")
	b.git(t, "init", "-q")
	b.git(t, "add", ".")
	b.git(t, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x")
	return b
}

func (b *bench) git(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", b.Fleet.Root}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

func (b *bench) put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) program(t *testing.T, name, script string) {
	t.Helper()
	path := filepath.Join(b.bin, name)
	b.put(t, path, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) without(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(b.bin, name)); err != nil {
		t.Fatal(err)
	}
}

// settings has nix show other ones.
func (b *bench) settings(t *testing.T, text string) {
	t.Helper()
	b.program(t, "nix", "case \"$*\" in --version) echo 'nix (Nix) 2.24.1' ;; *getFlake*) echo true ;; *show*) printf '"+text+"' ;; esac")
}

// binfmt registers an emulator.
func (b *bench) binfmt(t *testing.T, text string) {
	t.Helper()
	b.settings(t, `system = x86_64-linux\nextra-platforms = aarch64-linux i686-linux\n`)
	b.put(t, filepath.Join(b.System, "proc/sys/fs/binfmt_misc/qemu-aarch64"), text)
}

func (b *bench) keyPair(t *testing.T, path, passphrase string) (public string) {
	t.Helper()
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	b.put(t, path, string(pem.EncodeToMemory(block)))
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// TestWorkstation: a change of a workstation on which all is well, and the check
// that it changes.
func TestWorkstation(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*testing.T, *bench)
		check  string
		level  doctor.Level
		text   string
	}{
		{"nix", func(*testing.T, *bench) {}, "nix", doctor.OK, "nix (Nix) 2.24.1"},
		{"no nix", func(t *testing.T, b *bench) { b.without(t, "nix") }, "nix", doctor.Problem, "not on PATH"},
		{"old nix", func(t *testing.T, b *bench) { b.program(t, "nix", "echo 'nix (Nix) 2.3.16'") }, "nix", doctor.Problem, "2.4 is the first"},
		{"nix without version", func(t *testing.T, b *bench) { b.program(t, "nix", "echo hello") }, "nix", doctor.Warning, "says no version"},
		{"broken nix", func(t *testing.T, b *bench) { b.program(t, "nix", "echo no such library >&2; exit 127") }, "nix", doctor.Problem, "no such library"},
		{"nix hangs", func(t *testing.T, b *bench) {
			b.Limit = 2 * time.Second
			b.program(t, "nix", "exec /bin/sleep 1000")
		}, "nix", doctor.Problem, "did not answer within 2s"},
		{"100 MB", func(t *testing.T, b *bench) {
			b.program(t, "nix", "/usr/bin/yes nonsense | /usr/bin/head -c 100000000")
		}, "nix", doctor.Warning, "says no version"},
		{"flakes", func(*testing.T, *bench) {}, "flakes", doctor.OK, ""},
		{"no flakes", func(t *testing.T, b *bench) { b.program(t, "nix", "echo 2.4; exit 0") }, "flakes", doctor.Problem, "does not know flakes"},
		{"store", func(*testing.T, *bench) {}, "nix store", doctor.OK, "answers"},
		{"no daemon", func(t *testing.T, b *bench) {
			b.program(t, "nix-store", "echo error: cannot connect to daemon >&2; exit 1")
		}, "nix store", doctor.Problem, "cannot connect to daemon"},

		{"native", func(*testing.T, *bench) {}, "builds for aarch64-linux", doctor.OK, "natively"},
		{"old command", func(t *testing.T, b *bench) {
			b.program(t, "nix", `case "$*" in *'config show') exit 1 ;; *show-config) echo 'system = aarch64-linux' ;; esac`)
		}, "builds for aarch64-linux", doctor.OK, "natively"},
		{"no way", func(t *testing.T, b *bench) { b.settings(t, `system = x86_64-linux\n`) }, "builds for aarch64-linux", doctor.Problem, "is x86_64-linux, and no remote builder"},
		{"builder", func(t *testing.T, b *bench) {
			b.settings(t, `system = x86_64-linux\nbuilders = ssh-ng://big aarch64-linux,x86_64-linux - 8 ; ssh://small riscv64-linux\n`)
		}, "builds for aarch64-linux", doctor.OK, "on ssh-ng://big"},
		{"builders in a file", func(t *testing.T, b *bench) {
			b.settings(t, `system = x86_64-linux\nbuilders = @/etc/nix/machines\n`)
			b.put(t, filepath.Join(b.System, "etc/nix/machines"), "# comment\n@/etc/nix/machines\nssh://pi@big aarch64-linux /key 4\n")
		}, "builds for aarch64-linux", doctor.OK, "on ssh://pi@big"},
		{"no file", func(t *testing.T, b *bench) {
			b.settings(t, `system = x86_64-linux\nbuilders = @/etc/nix/machines\n`)
		}, "builds for aarch64-linux", doctor.Problem, ""},
		{"emulated", func(t *testing.T, b *bench) {
			b.binfmt(t, "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n")
		}, "builds for aarch64-linux", doctor.OK, "emulated, which is slow"},
		{"emulated without F", func(t *testing.T, b *bench) {
			b.binfmt(t, "enabled\ninterpreter /usr/bin/qemu-aarch64\nflags: OC\n")
		}, "builds for aarch64-linux", doctor.Problem, "without the flag F"},
		{"emulated by NixOS", func(t *testing.T, b *bench) {
			b.binfmt(t, "enabled\ninterpreter /run/binfmt/aarch64-linux\nflags: P\n")
		}, "builds for aarch64-linux", doctor.OK, "by NixOS"},
		{"emulation off", func(t *testing.T, b *bench) { b.binfmt(t, "disabled\ninterpreter /x\nflags: F\n") }, "builds for aarch64-linux", doctor.Problem, "turned off"},
		{"nix.conf alone", func(t *testing.T, b *bench) {
			b.settings(t, `system = x86_64-linux\nextra-platforms = aarch64-linux\n`)
		}, "builds for aarch64-linux", doctor.Problem, "has no emulation"},

		{"nixos-rebuild", func(*testing.T, *bench) {}, "nixos-rebuild", doctor.OK, "has --store-path"},
		{"no nixos-rebuild", func(t *testing.T, b *bench) { b.without(t, "nixos-rebuild") }, "nixos-rebuild", doctor.Problem, "not on PATH"},
		{"old nixos-rebuild", func(t *testing.T, b *bench) { b.program(t, "nixos-rebuild", "exit 9") }, "nixos-rebuild", doctor.Warning, "evaluates a host once more"},
		{"nixos-rebuild of modules", func(t *testing.T, b *bench) {
			b.program(t, "nixos-rebuild", "exit 9")
			b.put(t, filepath.Join(filepath.Dir(b.bin), "lib/python3.13/site-packages/nixos_rebuild/__init__.py"), `add_argument("--store-path")`)
		}, "nixos-rebuild", doctor.OK, "__init__.py"},

		{"agent", func(*testing.T, *bench) {}, "ssh key", doctor.OK, "the agent has 1"},
		{"empty agent, own key", func(t *testing.T, b *bench) { b.program(t, "ssh-add", "exit 1") }, "ssh key", doctor.OK, "id_ed25519"},
		{"no agent, locked key", func(t *testing.T, b *bench) {
			b.program(t, "ssh-add", "exit 2")
			b.keyPair(t, b.Key, "secret")
		}, "ssh key", doctor.Warning, "has a passphrase"},
		{"no agent, no key", func(t *testing.T, b *bench) {
			b.program(t, "ssh-add", "exit 2")
			b.Home = t.TempDir()
		}, "ssh key", doctor.Warning, "no agent is running"},
		{"empty agent, no key", func(t *testing.T, b *bench) {
			b.program(t, "ssh-add", "exit 1")
			b.Home = t.TempDir()
		}, "ssh key", doctor.Warning, "the agent has no key"},
		{"named key", func(t *testing.T, b *bench) { b.Identity = b.Key }, "ssh key", doctor.OK, "id_ed25519"},
		{"named key is none", func(t *testing.T, b *bench) {
			b.Identity = filepath.Join(b.Home, "x")
			b.put(t, b.Identity, "SECRET-TEXT")
		}, "ssh key", doctor.Problem, "is not a private ssh key"},
		{"no ssh", func(t *testing.T, b *bench) { b.without(t, "ssh") }, "ssh", doctor.Problem, "not on PATH"},
		{"ssh's configuration", func(t *testing.T, b *bench) { b.program(t, "ssh", "echo line 3: bad >&2; exit 255") }, "ssh", doctor.Problem, "line 3: bad"},

		{"docker", func(t *testing.T, b *bench) { b.builds(t) }, "buildx", doctor.OK, "26.1"},
		{"no docker", func(t *testing.T, b *bench) { b.builds(t); b.without(t, "docker") }, "docker", doctor.Problem, "needed by the build: of web"},
		{"no daemon of docker", func(t *testing.T, b *bench) {
			b.builds(t)
			b.program(t, "docker", "echo Cannot connect >&2; exit 1")
		}, "docker", doctor.Problem, "Cannot connect"},
		{"no buildx", func(t *testing.T, b *bench) {
			b.builds(t)
			b.program(t, "docker", "case $1 in buildx) exit 1 ;; *) echo 26 ;; esac")
		}, "buildx", doctor.Problem, "does not run"},

		{"git", func(*testing.T, *bench) {}, "git", doctor.OK, "is clean"},
		{"dirty", func(t *testing.T, b *bench) { b.builds(t) }, "git", doctor.Warning, "in no commit"},
		{"no repository", func(t *testing.T, b *bench) { b.Fleet.Root = t.TempDir() }, "git", doctor.Problem, "not a git repository"},
		{"no git", func(t *testing.T, b *bench) { b.without(t, "git") }, "git", doctor.Problem, "not on PATH"},

		{"operator", func(*testing.T, *bench) {}, "operator key", doctor.OK, "is an operator's"},
		{"operator with a passphrase", func(t *testing.T, b *bench) {
			b.Fleet.Operators = []string{"age1x", b.keyPair(t, b.Key, "secret")}
		}, "operator key", doctor.OK, "is an operator's"},
		{"no operator", func(t *testing.T, b *bench) { b.keyPair(t, b.Key, "") }, "operator key", doctor.Warning, "is no operator's"},
		{"operators are none", func(_ *testing.T, b *bench) { b.Fleet.Operators = nil }, "operator key", doctor.Warning, "names no operator"},
		{"no key", func(_ *testing.T, b *bench) { b.Key += "x" }, "operator key", doctor.Warning, "no such file"},
		{"age key", func(t *testing.T, b *bench) {
			identity, err := age.GenerateX25519Identity()
			if err != nil {
				t.Fatal(err)
			}
			b.put(t, b.Key, "# created\n"+identity.String()+"\n")
			b.Fleet.Operators = []string{identity.Recipient().String()}
		}, "operator key", doctor.OK, "is an operator's"},
		{"a plugin's key", func(t *testing.T, b *bench) { b.put(t, b.Key, "AGE-PLUGIN-YUBIKEY-1XXX\n") }, "operator key", doctor.OK, "cannot be told"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.Limit = time.Minute
			c.change(t, b)
			checks := b.Checks(t.Context())
			for _, found := range checks {
				if found.Name != c.check {
					continue
				}
				if len(found.Text) > 1000 || found.Level != c.level || !strings.Contains(found.Text, c.text) || found.Level != doctor.OK && found.Fix == "" || strings.Contains(found.Text, "SECRET") {
					t.Errorf("%+v, want %s: %q", found, c.level, c.text)
				}
				return
			}
			t.Errorf("no check %q: %+v", c.check, checks)
		})
	}
}

// builds gives the stack an image that is built here.
func (b *bench) builds(t *testing.T) {
	t.Helper()
	b.put(t, filepath.Join(b.Fleet.Root, "stacks/web/compose.yaml"), "services:\n  web:\n    build: .\n")
}

// TestAllIsWell: nothing to do, and nothing about what is not used.
func TestAllIsWell(t *testing.T) {
	checks := newBench(t).Checks(t.Context())
	if n := doctor.Count(checks); n.OK != len(checks) || n.OK != 8 {
		t.Errorf("%+v: %+v", n, checks)
	}
}

// TestCanceled: a doctor that nobody waits for leaves.
func TestCanceled(t *testing.T) {
	b := newBench(t)
	b.program(t, "nix", "exec /bin/sleep 1000")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := doctor.Count(b.Checks(ctx)); n.Problems == 0 {
		t.Errorf("%+v", n)
	}
}

func now() time.Time { return time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC) }

// TestMachine: a change of a machine on which all is well.
func TestMachine(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*target.Checkup)
		check  string
		level  doctor.Level
	}{
		{"fine", func(*target.Checkup) {}, "", doctor.OK},
		{"architecture", func(c *target.Checkup) { c.Arch = "x86_64" }, "architecture", doctor.Problem},
		{"memory", func(c *target.Checkup) { c.CgroupMemory = false }, "memory limits", doctor.Warning},
		{"little room", func(c *target.Checkup) { c.StoreFree = 500 << 20 }, "nix store", doctor.Warning},
		{"no room", func(c *target.Checkup) { c.StoreFree = 1 << 20 }, "nix store", doctor.Problem},
		{"no room for images", func(c *target.Checkup) { c.DockerFree = 1 << 20 }, "docker's disk", doctor.Problem},
		{"clock", func(c *target.Checkup) { c.Now = now().Add(2 * time.Minute) }, "clock", doctor.Warning},
		{"clock far off", func(c *target.Checkup) { c.Now = time.Unix(0, 0) }, "clock", doctor.Problem},
		{"clock alone", func(c *target.Checkup) { c.Synchronised = false }, "clock", doctor.Warning},
		{"read-only", func(c *target.Checkup) { c.Writable = false }, "store writable", doctor.Problem},
		{"not trusted", func(c *target.Checkup) { c.Trusted, c.Login = false, "ann" }, "store writable", doctor.Problem},
		{"docker", func(c *target.Checkup) { c.Docker = "" }, "docker", doctor.Problem},
		{"secrets on a disk", func(c *target.Checkup) { c.Secrets = "ext2/ext3" }, "secrets", doctor.Problem},
		{"no secrets", func(c *target.Checkup) { c.Secrets = "" }, "secrets", doctor.Warning},
		{"units", func(c *target.Checkup) { c.Failed = []string{"x.service"} }, "units", doctor.Warning},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkup := target.Checkup{
				State: target.State{Arch: "aarch64", StoreFree: 1 << 40, DockerFree: 1 << 40, Now: now()},
				Login: "root", Trusted: true, Writable: true, Secrets: "ramfs", StoreTotal: 1 << 41,
				Docker: "26", CgroupMemory: true, Synchronised: true,
			}
			c.change(&checkup)
			h := fleet.Host{Name: "pi", System: "aarch64-linux", Stacks: []string{"web"}}
			for _, found := range doctor.Machine(h, checkup, true, now()) {
				want := doctor.OK
				if found.Name == c.check {
					want = c.level
				}
				if found.Level != want || found.Subject != "pi" || want != doctor.OK && found.Fix == "" {
					t.Errorf("%+v, want %s", found, want)
				}
			}
		})
	}
}

func TestUnreached(t *testing.T) {
	err := &remote.Error{Host: "pi", Kind: remote.WrongKey, Message: "pi: has another key", Fix: "do this"}
	if got := doctor.Unreached("pi", fmt.Errorf("%w", err)); len(got) != 1 || got[0].Name != "pinned key" || got[0].Text != "has another key" || got[0].Fix != "do this" {
		t.Errorf("%+v", got)
	}
	if got := doctor.Unreached("pi", errors.New("pi: gone")); got[0].Name != "reachable" || got[0].Level != doctor.Problem {
		t.Errorf("%+v", got)
	}
}
