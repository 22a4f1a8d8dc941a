package status_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pistack/internal/deploy"
	"pistack/internal/fleet"
	"pistack/internal/status"
	"pistack/internal/target"
)

func now() time.Time { return time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC) }

const (
	older    = "/nix/store/00000000000000000000000000000000-nixos-system-pi-old"
	deployed = "/nix/store/11111111111111111111111111111111-nixos-system-pi-new"
	strange  = "/nix/store/22222222222222222222222222222222-nixos-system-pi-strange"
	commit   = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

func receipt(change func(*deploy.Receipt)) []byte {
	r := deploy.Receipt{Schema: 1, Run: "r", Host: "pi", By: "ann", From: "desk", Revision: commit, Action: deploy.Switch, Old: older, New: deployed, Generation: 7, Outcome: deploy.Deployed}
	if change != nil {
		change(&r)
	}
	data, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return data
}

// healthy are the facts of a host that is in sync.
func healthy() status.Facts {
	return status.Facts{
		Host: fleet.Host{Name: "pi", Stacks: []string{"web"}},
		Survey: target.Survey{
			State:   target.State{Now: now(), Running: deployed, Profile: deployed, Booted: deployed, Generation: 7, Receipt: receipt(nil)},
			Docker:  "26",
			Stacks:  []string{"web"},
			Images:  []target.StackImage{{Stack: "web", Reference: "nginx@1"}, {Stack: "web", Reference: "migrate@2"}},
			Counted: true,
			Containers: []target.StackContainer{
				container("web-web-1", "nginx@1", "running", 0, "unless-stopped"),
				container("web-migrate-1", "migrate@2", "exited", 0, "no"),
			},
		},
		Work: status.Work{Commit: commit, Revision: commit},
		Now:  now(),
	}
}

func container(name, image, state string, code int, restart string) target.StackContainer {
	return target.StackContainer{Container: target.Container{Stack: "web", Name: name, Image: image, State: state, ExitCode: code}, Restart: restart}
}

// TestJudge: a change of the facts, and what becomes of the verdict.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*status.Facts)
		want   status.Code
		text   string // in the first finding; "" for none at all
	}{
		{"nothing", func(*status.Facts) {}, status.InSync, ""},
		{"unreachable", func(f *status.Facts) { f.Err = errors.New("pi: cannot be reached") }, status.Unreachable, "cannot be reached"},
		{"no receipt", func(f *status.Facts) { f.Survey.Receipt = nil }, status.NeverDeployed, "no receipt"},
		{"garbage for a receipt", func(f *status.Facts) { f.Survey.Receipt = []byte("{") }, status.NeverDeployed, "no receipt"},
		{"receipt without a system", func(f *status.Facts) { f.Survey.Receipt = receipt(func(r *deploy.Receipt) { r.New = "" }) }, status.NeverDeployed, "no receipt"},

		{"by hand: both another", func(f *status.Facts) {
			f.Survey.Running, f.Survey.Profile, f.Survey.Generation = strange, strange, 9
		}, status.ByHand, "runs and boots a system that pistack did not deploy: generation 9, 22222222…-nixos-system-pi-strange"},
		{"by hand: the one before", func(f *status.Facts) { f.Survey.Running, f.Survey.Profile = older, older }, status.ByHand, "brought back to the system before the last deploy"},
		{"by hand: nixos-rebuild test", func(f *status.Facts) { f.Survey.Running = strange }, status.ByHand, "boots what was deployed last, but runs another system"},
		{"by hand: nixos-rebuild boot", func(f *status.Facts) { f.Survey.Profile, f.Survey.Generation = strange, 8 }, status.ByHand, "boots another system: generation 8"},
		{"by hand: three systems", func(f *status.Facts) { f.Survey.Running, f.Survey.Profile = strange, older }, status.ByHand, "pistack deployed neither"},

		{"staged", func(f *status.Facts) {
			f.Survey.Receipt = receipt(func(r *deploy.Receipt) { r.Outcome = deploy.Staged })
			f.Survey.Running = older
		}, status.NeedsReboot, "runs after a reboot"},
		{"staged and booted", func(f *status.Facts) {
			f.Survey.Receipt = receipt(func(r *deploy.Receipt) { r.Outcome = deploy.Staged })
		}, status.InSync, ""},
		{"tested", func(f *status.Facts) {
			f.Survey.Receipt = receipt(func(r *deploy.Receipt) { r.Outcome = deploy.Tested })
			f.Survey.Profile = older
		}, status.InSync, "until the next boot"},
		{"tested and rebooted", func(f *status.Facts) {
			f.Survey.Receipt = receipt(func(r *deploy.Receipt) { r.Outcome = deploy.Tested })
			f.Survey.Running, f.Survey.Profile = older, older
		}, status.InSync, "a test"},
		{"kernel", func(f *status.Facts) { f.Survey.Reboot = true }, status.NeedsReboot, "kernel, initrd or modules"},

		{"lock", func(f *status.Facts) {
			f.Survey.Lock = &target.Owner{ID: "x", User: "bob", From: "laptop", Revision: commit, Since: now().Add(-5 * time.Minute)}
		}, status.Deploying, "locked by bob from laptop for 5m (since 2026-11-24T17:55:00Z), at aaaaaaaaaaaa"},
		{"undo armed", func(f *status.Facts) { f.Survey.Undo = "armed" }, status.UndoPending, "undo timer"},
		{"undo at work", func(f *status.Facts) { f.Survey.Undo = "fired" }, status.UndoPending, "on its way back"},
		{"undo failed", func(f *status.Facts) { f.Survey.Undo = "failed" }, status.UndoPending, "the undo of a deploy failed"},
		{"undo done", func(f *status.Facts) { f.Survey.Undo = "done" }, status.InSync, "brought it back"},

		{"stopped by hand", func(f *status.Facts) { f.Survey.Containers[0].State = "exited" }, status.Drifted, "web-web-1 exited with 0"},
		{"one-shot failed", func(f *status.Facts) { f.Survey.Containers[1].ExitCode = 3 }, status.Drifted, "web-migrate-1 exited with 3"},
		{"unhealthy", func(f *status.Facts) { f.Survey.Containers[0].Health = "unhealthy" }, status.Drifted, "web-web-1 is unhealthy"},
		{"restarting", func(f *status.Facts) { f.Survey.Containers[0].State = "restarting" }, status.Drifted, "web-web-1 is restarting"},
		{"starting", func(f *status.Facts) { f.Survey.Containers[0].Health = "starting" }, status.InSync, ""},
		{"another image", func(f *status.Facts) { f.Survey.Containers[0].Image = "nginx@9" }, status.Drifted, "web-web-1 runs another image: nginx@9, no container of nginx@1"},
		{"a container is gone", func(f *status.Facts) { f.Survey.Containers = f.Survey.Containers[:1] }, status.Drifted, "no container of migrate@2"},
		{"all are gone", func(f *status.Facts) { f.Survey.Containers = nil }, status.Drifted, "stack web: it has no containers"},
		{"no images are listed", func(f *status.Facts) { f.Survey.Images = nil; f.Survey.Containers[0].Image = "anything" }, status.InSync, ""},
		{"Docker is silent", func(f *status.Facts) { f.Survey.Counted, f.Survey.Containers = false, nil }, status.Drifted, "Docker does not answer"},
		{"Docker is silent, and nobody needs it", func(f *status.Facts) {
			f.Survey.Counted, f.Survey.Containers, f.Survey.Stacks, f.Survey.Images = false, nil, nil, nil
		}, status.InSync, ""},
		{"a stranger's project", func(f *status.Facts) {
			f.Survey.Containers = append(f.Survey.Containers, target.StackContainer{Container: target.Container{Stack: "mine", State: "dead"}})
		}, status.InSync, "does not know: mine"},

		{"failed unit", func(f *status.Facts) { f.Survey.Failed = []string{"nginx.service"} }, status.Failed, "failed: nginx.service"},
		{"behind", func(f *status.Facts) { f.Work.Behind = 1 }, status.Behind, "behind by 1 commit"},
		{"behind, all count", func(f *status.Facts) { f.Work.Behind, f.Work.Whole = 3, true }, status.Behind, "behind by 3 commits (all commits count"},
		{"ahead", func(f *status.Facts) { f.Work.Ahead = 2 }, status.Behind, "HEAD is behind the host by 2 commits"},
		{"diverged", func(f *status.Facts) { f.Work.Ahead, f.Work.Behind = 2, 1 }, status.Behind, "it lacks 1 commit, and has 2 commits that HEAD has not"},
		{"unknown commit", func(f *status.Facts) { f.Work.Unknown = true }, status.Behind, "which this clone does not have"},
		{"no commit", func(f *status.Facts) { f.Work.Revision = "" }, status.Behind, "names no commit"},
		{"dirty work tree", func(f *status.Facts) { f.Work.Changed = []string{"hosts/pi/host.toml"} }, status.NotCommitted, "hosts/pi/host.toml"},
		{"dirty deploy", func(f *status.Facts) { f.Survey.Receipt = receipt(func(r *deploy.Receipt) { r.Dirty = true }) }, status.NotCommitted, "never committed"},
		{"no Git", func(f *status.Facts) { f.Work.Err = errors.New("no Git here") }, status.InSync, "no Git here"},
		{"clock", func(f *status.Facts) { f.Survey.Now = now().Add(-time.Hour) }, status.InSync, "off by 1h"},

		{"the worst is the verdict", func(f *status.Facts) {
			f.Survey.Reboot, f.Work.Behind, f.Survey.Failed = true, 1, []string{"x.service"}
			f.Survey.Lock = &target.Owner{User: "bob", Since: now()}
		}, status.Deploying, "locked by bob"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			c.change(&f)
			h := status.Judge(f)
			if h.Verdict != c.want || h.InSync() != (c.want == status.InSync) {
				t.Errorf("verdict %q, want %q: %+v", h.Verdict, c.want, h.Findings)
			}
			first := ""
			if len(h.Findings) > 0 {
				first = h.Findings[0].Text
			}
			if !strings.Contains(first, c.text) || c.text == "" && first != "" {
				t.Errorf("finding %q, want %q", first, c.text)
			}
		})
	}
}

