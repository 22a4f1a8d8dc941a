package cmd_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pistack/internal/fleettest"
)

// hostResult is what the stream of events says at the end of a host.
type hostResult struct {
	Host, Outcome, Phase string
	Good                 bool
	Old, New             string
	Generation           int
	Warnings, Last       []string
	Log                  string
	Problems             []struct{ Message, Hint string }
}

// text is all that a result says.
func (r hostResult) text() string {
	return fmt.Sprintf("%s in %s: %v, warnings %q, last %q", r.Outcome, r.Phase, r.Problems, r.Warnings, r.Last)
}

// event is a line of the stream.
type event struct {
	Schema            int
	Host, Kind, Phase string
	Text              string
	Result            *hostResult
	Results           []hostResult
}

// deployRun is a "pistack deploy --json" that is at work.
type deployRun struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr bytes.Buffer
	events chan event
	ended  chan error

	status  int
	all     []event
	results map[string]hostResult
}

// start begins a deploy of hosts; args may hold "NAME=VALUE" for its environment.
func (l *deployLab) start(t *testing.T, hosts []*fleettest.Host, args ...string) *deployRun {
	t.Helper()
	argv := []string{filepath.Join(binaries, "pistack"), "deploy", "--json", "--yes"}
	var env []string
	for _, a := range args {
		if strings.HasPrefix(a, "PISTACK_") {
			env = append(env, a)
			continue
		}
		argv = append(argv, a)
	}
	for _, h := range hosts {
		argv = append(argv, h.Name)
	}
	cmd := l.command(argv...)
	cmd.Env = append(cmd.Env, env...)
	r := &deployRun{t: t, cmd: cmd, events: make(chan event), ended: make(chan error, 1), results: map[string]hostResult{}}
	out, err := cmd.StdoutPipe()
	cmd.Stderr = &r.stderr
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // of a test that failed
	go r.read(out)
	return r
}

// read decodes the stream, of which every line must be understood.
func (r *deployRun) read(out io.Reader) {
	defer close(r.events)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			r.ended <- r.cmd.Wait()
			return
		}
		e := event{}
		if err := json.Unmarshal(line, &e); err != nil || e.Schema != 1 {
			r.t.Errorf("a line of the stream: %v: %.200q", err, line)
		}
		r.events <- e
	}
}

// until reads events up to one; the run must not end before.
func (r *deployRun) until(host, kind, phase string) {
	r.t.Helper()
	for e := range r.events {
		r.take(e)
		if e.Host == host && e.Kind == kind && e.Phase == phase {
			return
		}
	}
	r.t.Fatalf("the run ended before %s %s of %s\n%s", kind, phase, host, r.stderr.String())
}

func (r *deployRun) take(e event) {
	r.all = append(r.all, e)
	if e.Result != nil {
		r.results[e.Host] = *e.Result
	}
}

// signal signals pistack and what it started, as a terminal does.
func (r *deployRun) signal(s syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(-r.cmd.Process.Pid, s); err != nil {
		r.t.Fatal(err)
	}
}

// wait reads the rest. The summary must say what the events said.
func (r *deployRun) wait() *deployRun {
	r.t.Helper()
	for e := range r.events {
		r.take(e)
	}
	err := <-r.ended
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	r.status = r.cmd.ProcessState.ExitCode()
	if n := len(r.all); n > 0 && r.status >= 0 && r.all[n-1].Kind == "summary" {
		for _, result := range r.all[n-1].Results {
			if was := r.results[result.Host]; was.Outcome != result.Outcome {
				r.t.Errorf("%s: the summary says %q, its event %q", result.Host, result.Outcome, was.Outcome)
			}
		}
	} else if len(r.results) > 0 && r.status >= 0 {
		r.t.Error("the stream does not end with a summary")
	}
	return r
}

// deploy runs a deploy to its end.
func (l *deployLab) deploy(t *testing.T, hosts []*fleettest.Host, args ...string) *deployRun {
	t.Helper()
	return l.start(t, hosts, args...).wait()
}

// ends checks the exit status, and shows all when it is another one.
func (r *deployRun) ends(status int) *deployRun {
	r.t.Helper()
	if r.status != status {
		r.t.Errorf("exit status %d, want %d\n%s", r.status, status, r.stderr.String())
		for _, result := range r.results {
			r.t.Logf("%s: %s", result.Host, result.text())
		}
	}
	return r
}

// came checks a host's outcome, and what was said of it.
func (r *deployRun) came(h *fleettest.Host, outcome string, says ...string) {
	r.t.Helper()
	result := r.results[h.Name]
	if result.Outcome != outcome {
		r.t.Errorf("%s: %s; want %q\n%s", h.Name, result.text(), outcome, r.stderr.String())
		if log, err := os.ReadFile(result.Log); err == nil {
			r.t.Logf("%s", log)
		}
		return
	}
	for _, text := range says {
		if !strings.Contains(result.text(), text) {
			r.t.Errorf("%s: nothing of %q in: %s", h.Name, text, result.text())
		}
	}
}
