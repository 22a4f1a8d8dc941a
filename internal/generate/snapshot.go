package generate

import (
	"context"
	"io/fs"

	"pistack/compose"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/memo"
	"pistack/secrets"
)

// Snapshot is a fleet repository at one moment: its work tree, or a revision.
type Snapshot struct {
	Fleet   *fleet.Fleet
	Files   fs.FS     // of the repository; reads that cannot leave it
	Tracked git.Files // those that Git tracks
	ignored func(path string) (bool, error)
	results *memo.Store
}

// At is the fleet as a revision has it. Close the revision after use.
//
// Nothing is held against a mount of a path that the revision does not track: it
// is state. Whether a .gitignore says so was judged when it was committed.
func At(r *git.Revision, f *fleet.Fleet) *Snapshot {
	anything := func(string) (bool, error) { return true, nil }
	return &Snapshot{Fleet: f, Files: r, Tracked: r.Tracked, ignored: anything}
}

// Secrets reads the headers of a host's secrets, as secrets.ListFS does.
func (s *Snapshot) Secrets(host string) ([]secrets.Entry, error) {
	return secrets.ListFS(s.Files, host)
}

// Versions maps the names of secrets to the versions of their values.
func Versions(entries []secrets.Entry) map[string]string {
	versions := map[string]string{}
	for _, e := range entries {
		versions[e.Name] = e.Header.Label.Version
	}
	return versions
}

// Stack loads a stack for a host with the secrets of these versions.
func (s *Snapshot) Stack(ctx context.Context, h fleet.Host, name string, versions map[string]string) (*compose.Stack, []compose.Finding) {
	return loadStack(ctx, s.repository(), h, name, versions)
}

func (s *Snapshot) repository() memo.Repository {
	return memo.Repository{Files: s.Files, Tracked: s.Tracked, Ignored: s.ignored}
}

func loadStack(ctx context.Context, repository memo.Repository, h fleet.Host, name string, versions map[string]string) (*compose.Stack, []compose.Finding) {
	return compose.Load(ctx, compose.Source{
		Repository: repository.Files,
		Stack:      name,
		Host:       h.Name,
		Env:        h.Env,
		Secrets:    versions,
		Tracked:    repository.Tracked,
		Ignored:    repository.Ignored,
	})
}