func TestUp(t *testing.T) {
	f := healthy()
	f.Survey.Containers[0].State = "dead"
	if up, all := status.Judge(f).Up(); up != 1 || all != 2 {
		t.Errorf("%d of %d", up, all)
	}
}

// FuzzJudge: whatever a machine says, there is a verdict, it is that of the first
// finding, and the same facts give the same.
func FuzzJudge(f *testing.F) {
	f.Add(receipt(nil), "armed", deployed, older, "nginx@1", "running", 3, true)
	f.Add([]byte("{}"), "", "", "", "", "", -1, false)
	f.Add([]byte(`{"schema":1,"new":"x","ended":"9999-12-31T23:59:59Z"}`), "done", "x", "x", "y", "exited", 1<<40, true)
	f.Fuzz(func(t *testing.T, receipt []byte, undo, running, profile, image, state string, n int, yes bool) {
		facts := healthy()
		s := &facts.Survey
		s.Receipt, s.Undo, s.Running, s.Profile, s.Generation, s.Reboot, s.Counted = receipt, undo, running, profile, n, yes, yes
		s.Containers[0].Image, s.Containers[0].State, s.Failed = image, state, []string{running}
		s.Lock = &target.Owner{User: undo, Revision: profile, Since: time.Unix(int64(n), 0)}
		facts.Work = status.Work{Commit: undo, Revision: profile, Behind: n, Ahead: -n, Unknown: yes}
		a, b := status.Judge(facts), status.Judge(facts)
		if len(a.Findings) > 0 && a.Findings[0].Code != status.Note && a.Verdict != a.Findings[0].Code || a.Verdict == "" {
			t.Errorf("verdict %q of %+v", a.Verdict, a.Findings)
		}
		if fmt.Sprint(a.Findings) != fmt.Sprint(b.Findings) {
			t.Error("the same facts, and other findings")
		}
	})
}
