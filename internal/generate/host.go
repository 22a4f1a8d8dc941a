package generate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/fleet"
	"pistack/internal/memo"
	"pistack/nixgen"
	"pistack/secrets"
)

// Hosts is Host for several hosts, on all cores. progress, which may be nil, is
// told how many are done; its calls can overlap.
func (s *Snapshot) Hosts(ctx context.Context, hosts []fleet.Host, progress func(done int)) ([]Result, error) {
	results := make([]Result, len(hosts))
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, h := range hosts {
		group.Go(func() error {
			r, err := s.Host(ctx, h)
			results[i] = r
			if n := done.Add(1); progress != nil {
				progress(int(n))
			}
			return err
		})
	}
	return results, group.Wait()
}

// Host loads and checks everything of one host. Problems of its own files are
// findings; the error is for what keeps the work from being done at all.
func (s *Snapshot) Host(ctx context.Context, h fleet.Host) (Result, error) {
	key := struct {
		Host     fleet.Host
		Registry string
	}{h, s.Fleet.Registry.Images}
	result, err := memo.Do(s.results, s.repository(), key, func(repository memo.Repository) (Result, error) {
		return compute(ctx, repository, h, key.Registry)
	})
	result.Host = h
	return result, err
}

// compute depends on the host's exported fields and the registry for built
// images, which are the key of the memo, and on what it asks of the repository.
func compute(ctx context.Context, repository memo.Repository, h fleet.Host, registry string) (Result, error) {
	// The places of findings about the host are those of its file.
	if _, err := fs.ReadFile(repository.Files, h.File()); err != nil {
		return Result{}, fmt.Errorf("%s: %w", h.File(), err)
	}
	l, err := loadHost(ctx, repository, h, registry)
	if err != nil {
		return Result{}, err
	}
	l.findings = check(repository, l)
	r := Result{Findings: l.findings}
	if compose.HasErrors(l.findings) {
		return r, ctx.Err()
	}
	r.Files, err = nixgen.Generate(nixgen.Host{Name: h.Name, Env: h.Env, Secrets: Versions(l.secrets), Registries: h.Registries, Stacks: l.stacks, Locks: l.locks, Built: l.built()})
	r.Needed, r.Images = l.needed(), l.images()
	return r, errors.Join(err, ctx.Err())
}

// loaded is a host with its stacks and the headers of its secrets.
type loaded struct {
	host     fleet.Host
	secrets  []secrets.Entry
	stacks   []*compose.Stack // those without errors
	locks    map[string]images.Lock
	builds   map[string][]images.Build // of each stack
	findings []compose.Finding
}

func loadHost(ctx context.Context, repository memo.Repository, h fleet.Host, registry string) (loaded, error) {
	l := loaded{host: h, locks: map[string]images.Lock{}, builds: map[string][]images.Build{}}
	entries, err := secrets.ListFS(repository.Files, h.Name)
	if err != nil {
		return l, err
	}
	l.secrets = entries
	versions := Versions(entries)
	for _, name := range h.Stacks {
		stack, findings := loadStack(ctx, repository, h, name, versions)
		l.findings = append(l.findings, findings...)
		if stack != nil {
			l.stacks = append(l.stacks, stack)
			l.lock(repository.Files, stack, registry)
		}
	}
	return l, nil
}

// lock reads the lock of a loaded stack and compares the two.
func (l *loaded) lock(files fs.FS, s *compose.Stack, registry string) {
	platform := images.PlatformOf(l.host.System)
	builds, problems := images.Builds(s, registry, platform)
	lock, findings := images.Read(files, s.Name)
	if len(findings) == 0 {
		findings = append(images.Check(s, lock, platform), images.CheckBuilds(s.Name, builds, lock)...)
	}
	l.builds[s.Name] = builds
	l.findings = append(l.findings, problems...)
	l.findings = append(l.findings, findings...)
	if len(lock) > 0 {
		l.locks[s.Name] = lock
	}
}

// needed lists the files that the generated ones refer to, or are made from.
func (l loaded) needed() []string {
	var files []string
	for _, e := range l.secrets {
		files = append(files, e.File)
	}
	for _, s := range l.stacks {
		for _, f := range s.Files {
			files = append(files, path.Join("stacks", s.Name, f)) // f may begin with ../
		}
		if len(l.locks[s.Name]) > 0 {
			files = append(files, images.Path(s.Name)) // another clone would generate something else
		}
	}
	return files
}

func (l loaded) images() []StackImages {
	var all []StackImages
	for _, s := range l.stacks {
		all = append(all, StackImages{Stack: s.Name, Uses: images.Uses(s), Builds: l.builds[s.Name], Lock: l.locks[s.Name]})
	}
	return all
}

// built is the image of each built service, as the host runs it, by stack.
func (l loaded) built() map[string]map[string]string {
	all := map[string]map[string]string{}
	for name, builds := range l.builds {
		all[name] = images.Override(builds, l.locks[name])
	}
	return all
}
