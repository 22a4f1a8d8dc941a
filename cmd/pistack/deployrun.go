package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"time"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"pistack/compose/images"
	"pistack/internal/cli"
	"pistack/internal/deploy"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/image"
	"pistack/internal/nix"
	"pistack/internal/status"
	"pistack/internal/target"
	"pistack/internal/view"
)

// deployment is a deploy.Run with what belongs to it.
type deployment struct {
	*deploy.Run
	root     string
	hosts    []fleet.Host
	machines *machines
	archive  *deploy.Folder
	progress view.Progress
	changes  func() map[string]string // since what each host runs; known after the plan
	findings bytes.Buffer             // what ready says; shown when progress is no more
}

// openDeployment makes everything ready for a run over hosts that are fit to be
// deployed. Nothing is asked of a machine yet.
func openDeployment(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) (*deployment, error) {
	options, err := deployOptions(c)
	if err != nil {
		return nil, err
	}
	if err := toolsAreThere(); err != nil {
		return nil, err
	}
	m, err := openMachinesWithin(c, f, hosts, options.Timing.Step)
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	archive := deploy.NewFolder(m.state, id, time.Now())
	d := &deployment{root: f.Root, hosts: hosts, machines: m, archive: archive, progress: newProgress(c, hosts)}
	d.Run = &deploy.Run{
		ID: id, Options: options,
		Nix:        nix.Tool{Root: f.Root, SSHOptions: m.connections.SSHOptions, Hold: m.connections.Hold, BuildHost: c.String("build-host"), Substitute: len(f.Caches) > 0},
		Machine:    func(host string) deploy.Machine { return m.machine(host) },
		Sudo:       func(host string) bool { return m.sudo(c.Context, host) },
		Connect:    m.connections.Connect,
		ImageSize:  imageSizes(f),
		Deliver:    overSSH{d},
		Sink:       func(e deploy.Event) { d.progress.Event(e) },
		Archive:    archive,
		Ready:      func(ctx context.Context) error { return d.ready(ctx, c, f) },
		Repository: made{sync.OnceValue(func() *status.Repository { return status.OpenRepository(c.Context, f.Root) })},
	}
	if !c.Bool("json") {
		d.Surveyed = func(hosts []deploy.HostPlan) { d.changes = d.compareSince(c.Context, hosts) }
	}
	return d, nil
}

// made asks Git what a host is made of, as status does.
type made struct{ repository func() *status.Repository }

func (m made) Edited(ctx context.Context, h fleet.Host) bool {
	w := m.repository().Work(ctx, h, "")
	return w.Err != nil || w.Commit == "" || len(w.Changed) > 0
}

func (m made) Moved(ctx context.Context, h fleet.Host, since string) bool {
	w := m.repository().Work(ctx, h, since)
	return w.Err == nil && (w.Revision == "" || w.Unknown || w.Behind > 0 || w.Ahead > 0)
}

// sizeTimeout is how long a plan waits for a registry. A size is good to know,
// and no more.
const sizeTimeout = 5 * time.Second

// imageSizes asks registries how large images are; nil where none can be asked.
// What one does not say within a short time is not known, and nobody is asked for
// an image that goes over ssh.
func imageSizes(f *fleet.Fleet) func(context.Context, fleet.Host, string) int64 {
	resolver, err := image.NewResolver(registrySettings(f, sizeTimeout, sizeTimeout))
	if err != nil {
		return nil
	}
	return func(ctx context.Context, h fleet.Host, reference string) int64 {
		if images.IsLocal(reference) {
			return 0
		}
		ctx, cancel := context.WithTimeout(ctx, sizeTimeout)
		defer cancel()
		size, err := resolver.Size(ctx, reference, images.PlatformOf(h.System))
		if err != nil {
			return 0
		}
		return size
	}
}

// patient keeps further signals from ending a run that is bringing hosts back and
// releasing locks: each step has a limit, and what is left undone would be worse.
// The function that it returns ends that.
func (d *deployment) patient(c *ucli.Context) func() {
	signals, quit := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-signals:
				d.Warn("interrupted: hosts on trial are brought back, then all locks are released; a nixos-rebuild at work is waited for")
			case <-quit:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(quit)
	}
}

// goOn shows progress again, after something else was shown.
func (d *deployment) goOn(c *ucli.Context) { d.progress = newProgress(c, d.hosts) }

// Close ends connections and logs.
func (d *deployment) Close() {
	d.progress.Close()
	d.machines.Close()
	_ = d.archive.Close() // old logs that cannot be removed are no reason to fail
}

// sudo tells whether ssh logs in as somebody who is not root.
func (m *machines) sudo(ctx context.Context, host string) bool {
	user, err := m.connections.User(ctx, host)
	return err == nil && user != "root"
}

// toolsAreThere looks before anything is done, so that no run ends halfway.
func toolsAreThere() error {
	for _, tool := range []string{"nix", "nix-copy-closure", "nixos-rebuild", "ssh"} {
		if _, err := exec.LookPath(tool); err != nil {
			return &deploy.Error{
				Message: fmt.Sprintf("%s: not found on PATH", tool),
				Fix:     "nix and ssh come with Nix and your system; nixos-rebuild is in the development shell: nix develop",
			}
		}
	}
	return nil
}

