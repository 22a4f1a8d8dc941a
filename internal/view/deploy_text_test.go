package view_test

import (
	"regexp"
	"strings"
	"testing"

	"pistack/internal/deploy"
	"pistack/internal/view"
)

func TestPlanText(t *testing.T) {
	brief := planText(t, plan(), view.PlanDetail{}, false)
	golden(t, "plan.txt", brief)
	explained := view.PlanDetail{Explain: true, Changes: diffOf(t, true)}
	golden(t, "plan_explain.txt", planText(t, plan(), explained, false))
	coloured := planText(t, plan(), explained, true)
	golden(t, "plan_colour.txt", coloured)
	if uncoloured(coloured) != planText(t, plan(), explained, false) {
		t.Error("colours say what words do not")
	}
}

func uncoloured(text string) string {
	return regexp.MustCompile(`\x1b\[[0-9]+m`).ReplaceAllString(text, "")
}

// TestPlanWords: what one field makes of a plan.
func TestPlanWords(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*deploy.Plan)
		want   []string // lines
	}{
		{"nothing committed", func(p *deploy.Plan) { p.Revision = "" }, []string{"plan: switch, tried first and kept if it stays healthy, for the work tree (nothing is committed yet)"}},
		{"clean", func(p *deploy.Plan) { p.Dirty, p.Action = false, deploy.Boot }, []string{"plan: boot, which takes effect at the next one, for 4f2c1aa90b12"}},
		{"test", func(p *deploy.Plan) { p.Action = deploy.Test }, []string{"plan: test, which lasts until the next boot, for the work tree (4f2c1aa90b12 and what is not committed)"}},
		{"dry", func(p *deploy.Plan) { p.Action = deploy.DryActivate; p.Hosts[0].Reboot = false }, []string{"~ rpi-box-01: would change"}},
		{"nothing runs", func(p *deploy.Plan) { p.Hosts[0].State.Running, p.Hosts[0].State.Profile = "", "" }, []string{"    system    bbbbbbbb (generation 41 now, what runs is not known)"}},
		{"no store path", func(p *deploy.Plan) { p.Hosts[0].State.Running = "/boot/\x1bx" }, []string{`    system    /boot/\x1bx -> bbbbbbbb (generation 41 now, a boot would bring aaaaaaaa)`}},
		{"never deployed", func(p *deploy.Plan) { p.Hosts[0].Since = "" }, []string{"    changes   not known: the machine has no receipt of a deploy"}},
		{"no new paths", func(p *deploy.Plan) { p.Hosts[0].NewPaths, p.Hosts[0].NewBytes = 0, 0 }, []string{"    copy      nothing (2.1 GB in all, 9.4 GB free)"}},
		{"all sizes unknown", func(p *deploy.Plan) { p.Hosts[0].Images[0].Bytes = 0 }, []string{"    pull      2 images, size unknown (5.2 GB free)",
			"2 hosts to change, 3 unchanged, 1 cannot be changed; 340 MB to copy, 2 images to pull (size unknown), 1 reboot needed"}},
		{"all sizes known", func(p *deploy.Plan) { p.Hosts[0].Images[1].Bytes = 1_500_000 }, []string{"    pull      2 images, 122 MB (5.2 GB free)",
			"2 hosts to change, 3 unchanged, 1 cannot be changed; 340 MB to copy, 2 images to pull (122 MB), 1 reboot needed"}},
		{"another unit action", func(p *deploy.Plan) { p.Hosts[0].Units = []deploy.UnitChange{{Unit: "a.service", Action: "freeze"}} }, []string{"    units     ~ freeze: a.service"}},
		{"several problems", func(p *deploy.Plan) {
			p.Hosts = p.Hosts[:1]
			p.Hosts[0].Problem = failed().Err
			p.Hosts[0].Host.Name = "rpi-box-02"
		}, []string{
			"! rpi-box-02: cannot be changed", "    container chat-web-1 is not healthy", "      hint: pistack logs rpi-box-02 chat", "    unit nginx.service failed",
			"nothing to change, 1 cannot be changed"}},
		{"all unchanged", func(p *deploy.Plan) { p.Hosts = []deploy.HostPlan{unchangedHost("a"), unchangedHost("b")} }, []string{"= unchanged: a, b", "signs: = left as it is", "nothing to change, 2 unchanged"}},
		{"none", func(p *deploy.Plan) { p.Hosts = nil }, []string{"nothing to change"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := plan()
			c.change(&p)
			got := planText(t, p, view.PlanDetail{}, false)
			for _, line := range c.want {
				if !strings.Contains("\n"+got, "\n"+line+"\n") {
					t.Errorf("no line %q in\n%s", line, got)
				}
			}
		})
	}
}

