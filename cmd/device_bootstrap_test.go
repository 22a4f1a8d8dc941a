//go:build device

package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// server is a virtual Pi that plays a VPS: a Debian without Nix, on which
// bootstrap/nixos.yml makes the host.
var server = machine{number: "6", host: "vps-01", stack: "web"}

// serverFlake gives the virtual Pi's system what bootstrap/system.nix asks of a
// NixOS configuration. Its Nix is the workstation's, with all of its libraries.
const serverFlake = `{
  outputs = { self }: let
    hosts = import ./testdata/vpi/system { root = ./.; };
    inherit (hosts.vps-01.config) system;
    platform = (builtins.fromTOML (builtins.readFile ./hosts/vps-01/host.toml)).system;
    server.config = {
      inherit system;
      nixpkgs.hostPlatform.system = platform;
      fileSystems."/" = { device = "/dev/disk/by-label/NIXOS_SD"; fsType = "ext4"; };
      boot.loader.grub = { enable = true; devices = [ "/dev/vda" ]; };
      users.users.root.openssh.authorizedKeys = { keys = [ ]; keyFiles = [ ./authorized_keys ]; };
      nix.package = derivation {
        name = "nix-of-debian";
        system = platform;
        builder = "/bin/sh";
        PATH = "/usr/bin:/bin:/run/current-system/sw/bin";
        args = [ "-euc" ''
          mkdir -p $out/bin $out/lib
          nix=$(readlink -f $(command -v nix))
          cp -L $nix $out/lib/nix
          cp -L $(ldd $nix | grep -o '/[^ )]*') $out/lib
          loader=$(ldd $nix | grep -o '/[^ ]*/ld-[^ ]*')
          for name in nix-env nix-store; do
            printf '#!/bin/sh\nexec %s --argv0 %s --library-path %s %s "$@"\n' $out/lib/''${loader##*/} $name $out/lib $out/lib/nix >$out/bin/$name
            chmod +x $out/bin/$name
          done
        '' ];
      };
    };
    first = server // { extendModules = _: server; };
  in { nixosConfigurations = hosts // { vps-01 = first; }; };
}
`

// A VPS has a disk, a virtual Pi has none: these stand for the programs that ask
// about it, and run in the shell that calls them. findmnt says what is in
// /root/mounts, one mount a line.
const diskPrograms = `set -eu
cd /usr/local/sbin
cat >findmnt <<'END'
for path; do :; done
columns='$2, $3'
case $* in *'SOURCE /'*) columns='$2' ;; esac
awk -v path="$path" '$1 == path { print '"$columns"'; found = 1 } END { exit !found }' /root/mounts
END
cat >lsblk <<'END'
echo vda
END
cat >e2label <<'END'
if [ $# = 1 ]; then cat /root/label; else echo "$2" >/root/label; fi
END
chmod +x findmnt lsblk e2label
echo cloudimg-rootfs >/root/label
mkdir /root/nix
mv /usr/bin/nix* /root/nix/
test ! -e /nix`

// TestDeviceBootstrap turns a Debian into a host of the fleet with Ansible. What
// is not real: GRUB, the disk, and the initrd, of which TestLustrate runs the one
// script that is ours. Real: Ansible over ssh with the pinned key, all programs of
// bootstrap/, Nix on both sides, and a reboot into the system.
func TestDeviceBootstrap(t *testing.T) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		if os.Getenv("PISTACK_REQUIRE_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip("left out: ansible-playbook is not installed, see testdata/prepare")
	}
	t.Parallel()
	l := newLab(t)
	l.writeFleet(t, "flake.nix", []byte(serverFlake))
	for _, step := range []struct {
		name string
		run  func(t *testing.T, l *lab)
	}{
		{"a machine that cannot become the host is refused, and not changed", refuseMachine},
		{"a machine with another host key gets no command", refuseHostKey},
		{"a boot loader that cannot be installed leaves Debian's", brokenLoader},
		{"the system is there, and would boot", installServer},
		{"a second run changes nothing", installAgain},
		{"it boots, and keeps its host key", bootServer},
		{"NixOS is refused", refuseNixOS},
		{"the next change is a deploy", deployServer},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, l) }) {
			return
		}
	}
}

