package cmd_test

import "testing"

// TestUnpinned: a host whose key is not pinned yet, or is none, is said to be so,
// and keeps no other from being reached.
func TestUnpinned(t *testing.T) {
	d := newDesk(t, 1)
	h := d.Hosts[0]
	d.write(t, "hosts/newpi/host.toml", "address = \"127.0.0.1\"\nsystem = \"aarch64-linux\"\nboard = \"rpi4\"\n")
	head := d.commit(t)
	d.deployed(t, h, stackSystem("one"), head)
	const hint = "pisec host-key newpi --from-ssh 127.0.0.1:22"
	missing := "the ssh host key of newpi is not pinned"
	d.want(t, 3, []string{"h001   in sync", "newpi: unreachable", missing, hint}, "status")
	d.want(t, 3, []string{"h001  | here", missing, hint, "failed on 1 of 2 hosts"}, "exec", "*", "--", "echo", "here")
	d.want(t, 3, []string{missing, hint, "ok       reachable: as root"}, "doctor", h.Name, "newpi")
	d.want(t, 1, []string{missing, hint}, "unlock", "newpi")
	boots := h.State(t).Boots
	d.want(t, 3, []string{missing, hint}, "reboot", "*", "--yes", "--limit", "60s", "--settle", "60s")
	if h.State(t).Boots != boots+1 {
		t.Error("h001 was not rebooted")
	}
	for _, text := range []string{"", "garbage\n", "ssh-ed25519 !\n"} {
		d.write(t, "hosts/newpi/ssh_host_ed25519_key.pub", text)
		d.want(t, 3, []string{"h001   in sync", "newpi: unreachable"}, "status")
	}
}