// TestPlanFew: many unchanged hosts stay one line.
func TestPlanFew(t *testing.T) {
	p := deploy.Plan{Action: deploy.Switch}
	for range 200 {
		p.Hosts = append(p.Hosts, unchangedHost("pi"))
	}
	got := planText(t, p, view.PlanDetail{}, false)
	if lines := strings.Count(got, "\n"); lines != 6 || !strings.Contains(got, "pi and 181 more\n") {
		t.Errorf("%d lines:\n%s", lines, got)
	}
}

func TestSummaryText(t *testing.T) {
	got := summaryText(t, results(), false)
	golden(t, "summary.txt", got)
	if coloured := summaryText(t, results(), true); coloured == got || uncoloured(coloured) != got {
		t.Errorf("with colour:\n%s", coloured)
	}
	for _, c := range []struct {
		results []deploy.Result
		want    string
	}{
		{nil, "0 hosts\n"},
		{results()[2:3], "HOST        OUTCOME    GENERATION  TIME\nrpi-box-03  unchanged  7           0s\n\n1 host: 1 unchanged\n"},
	} {
		if got := summaryText(t, c.results, false); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

func TestPlainProgress(t *testing.T) {
	golden(t, "progress.txt", plain(events(), view.ProgressOptions{Hosts: []string{"rpi-box-01", "rpi-box-02", "rpi-box-100"}}))
	verbose := plain(events(), view.ProgressOptions{Verbose: true})
	golden(t, "progress_verbose.txt", verbose)
	if coloured := plain(events(), view.ProgressOptions{Verbose: true, Colour: true}); coloured == verbose || uncoloured(coloured) != verbose {
		t.Errorf("with colour:\n%s", coloured)
	}
}

// TestPlainProgressFailure: where the result holds no last lines, those of the
// host's children are shown, the last ones of them.
func TestPlainProgressFailure(t *testing.T) {
	var all []deploy.Event
	for range 100 {
		all = append(all, deploy.Event{Host: "a", Kind: deploy.Line, Text: "early"}, deploy.Event{Host: "b", Kind: deploy.Line, Text: "of another"})
	}
	for range 10 {
		all = append(all, deploy.Event{Host: "a", Kind: deploy.Line, Text: strings.Repeat("late ", 1000)})
	}
	all = append(all, deploy.Event{Host: "a", Kind: deploy.Finished, Result: &deploy.Result{Outcome: deploy.Unknown}})
	got := plain(all, view.ProgressOptions{})
	if strings.Count(got, "a         |   > late") != 10 || strings.Contains(got, "early") || strings.Contains(got, "another") || len(got) > 10_000 {
		t.Errorf("got\n%s", got)
	}
}

// TestProgressClosed: after Close nothing is written.
func TestProgressClosed(t *testing.T) {
	for _, kind := range []view.ProgressKind{view.LiveProgress, view.PlainProgress, view.JSONProgress} {
		var out strings.Builder
		p := view.NewProgress(kind, &out, view.ProgressOptions{})
		p.Close()
		p.Event(events()[0])
		p.Event(events()[8])
		p.Close()
		if out.Len() > 0 {
			t.Errorf("%s: %q", kind, out.String())
		}
	}
}
