package view

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"pistack/internal/deploy"
)

// PlanDetail is what a text of a plan says beyond the plan.
type PlanDetail struct {
	Explain bool              // the commands, too
	Changes map[string]string // by host: what changed since HostPlan.Since, as DiffText wrote it
}

// listedUnchanged is how many hosts a line names before it counts the rest.
const listedUnchanged = 20

// PlanText writes a plan for people at a terminal; colour is for those that have
// it, and says nothing that words do not.
func PlanText(w io.Writer, p deploy.Plan, detail PlanDetail, colour bool) error {
	t := &planText{page: page{colour: colour}, detail: detail, verb: "will", used: map[string]bool{}}
	if p.Action == deploy.DryActivate {
		t.verb = "would"
	}
	t.line("plan: %s, for %s", actionText(p.Action), revisionText(p))
	t.line("")
	for _, h := range p.Hosts {
		if standingOf(h) != unchanged || len(h.Warnings) > 0 || detail.Explain && len(h.Commands) > 0 {
			t.host(h)
		}
	}
	t.unchanged(p.Hosts)
	t.legend()
	t.line("%s", totalText(totalsOf(p)))
	_, err := io.WriteString(w, t.out.String())
	return err
}

// planText builds the text.
type planText struct {
	page
	detail PlanDetail
	verb   string
	used   map[string]bool // signs that need a legend
}

func actionText(a deploy.Action) string {
	switch a {
	case deploy.Switch:
		return "switch, tried first and kept if it stays healthy"
	case deploy.Boot:
		return "boot, which takes effect at the next one"
	case deploy.Test:
		return "test, which lasts until the next boot"
	case deploy.DryActivate:
		return "dry-activate, which changes nothing"
	}
	return clean(string(a))
}

func revisionText(p deploy.Plan) string {
	switch {
	case p.Revision == "":
		return "the work tree (nothing is committed yet)"
	case p.Dirty:
		return "the work tree (" + shortRevision(p.Revision) + " and what is not committed)"
	}
	return shortRevision(p.Revision)
}

// label writes a line of a host: what it is about, and the text.
func (t *planText) label(name, format string, args ...any) {
	t.line("    %-8s  %s", name, fmt.Sprintf(format, args...))
}

// sign is a symbol that the legend explains.
func (t *planText) sign(colour, symbol string) string {
	t.used[symbol] = true
	return t.paint(colour, symbol)
}

func (t *planText) host(h deploy.HostPlan) {
	name := t.paint(bold, clean(h.Host.Name))
	switch standingOf(h) {
	case cannot:
		t.line("%s %s: cannot be changed", t.sign(red, "!"), name)
		for _, p := range problems(h.Problem) {
			for _, line := range slices.Concat(p.lines(h.Host.Name), p.advice()) {
				t.line("    %s", line)
			}
		}
	case unchanged:
		t.line("%s %s: unchanged", t.sign("", "="), name)
	default:
		t.line("%s %s: %s change%s", t.sign(yellow, "~"), name, t.verb, rebootText(h.Reboot))
		t.system(h)
		t.fetched(h)
		t.units(h.Units)
	}
	for _, text := range h.Warnings {
		t.label("warning", "%s", t.paint(yellow, cleanTo(text, maxLine)))
	}
	if len(h.State.Failed) > 0 {
		t.label("failed", "%s (before this deploy)", clean(some(h.State.Failed, listedUnits)))
	}
	if standingOf(h) == willChange {
		t.changes(h)
	}
	t.commands(h.Commands)
	t.line("")
}

func rebootText(needed bool) string {
	if needed {
		return ", and needs a reboot"
	}
	return ""
}

func (t *planText) system(h deploy.HostPlan) {
	s := h.State
	var notes []string
	if s.Generation > 0 {
		notes = append(notes, fmt.Sprintf("generation %d now", s.Generation))
	}
	text := short(s.Running) + " -> " + short(h.System)
	switch s.Running {
	case "":
		text = short(h.System)
		notes = append(notes, "what runs is not known")
	case h.System:
		text = short(h.System)
		notes = append(notes, "runs already")
	}
	if s.Profile != "" && s.Profile != s.Running && s.Profile != h.System {
		notes = append(notes, "a boot would bring "+short(s.Profile))
	}
	t.label("system", "%s%s", text, inBrackets(notes))
	if h.Reboot {
		t.label("reboot", "kernel, initrd or modules differ from those that were booted")
	}
}

func inBrackets(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, ", ") + ")"
}

// changes indents what changed in the repository since the last deploy.
func (t *planText) changes(h deploy.HostPlan) {
	since := "not known: the machine has no receipt of a deploy"
	if h.Since != "" {
		since = "since " + shortRevision(h.Since) + ", which was deployed last"
	}
	text := strings.TrimSpace(t.detail.Changes[h.Host.Name])
	if text == "" {
		t.label("changes", "%s", since)
		return
	}
	t.label("changes", "%s:", since)
	for line := range strings.Lines(text) {
		t.line("%s", strings.TrimRight("      | "+rendered(strings.TrimRight(line, "\n"), t.colour), " "))
	}
}

func (t *planText) commands(all []string) {
	if !t.detail.Explain || len(all) == 0 {
		return
	}
	t.label("commands", "in this order:")
	for _, c := range all {
		t.line("      $ %s", cleanTo(c, maxCommand))
	}
}

// unchanged names the hosts about which there is nothing else to say.
func (t *planText) unchanged(hosts []deploy.HostPlan) {
	var names []string
	for _, h := range hosts {
		if standingOf(h) == unchanged && len(h.Warnings) == 0 && (!t.detail.Explain || len(h.Commands) == 0) {
			names = append(names, clean(h.Host.Name))
		}
	}
	if len(names) > 0 {
		t.line("%s unchanged: %s", t.sign("", "="), some(names, listedUnchanged))
		t.line("")
	}
}

// legend explains the signs that were used.
func (t *planText) legend() {
	var words []string
	for _, s := range [][2]string{{"~", "changed in place"}, {"±", "stopped, then started"}, {"+", "started"}, {"-", "stopped"}, {"=", "left as it is"}, {"!", "cannot be changed"}} {
		if t.used[s[0]] {
			words = append(words, s[0]+" "+s[1])
		}
	}
	if len(words) > 0 {
		t.line("%s", t.paint(faint, "signs: "+strings.Join(words, "; ")))
	}
}

// totalText is a plan in one line.
func totalText(n planTotals) string {
	var hosts, work []string
	for _, part := range []struct {
		n    int
		text string
	}{{n.Change, counted(n.Change, "host") + " to change"}, {n.Unchanged, fmt.Sprintf("%d unchanged", n.Unchanged)}, {n.Problems, fmt.Sprintf("%d cannot be changed", n.Problems)}} {
		if part.n > 0 {
			hosts = append(hosts, part.text)
		}
	}
	if n.Change == 0 {
		hosts = append([]string{"nothing to change"}, hosts...)
	}
	if n.NewPaths > 0 {
		work = append(work, size(n.NewBytes)+" to copy")
	}
	if n.Images > 0 {
		work = append(work, fmt.Sprintf("%s to pull (%s)", counted(n.Images, "image"), imageSizes(n.ImageBytes, n.UnknownImages)))
	}
	if n.Reboots > 0 {
		work = append(work, counted(n.Reboots, "reboot")+" needed")
	}
	if len(work) == 0 {
		return strings.Join(hosts, ", ")
	}
	return strings.Join(hosts, ", ") + "; " + strings.Join(work, ", ")
}