// play runs the playbook as README.md says, with these variables.
func (l *lab) play(t *testing.T, variables ...string) (string, error) {
	t.Helper()
	l.command(t, "git", "add", "--all").output(t)
	argv := []string{l.script, "in", "ansible-playbook", "-i", server.host + ",", "bootstrap/nixos.yml",
		"-e", "bootstrap_identity_file=" + filepath.Join(vpiFolder(), "id")}
	for _, v := range variables {
		argv = append(argv, "-e", v)
	}
	c := l.command(t, argv...)
	c.Env = append(c.Env, "ANSIBLE_NOCOLOR=1", "ANSIBLE_RETRY_FILES_ENABLED=0", "LC_ALL=C.UTF-8")
	return c.combined()
}

func (l *lab) played(t *testing.T, variables ...string) string {
	t.Helper()
	out, err := l.play(t, variables...)
	if err != nil {
		t.Fatalf("ansible-playbook: %v\n%s", err, out)
	}
	return out
}

func (l *lab) wantRefused(t *testing.T, words ...string) {
	t.Helper()
	out, err := l.play(t)
	if err == nil {
		t.Fatalf("the machine was not refused:\n%s", out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("the refusal does not say %q:\n%s", w, out)
		}
	}
}

// traces of the playbook on the machine.
func (l *lab) bootstrapState(t *testing.T) string {
	t.Helper()
	return l.ssh(t, server, "ls -d /nix /etc/NIXOS* /boot /boot.debian /old-root 2>/dev/null; cat /root/label; readlink -f /nix/var/nix/profiles/system; sha256sum /etc/ssh/ssh_host_ed25519_key")
}

