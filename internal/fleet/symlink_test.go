package fleet_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"pistack/internal/fleet"
)

// TestLinkedHost: a host whose folder is elsewhere is none of the work tree.
func TestLinkedHost(t *testing.T) {
	for _, link := range []string{"hosts", "hosts/pi"} {
		t.Run(link, func(t *testing.T) {
			root, elsewhere := repository(t, nil), filepath.Join(t.TempDir(), "x")
			if err := errors.Join(os.Rename(filepath.Join(root, link), elsewhere), os.Symlink(elsewhere, filepath.Join(root, link))); err != nil {
				t.Fatal(err)
			}
			const wrong = ": is a symlink: what is written or removed there would be so somewhere else"
			_, err := fleet.Load(root)
			if err == nil || err.Error() != link+wrong {
				t.Errorf("error %v", err)
			}
			if _, err := fleet.LoadFS(os.DirFS(root), ""); err != nil { // as a revision, which is only read
				t.Error(err)
			}
		})
	}
}

func TestRefuseSymlinks(t *testing.T) {
	root := repository(t, nil)
	f := &fleet.Fleet{Root: root}
	if err := os.Symlink("pi", filepath.Join(root, "hosts/link")); err != nil {
		t.Fatal(err)
	}
	for path, wrong := range map[string]bool{
		"hosts/pi": false, "hosts/pi/host.toml": false, "hosts/none/generated": false, "hosts/link": true, "hosts/link/host.toml": true, "hosts/pi/host.toml/x": true,
	} {
		if err := f.RefuseSymlinks(path); (err != nil) != wrong {
			t.Errorf("%s: %v", path, err)
		}
	}
}
