package fleet_test

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pistack/internal/fleet"
)

// TestOwnModules: what Go knows of pistack's boards and roles is what modules/
// has, and the systems of boards are those that the example fleet uses them with.
func TestOwnModules(t *testing.T) {
	f, err := load(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := namesIn(t, "../../modules/boards"); !reflect.DeepEqual(f.Boards, want) {
		t.Errorf("boards %v, and modules/boards has %v", f.Boards, want)
	}
	if want := namesIn(t, "../../modules/roles"); !reflect.DeepEqual(f.Roles, want) {
		t.Errorf("roles %v, and modules/roles has %v", f.Roles, want)
	}
	example, err := fleet.Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range example.Hosts {
		if fleet.SystemOf(h.Board) != h.System {
			t.Errorf("%s: board %s is of %q, and the host of %s", h.Name, h.Board, fleet.SystemOf(h.Board), h.System)
		}
	}
	for _, board := range f.Boards {
		if fleet.SystemOf(board) == "" {
			t.Errorf("board %s has no system", board)
		}
	}
}

func namesIn(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if name, isNix := strings.CutSuffix(e.Name(), ".nix"); isNix {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestCheckHost: a host that is not there yet is held to the rules of Load.
func TestCheckHost(t *testing.T) {
	f, err := load(t, map[string]string{"flake.nix": "{ x = lib.mkFleet; }", "hosts/vps-sd/host.toml": good})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"pi2", good, ""},
		{"pi", good, "hosts/pi: is a host of this fleet already"},
		{"pi2", strings.Replace(good, "rpi4", "rpi9", 1), `hosts/pi2/host.toml:3:1: no board "rpi9" (did you mean "rpi3"?): there are generic-x86_64, rpi-zero2, rpi3, rpi4, rpi5`},
		{"pi2", strings.Replace(good, "aarch64", "x86_64", 1), `hosts/pi2/host.toml:2:1: system is "x86_64-linux", and the board "rpi4" is of "aarch64-linux": change one of them`},
		{"pi-sd", good, `hosts/pi-sd: "pi-sd" is the name of the image of host "pi": give one of them another name`},
		{"vps", good, `hosts/vps-sd: "vps-sd" is the name of the image of host "vps": give one of them another name`},
		{"Pi2", good, `hosts/Pi2/host.toml: "Pi2" cannot be a host name: use a-z, 0-9 and -, at most 63 characters`},
		{"pi2", "adress = 1\n", `hosts/pi2/host.toml:1:1: unknown key "adress" (did you mean "address"?)`},
		{"pi2", good + "[", `hosts/pi2/host.toml:14:2: unexpected end of table name`},
	} {
		err := f.CheckHost(c.name, c.text)
		if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestOwnBoardOfAnySystem: a board of the fleet's own is not held to the system
// that pistack's of the same name has, nor is any where pistack makes no hosts.
func TestOwnBoardOfAnySystem(t *testing.T) {
	other := strings.Replace(good, "aarch64", "x86_64", 1)
	for name, files := range map[string]map[string]string{
		"its own":       {"flake.nix": "{ x = lib.mkFleet; }", "modules/boards/rpi4.nix": "{ }"},
		"another flake": {"flake.nix": "{ }"},
	} {
		files["hosts/pi/host.toml"] = other
		if _, err := load(t, files); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
