package compare

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"pistack/compose"
	"pistack/compose/changes"
	"pistack/compose/images"
	"pistack/compose/plain"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/secrets"
)

// work is the state of one Hosts.
type work struct {
	*Pair
	reach  *reach
	report Report
	jobs   []*job
	byKey  map[string]*job
}

// job is a stack to load on both sides and compare, for one host or for several
// to which it is the same.
type job struct {
	stack         string
	before, after *load
	places        []place

	changes   changes.Changes
	failed    bool
	unchanged int // services of the new version that run on as they are
	findings  []Finding
}

// place is where the result of a job goes.
type place struct {
	host   int // index in Report.Hosts
	status Status
}

// load is a stack to load on one side; nil for one that is not there.
type load struct {
	side     *Side
	host     fleet.Host
	versions map[string]string // of the host's secrets
}

// host finds out what of a host can differ, and adds jobs for it.
func (w *work) host(name string) {
	before, after := hostOf(w.Base, name), hostOf(w.Head, name)
	for _, side := range []*Side{w.Base, w.Head} {
		if side.broken(name) {
			return // reported as a problem
		}
	}
	h := Host{Name: name, Status: Changed}
	switch {
	case before == nil:
		h.Status = Added
	case after == nil:
		h.Status = Removed
	default:
		h.Settings = w.hostSettings(*before, *after)
		h.Dangers = keyDangers(h.Settings, *after)
	}
	w.report.Hosts = append(w.report.Hosts, h)
	w.contents(len(w.report.Hosts)-1, before, after)
}

// contents compares secrets and stacks of the host at an index of the report.
func (w *work) contents(at int, before, after *fleet.Host) {
	h := &w.report.Hosts[at]
	changed := before == nil || after == nil || w.reach.differs(secrets.Dir(h.Name))
	shared := &bothSecrets{}
	if changed {
		shared = w.secrets(before, after)
		h.Secrets = w.compareSecrets(h.Name, shared)
		h.Dangers = append(h.Dangers, secretDangers(h.Secrets)...)
	}
	all := changed && !maps.Equal(generate.Versions(shared.before), generate.Versions(shared.after)) ||
		before != nil && after != nil && !maps.Equal(before.Env, after.Env)
	for _, stack := range stacksOf(before, after) {
		one, other := has(before, stack), has(after, stack)
		if one && other && !all && !w.touched(*after, stack) {
			continue
		}
		if !changed {
			shared, changed = w.secrets(before, after), true
		}
		j := &job{stack: stack}
		p := place{at, Changed}
		if one {
			j.before = &load{w.Base, *before, generate.Versions(shared.before)}
		} else {
			p.status = Added
		}
		if other {
			j.after = &load{w.Head, *after, generate.Versions(shared.after)}
		} else {
			p.status = Removed
		}
		w.add(j, p)
	}
}

// touched tells whether a difference of files can reach a stack of a host.
func (w *work) touched(h fleet.Host, stack string) bool {
	for _, value := range h.Env {
		if strings.Contains(value, "..") || strings.HasPrefix(value, ".") || strings.HasSuffix(value, ".") {
			return true // a variable may be the path of a file, or a part of it
		}
	}
	return w.reach.stack(stack)
}

// bothSecrets are a host's secrets on both sides.
type bothSecrets struct{ before, after []secrets.Entry }

// secrets reads the headers of a host's secrets. What cannot be read is a finding.
func (w *work) secrets(before, after *fleet.Host) *bothSecrets {
	list := func(s *Side, h *fleet.Host) []secrets.Entry {
		if h == nil {
			return nil
		}
		entries, err := s.Secrets(h.Name)
		for _, e := range flatten(err) {
			f := compose.Finding{File: secrets.Dir(h.Name), Code: "secret", Severity: compose.Error, Message: e.Error()}
			if file, message, ok := strings.Cut(f.Message, ": "); ok && strings.HasPrefix(file, f.File+"/") {
				f.File, f.Message = file, message
			}
			var hinted interface{ Hint() string }
			if errors.As(e, &hinted) {
				f.Fix = hinted.Hint()
			}
			w.report.Findings = append(w.report.Findings, Finding{s.side, f})
		}
		return entries
	}
	return &bothSecrets{list(w.Base, before), list(w.Head, after)}
}

// add joins a job to an equal one of another host. Only the host's own override,
// compose.<host>.yaml, and what the host brings along make a difference.
func (w *work) add(j *job, p place) {
	key := j.key()
	if w.byKey == nil {
		w.byKey = map[string]*job{}
	}
	if same := w.byKey[key]; same != nil {
		same.places = append(same.places, p)
		return
	}
	j.places = []place{p}
	w.byKey[key] = j
	w.jobs = append(w.jobs, j)
}

