package generate_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"pistack/compose"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/git"
)

// TestAt: a revision gives what a checkout of it gives, whatever the work tree
// has become, and judges no mount.
func TestAt(t *testing.T) {
	r := newRepository(t)
	r.write("stacks/chat/.env", "LEVEL=1\n")
	r.git("add", "--all")
	r.git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "c")
	_, want := r.load()
	r.write("stacks/chat/site/index.html", "changed")
	r.write("stacks/chat/compose.yaml", "services: [")
	r.write("hosts/pi/host.toml", "x")
	r.addSecret("KEY")
	r.write(".gitignore", "other\n")

	commit, err := git.Resolve(t.Context(), r.root, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	revision, err := git.OpenRevision(context.Background(), r.root, commit)
	if err != nil {
		t.Fatal(err)
	}
	defer revision.Close()
	f, err := fleet.LoadFS(revision, "")
	if err != nil || len(f.Hosts) != 1 {
		t.Fatalf("%+v, %v", f, err)
	}
	got, err := generate.At(revision, f).Host(t.Context(), f.Hosts[0])
	if err != nil || compose.HasErrors(got.Findings) {
		t.Fatalf("%v, %v", got.Findings, err)
	}
	if !maps.EqualFunc(got.Files, want.Files, slices.Equal) {
		t.Errorf("got\n%s\nwant\n%s", got.Files, want.Files)
	}
	if !slices.Equal(got.Findings, want.Findings) || !slices.Equal(got.Needed, want.Needed) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