// owner is what a lock tells others of this run.
func owner(s git.State) target.Owner {
	o := target.Owner{User: os.Getenv("USER"), Revision: s.Commit, Dirty: s.Dirty}
	if u, err := user.Current(); err == nil {
		o.User = u.Username
	}
	o.From, _ = os.Hostname() // without a name there is none
	return o
}

// buildHostForm keeps what Nix would read as more than a host out of its list of builders.
var buildHostForm = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9[][A-Za-z0-9.:_%\]-]*$`)

func deployOptions(c *ucli.Context) (deploy.Options, error) {
	o := deploy.Options{
		Action: deploy.Action(c.String("action")), NoGate: c.Bool("no-gate"), Parallel: c.Int("parallel"), EvalJobs: c.Int("eval-jobs"),
		Canary: c.String("canary"), KeepGoing: c.Bool("keep-going"), LockWait: c.Duration("lock-wait"), Timing: deploy.DefaultTiming(),
	}
	switch o.Action {
	case deploy.Switch, deploy.Boot, deploy.Test, deploy.DryActivate:
	default:
		return o, cli.Usage("--action is switch, boot, test or dry-activate, not %q", string(o.Action))
	}
	if o.Parallel < 1 || o.Parallel > 1000 {
		return o, cli.Usage("--parallel is a number from 1 to 1000")
	}
	if o.EvalJobs < 0 || o.LockWait < 0 {
		return o, cli.Usage("--eval-jobs and --lock-wait are not negative")
	}
	if b := c.String("build-host"); b != "" && !buildHostForm.MatchString(b) {
		return o, cli.Usage("--build-host %q is not like USER@HOST", b)
	}
	for _, name := range []string{"gate-window", "gate-limit", "undo-after"} {
		if o.NoGate && c.IsSet(name) {
			return o, cli.Usage("--%s and --no-gate: there is nothing to time without a gate", name)
		}
	}
	if o.EvalJobs == 0 {
		o.EvalJobs = nix.EvalJobs(runtime.GOMAXPROCS(0))
	}
	err := takeTiming(c, &o.Timing)
	return o, err
}

// takeTiming reads the flags of gateFlags into what was chosen before.
func takeTiming(c *ucli.Context, t *deploy.Timing) error {
	for name, d := range map[string]*time.Duration{"undo-after": &t.Deadline, "gate-window": &t.Window, "gate-limit": &t.GateLimit} {
		if !c.IsSet(name) {
			continue
		}
		if *d = c.Duration(name); *d < 0 || *d > 24*time.Hour || name == "undo-after" && *d < 10*time.Second {
			return cli.Usage("--%s %s: too short or too long", name, *d)
		}
	}
	if t.Window > t.GateLimit {
		return cli.Usage("--gate-window %s is longer than --gate-limit %s", t.Window, t.GateLimit)
	}
	t.Renew = min(t.Renew, t.Deadline/4)
	t.Sample = min(t.Sample, max(t.Window, time.Second))
	if timing := c.String("timing"); timing != "" {
		if err := t.Set(timing); err != nil {
			return cli.Usage("--timing: %v", err)
		}
	}
	return nil
}

// showsPlan tells whether a command ends with its plan.
func showsPlan(c *ucli.Context) bool {
	return c.Command.Name == "plan" || c.Bool("explain") || c.Bool("dry-run")
}

// newProgress chooses how a run is shown.
func newProgress(c *ucli.Context, hosts []fleet.Host) view.Progress {
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	if c.Bool("json") && !showsPlan(c) { // of a plan, the plan is all that goes to standard output
		return view.NewProgress(view.JSONProgress, c.App.Writer, view.ProgressOptions{Hosts: names})
	}
	o := view.ProgressOptions{Hosts: names, Verbose: c.Bool("verbose"), Colour: colour(os.Stderr)}
	if !term.IsTerminal(int(os.Stderr.Fd())) || o.Verbose {
		return view.NewProgress(view.PlainProgress, c.App.ErrWriter, o)
	}
	size := func(which int) func() int {
		return func() int {
			width, height, err := term.GetSize(int(os.Stderr.Fd()))
			if err != nil {
				width, height = 80, 24
			}
			return [2]int{width, height}[which]
		}
	}
	o.Width, o.Height = size(0), size(1)
	return view.NewProgress(view.LiveProgress, c.App.ErrWriter, o)
}

// colour tells whether a stream is a terminal whose user wants colours.
func colour(f *os.File) bool { return term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" }

// end says what became of all hosts, and with which status the command ends.
func (d *deployment) end(c *ucli.Context, results []deploy.Result) error {
	d.progress.Close()
	show := func() error { return view.SummaryText(c.App.Writer, results, colour(os.Stdout)) }
	if c.Bool("json") {
		show = func() error { return view.SummaryJSON(c.App.Writer, results) }
	}
	if err := show(); err != nil {
		return err
	}
	if c.Context.Err() != nil {
		return &cli.StatusError{Status: cli.ExitInterrupted}
	}
	for _, r := range results {
		if !r.Outcome.Good() {
			return cli.Differences()
		}
	}
	return nil
}

// broken turns the end of a run by the user into what cli knows.
func broken(c *ucli.Context, err error) error {
	if errors.Is(err, deploy.ErrInterrupted) {
		return c.Context.Err()
	}
	return err
}