func (j *job) key() string {
	parts := []any{j.stack}
	for _, l := range []*load{j.before, j.after} {
		if l == nil {
			parts = append(parts, nil)
			continue
		}
		host := ""
		if _, err := fs.Stat(l.side.Files, "stacks/"+j.stack+"/compose."+l.host.Name+".yaml"); err == nil {
			host = l.host.Name
		}
		parts = append(parts, []any{host, l.host.System, l.host.Env, l.versions})
	}
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}

// run does the jobs on all cores.
func (w *work) run(ctx context.Context) {
	queue := make(chan *job)
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(w.jobs)) {
		wait.Go(func() {
			for j := range queue {
				j.run(ctx)
			}
		})
	}
	for _, j := range w.jobs {
		queue <- j
	}
	close(queue)
	wait.Wait()
}

func (j *job) run(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	before, after := j.version(ctx, j.before), j.version(ctx, j.after)
	if j.failed {
		return
	}
	j.changes = changes.Between(before, after)
	if after.Stack != nil {
		j.unchanged = len(after.Stack.Services)
	}
	for _, s := range j.changes.Services {
		if s.Effect != changes.None && s.Effect != changes.Remove {
			j.unchanged--
		}
	}
}

// version is a stack on one side, with its images as its lock pins them.
func (j *job) version(ctx context.Context, l *load) changes.Version {
	v := changes.Version{Stack: j.stackOf(ctx, l), Images: map[string]string{}, Wrong: map[string]string{}}
	if v.Stack == nil {
		return v
	}
	lock, findings := images.Read(l.side.Files, j.stack)
	for _, f := range findings {
		j.findings = append(j.findings, Finding{l.side.side, f})
	}
	builds, _ := images.Builds(v.Stack, l.side.Fleet.Registry.Images, images.PlatformOf(l.host.System))
	v.Images = images.Override(builds, lock)
	for _, s := range v.Stack.Services {
		if image, pinned := lock.Pinned(s.Image); pinned {
			v.Images[s.Name] = image
		}
		if why := lock.Wrong(v.Stack.Project.Services[s.Name], images.PlatformOf(l.host.System)); why != "" {
			v.Wrong[s.Name] = why
		}
	}
	return v
}

func (j *job) stackOf(ctx context.Context, l *load) *compose.Stack {
	if l == nil {
		return nil
	}
	stack, findings := l.side.Stack(ctx, l.host, j.stack, l.versions)
	for _, f := range findings {
		if f.Severity == compose.Error {
			j.findings = append(j.findings, Finding{l.side.side, f})
		}
	}
	j.failed = j.failed || stack == nil
	return stack
}

// finish puts the results where they belong and drops hosts without any.
func (w *work) finish() {
	for _, j := range w.jobs {
		w.report.Findings = append(w.report.Findings, j.findings...)
		if j.failed || j.changes.Empty() {
			continue
		}
		for _, p := range j.places {
			h := &w.report.Hosts[p.host]
			h.Stacks = append(h.Stacks, Stack{Name: j.stack, Status: p.status, Unchanged: j.unchanged, Changes: j.changes})
		}
	}
	w.moved()
	w.report.Hosts = slices.DeleteFunc(w.report.Hosts, func(h Host) bool {
		return h.Status == Changed && len(h.Settings)+len(h.Secrets)+len(h.Stacks)+len(h.Dangers) == 0
	})
	for _, h := range w.report.Hosts {
		slices.SortFunc(h.Stacks, func(a, b Stack) int { return strings.Compare(a.Name, b.Name) })
	}
	for i := range w.report.Findings {
		f := &w.report.Findings[i] // it may quote a file
		f.Message, f.Fix = plain.Mask(f.Message), plain.Mask(f.Fix)
	}
	slices.SortFunc(w.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	w.report.Findings = slices.Compact(w.report.Findings)
}

// moved tells of stacks that leave one host and come to another: Docker's
// volumes do not move with them.
func (w *work) moved() {
	from := map[string][]string{}
	for _, h := range w.report.Hosts {
		for _, s := range h.Stacks {
			if s.Status == Removed {
				from[s.Name] = append(from[s.Name], h.Name)
			}
		}
	}
	for i := range w.report.Hosts {
		h := &w.report.Hosts[i]
		for _, s := range h.Stacks {
			if s.Status == Added && len(from[s.Name]) > 0 {
				h.Dangers = append(h.Dangers, changes.Danger{Code: StackMoved, Message: "stack " + s.Name + " comes from " +
					strings.Join(from[s.Name], ", ") + " and starts without its data: volumes do not move between hosts"})
			}
		}
	}
}

// stacksOf lists the stacks of a host on both sides, sorted.
func stacksOf(before, after *fleet.Host) []string {
	var names []string
	for _, h := range []*fleet.Host{before, after} {
		if h != nil {
			names = append(names, h.Stacks...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func has(h *fleet.Host, stack string) bool { return h != nil && slices.Contains(h.Stacks, stack) }