func refuseMachine(t *testing.T, l *lab) {
	l.boot(t, server)
	l.ssh(t, server, diskPrograms)
	l.ssh(t, server, "printf '%s\\n' '/ /dev/sdb1 xfs' '/boot /dev/sdb2 ext4' >/root/mounts; mkdir /old-root")
	before := l.bootstrapState(t)
	l.wantRefused(t, "/ is xfs, and the host's configuration says ext4", "/boot is a file system of its own", "/old-root is there already",
		"nobody could log in afterwards", "nothing was changed")
	// Then with GRUB on another disk than the root's, and all else as it must be.
	key, err := os.ReadFile(filepath.Join(vpiFolder(), "id.pub"))
	if err != nil {
		t.Fatal(err)
	}
	l.writeFleet(t, "authorized_keys", append([]byte("# who may log in\n"), key...))
	l.ssh(t, server, "echo '/ /dev/sdb1 ext4' >/root/mounts; rmdir /old-root; sed -i s/vda/sdb/ /usr/local/sbin/lsblk")
	l.wantRefused(t, "/ is on /dev/sdb, and GRUB would go to /dev/vda: set boot.loader.grub.device", "nothing was changed")
	l.ssh(t, server, "echo '/ /dev/vda1 ext4' >/root/mounts; sed -i s/sdb/vda/ /usr/local/sbin/lsblk")
	if after := l.bootstrapState(t); strings.ReplaceAll(before, "/old-root\n", "") != after {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

func refuseHostKey(t *testing.T, l *lab) {
	file := "hosts/vps-01/ssh_host_ed25519_key.pub"
	good, before := l.readFleet(t, file), l.bootstrapState(t)
	other, err := keyPair(filepath.Join(l.work, "another"))
	if err != nil {
		t.Fatal(err)
	}
	l.writeFleet(t, file, []byte(other+"\n"))
	l.wantRefused(t, "Host key verification failed", "unreachable=1")
	l.writeFleet(t, file, good)
	if after := l.bootstrapState(t); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

// brokenLoader has a system whose switch-to-configuration fails, after it wrote
// something to /boot.
func brokenLoader(t *testing.T, l *lab) {
	l.ssh(t, server, "echo debian >/boot/vmlinuz")
	before := l.ssh(t, server, "find /boot /boot.debian -type f 2>/dev/null | sort; cat /root/label")
	const file = "testdata/vpi/system/switch-to-configuration"
	good := l.readFleet(t, file)
	replaced(file, "boot) exit 0 ;;", "boot) echo grub >/boot/vmlinuz; exit 1 ;;")(t, l)
	l.wantRefused(t, "the boot loader was not installed; /boot is as it was", "failed=1")
	l.writeFleet(t, file, good)
	if after := l.ssh(t, server, "find /boot /boot.debian -type f 2>/dev/null | sort; cat /root/label"); after != before || !strings.Contains(before, "/boot/vmlinuz") {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
	if content := l.ssh(t, server, "cat /boot/vmlinuz"); content != "debian" {
		t.Errorf("/boot/vmlinuz: %s", content)
	}
}

func installServer(t *testing.T, l *lab) {
	before := l.bootstrapState(t)
	out := l.played(t, "bootstrap_reboot=false")
	wantLine(t, out, `^vps-01 +: ok=\d+ +changed=[1-9]`)
	state := l.bootstrapState(t)
	wantLine(t, state, `^/boot\n/boot.debian\n/etc/NIXOS\n/etc/NIXOS_LUSTRATE\n/nix\nNIXOS_SD\n/nix/store/[a-z0-9]{32}-nixos-system-vps-01\n`)
	if key := before[strings.LastIndex(before, "\n"):]; !strings.HasSuffix(state, key) {
		t.Errorf("the host key changed:\n%s\n%s", before, state)
	}
	if kept := l.ssh(t, server, "cat /etc/NIXOS_LUSTRATE"); kept != "etc/ssh/ssh_host_ed25519_key\netc/ssh/ssh_host_ed25519_key.pub" {
		t.Errorf("what is kept: %s", kept)
	}
	if running := l.ssh(t, server, "ls -d /run/current-system /run/pistack 2>/dev/null || true"); running != "" {
		t.Errorf("something of the system runs already: %s", running)
	}
}

func installAgain(t *testing.T, l *lab) {
	before := l.bootstrapState(t)
	out := l.played(t, "bootstrap_reboot=false")
	wantLine(t, out, `^vps-01 +: ok=\d+ +changed=0 +unreachable=0 +failed=0`)
	if after := l.bootstrapState(t); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

func bootServer(t *testing.T, l *lab) {
	out := l.played(t)
	wantLine(t, out, `vps-01 runs NixOS: pistack deploy vps-01`)
	l.ssh(t, server, "systemctl start pistack-web") // waits for the one that the boot started
	if got := l.ssh(t, server, "docker ps --format '{{.Label \"com.docker.compose.service\"}}' | sort"); got != "app\ncaddy" {
		t.Fatalf("containers: %s", got)
	}
}

func refuseNixOS(t *testing.T, l *lab) {
	before := l.bootstrapState(t)
	l.wantRefused(t, "this machine runs NixOS already: pistack deploy changes it")
	if after := l.bootstrapState(t); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

// deployServer changes a file of the stack. The system has the Nix that NixOS
// would have in its PATH.
func deployServer(t *testing.T, l *lab) {
	l.ssh(t, server, "mv /root/nix/* /usr/bin/")
	before := l.containers(t, server)
	file := "stacks/web/Caddyfile"
	l.writeFleet(t, file, append(l.readFleet(t, file), "\n# changed\n"...))
	out := l.deploy(t, server)
	wantLine(t, out, `^vps-01 +deployed +`)
	wantRecreated(t, before, l.containers(t, server), "caddy")
	if got := l.ssh(t, server, "readlink -f /run/current-system"); !regexp.MustCompile(`-nixos-system-vps-01$`).MatchString(got) {
		t.Errorf("runs %s", got)
	}
}
