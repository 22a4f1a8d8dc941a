package generate_test

import (
	"errors"
	"os"
	"slices"
	"testing"
)

const (
	login = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPti/ekoVsgnQb4HZSWCGReKiRNKJFfb6QU/rsqMRh4K me@laptop"
	other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJfmK5lIXHgsvB8W9dNWPNPVYcQ1MqjGaq/d0z1ZQX0N"
)

// TestLoginKeys: who could not log in is said before a system is built.
func TestLoginKeys(t *testing.T) {
	const nobody = "authorized_keys: error: has no key, so nobody could log in, and no system builds [login-key]"
	for _, c := range []struct {
		name, text string
		more       map[string]string
		want       []string
	}{
		{"a key", "# who\n\n" + login + "\r\n  from=\"10.0.0.*\" " + login + "\n", nil, nil},
		{"empty", "", nil, []string{nobody}},
		{"comments", "# who may log in\n \n", nil, []string{nobody}},
		{"garbage", login + "\n  sssh-ed25519 AAAA\n", nil, []string{"authorized_keys:2:3: error: is not a public ssh key, and sshd ignores it [login-key]"}},
		{"a module lets somebody in", "", map[string]string{"modules/me.nix": "{ users.users.root.openssh.authorizedKeys.keys = [ ]; }"}, nil},
		{"another kind of flake", "x", map[string]string{"flake.nix": "{ }"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newFleet(t)
			r.write("authorized_keys", c.text)
			for file, text := range c.more {
				r.write(file, text)
			}
			r.git("add", "--all")
			r.wantKeys(c.want...)
		})
	}
	t.Run("not there as a file", func(t *testing.T) {
		r := newFleet(t)
		r.wantKeys("authorized_keys: error: is missing, so nobody could log in, and no system builds [login-key]")
		r.write("authorized_keys", login)
		r.wantKeys("authorized_keys: error: is not tracked by Git, so the flake does not see it [login-key]")
		if err := errors.Join(os.Remove(r.path("authorized_keys")), os.Mkdir(r.path("authorized_keys"), 0o755)); err != nil {
			t.Fatal(err)
		}
		r.wantKeys("authorized_keys: error: cannot be read: is not a regular file [login-key]")
	})
}

// TestSharedKeys: two hosts with one key, whatever its comments.
func TestSharedKeys(t *testing.T) {
	r := newRepository(t)
	for name, key := range map[string]string{"pi": login, "pi2": other, "pi3": login[:len(login)-9] + " other\n", "pi4": "garbage"} {
		r.write("hosts/"+name+"/host.toml", hostToml)
		r.write("hosts/"+name+"/ssh_host_ed25519_key.pub", key)
	}
	r.wantKeys("hosts/pi3/ssh_host_ed25519_key.pub:1:1: error: is also the key of pi: who has one of the machines can read the secrets of both [shared-key]")
}

// newFleet is a repository whose flake is made by mkFleet.
func newFleet(t *testing.T) repository {
	t.Helper()
	r := newRepository(t)
	r.write("flake.nix", "{ x = lib.mkFleet; }")
	r.write("hosts/pi/host.toml", "board = \"rpi4\"\n"+hostToml)
	return r
}

func (r repository) wantKeys(want ...string) {
	r.t.Helper()
	w, _ := r.open()
	var got []string
	for _, f := range w.Keys() {
		if got = append(got, f.String()); f.Fix == "" {
			r.t.Errorf("%s: no hint", f)
		}
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("findings %q, want %q", got, want)
	}
}
