package usage_test

import (
	"fmt"
	"io/fs"
	"reflect"
	"testing"

	"pistack/internal/usage"
)

// counting counts how often each file is opened.
type counting struct {
	fs.FS
	opened map[string]int
}

func (c counting) Open(name string) (fs.File, error) {
	c.opened[name]++
	return c.FS.Open(name)
}

// TestTreeReadsOnce: what many hosts share is read once, and each host gets what
// a tree of its own would tell it.
func TestTreeReadsOnce(t *testing.T) {
	texts := map[string]string{
		"modules/a.nix":           "secrets.A",
		"modules/roles/b.nix":     "secrets.B",
		"stacks/web/compose.yaml": "services: {a: {environment: {X: $C, Y: $D}}}",
		"stacks/web/.env":         "D=1\n",
	}
	for i := range 20 {
		texts[fmt.Sprintf("hosts/h%d/default.nix", i)] = fmt.Sprintf("secrets.S%d", i)
	}
	fsys := counting{files(texts), map[string]int{}}
	tree := usage.NewTree(fsys)
	for i := range 20 {
		h := usage.Host{Name: fmt.Sprintf("h%d", i), Stacks: []string{"web"}, Have: []string{"A", "B", "C", fmt.Sprintf("S%d", i)}}
		if i%2 == 1 {
			h.Have = h.Have[1:] // another host's answer must not be this one's
		}
		got, want := tree.Of(h), usage.Of(files(texts), h)
		if !reflect.DeepEqual(got, want) || len(got.By) != len(h.Have) {
			t.Errorf("%s: %+v, want %+v", h.Name, got, want)
		}
	}
	const most = 2 // one to look at it, one to read it
	for name := range texts {
		if n := fsys.opened[name]; n < 1 || n > most {
			t.Errorf("%s was opened %d times", name, n)
		}
	}
}

func TestNoTree(t *testing.T) {
	var tree *usage.Tree
	if got := tree.Of(usage.Host{Name: "pi", Have: []string{"A"}}); !reflect.DeepEqual(got, usage.Uses{}) {
		t.Errorf("%+v: nothing is known of no tree, not even that a secret is unused", got)
	}
}
