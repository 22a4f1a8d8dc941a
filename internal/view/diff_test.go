package view_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"pistack/compose"
	"pistack/compose/changes"
	"pistack/internal/compare"
	"pistack/internal/view"
)

func text(s string) *string { return &s }

// report holds one of everything, with a value in every place that a repository
// can fill.
func report(value string) compare.Report {
	stack := compare.Stack{Name: "chat", Status: compare.Changed, Unchanged: 1, Changes: changes.Changes{
		Dangers:  []changes.Danger{{Code: changes.PublicPort, Service: "web", Message: "port " + value}},
		Services: []changes.Service{{Name: "web", Effect: changes.Pull, Causes: []string{"image tag " + value + " -> 2"}}, {Name: "db", Effect: changes.None, Causes: []string{"depends_on changed"}}},
		Details:  []changes.Detail{{Path: "services.web." + value, Old: text(value), New: text("2")}, {Path: "a", New: text(value)}, {Path: "b", Old: text(value)}},
	}}
	secrets := []compare.Secret{{Name: "KEY", Change: compare.SecretReader, Gained: []string{"operator " + value}, Lost: []string{"host old"}}, {Name: "NEW", Change: compare.SecretAdded}}
	return compare.Report{
		Base: "main" + value, Head: "the work tree", Compared: 3,
		Fleet: []changes.Detail{{Path: "operators", Old: text(value), New: text("b")}},
		Hosts: []compare.Host{
			{Name: "a", Status: compare.Changed, Stacks: []compare.Stack{stack}, Secrets: secrets, Settings: []changes.Detail{{Path: "env.A", New: text(value)}}},
			{Name: "b", Status: compare.Added, Stacks: []compare.Stack{stack}, Dangers: []changes.Danger{{Code: compare.HostKey, Message: value}}},
		},
		Findings: []compare.Finding{{Side: "head", Finding: compose.Finding{File: value, Line: 1, Column: 2, Code: "syntax", Severity: compose.Error, Message: value, Fix: value}}},
		Nix:      []string{"flake.lock", "modules/" + value + ".nix"},
	}
}

func asText(t testing.TB, r compare.Report, colour bool) string {
	t.Helper()
	var out strings.Builder
	if err := view.DiffText(&out, r, colour); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func asMarkdown(t testing.TB, r compare.Report) string {
	t.Helper()
	var out strings.Builder
	if err := view.DiffMarkdown(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestDiffText(t *testing.T) {
	want := `dangers
  ! b: 1 [host-key]
  ! a, b chat/web: port 1 [public-port]

HOST  STACK  SERVICE  EFFECT  CAUSE
a, b  chat   web      pull    image tag 1 -> 2
a, b  chat   db       none    depends_on changed

secrets
  ~ a KEY: readers, gained operator 1, lost host old
  + a NEW: added

chat on a, b
  ~ services.web.1: 1 -> 2
  + a: 1
  - b: 1

fleet.toml
  ~ operators: 1 -> b

host a (changed)
  + env.A: 1

host b (added)

changed for NixOS, which alone knows the effect
  ~ flake.lock: another version of Docker Compose may recreate every container
  ~ modules/1.nix

not compared
  head: 1:1:2: error: 1 [syntax]
    hint: 1

2 hosts, 2 stacks, 2 pull, 2 unchanged, 3 dangers, 2 secrets, 2 Nix files, 1 finding (the work tree against main1)
`
	if got := asText(t, report("1"), false); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	coloured := asText(t, report("1"), true)
	if !strings.Contains(coloured, "\x1b[31m") || regexp.MustCompile(`\x1b\[[0-9]+m`).ReplaceAllString(coloured, "") != want {
		t.Errorf("with colour:\n%s", coloured)
	}
}

// TestTextIsHarmless: nothing of a value reaches the terminal but what can be
// printed.
func TestTextIsHarmless(t *testing.T) {
	got := asText(t, report("\x1b[2J\r\n\t\u202e\u200b\x00\xff"), false)
	for _, r := range got {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%q in\n%q", r, got)
		}
	}
	if !strings.Contains(got, `\x1b[2J\r\n\t\u202e\u200b\x00`) {
		t.Errorf("got %q", got)
	}
}

// TestMarkdownIsHarmless: outside of fenced blocks a value is in <code> and made
// of numbers, and inside of them no line of it can end one.
func TestMarkdownIsHarmless(t *testing.T) {
	for _, value := range hostile {
		harmless(t, value)
	}
}

var hostile = []string{
	"@somebody", "<script>alert(1)</script>", "a|b", `a\|b`, "`code`", "````", "](https://evil.example)", "https://evil.example", "www.evil.example",
	"a@b.example", "#1", "\n```\n@somebody", "</details>", "</code>", "<!-- -->", "**bold** _it_ ~~x~~", "-->", "&lt;", "\x1b[0m", "日本 ü",
}

func FuzzMarkdown(f *testing.F) {
	for _, value := range hostile {
		f.Add(value)
	}
	f.Fuzz(harmless)
}

// ours is what is between the values outside of fenced blocks, on one line.
var (
	codeSpan = regexp.MustCompile(`<code>[^<>|@:.*_\x60\[\]()~!"'/\\]*</code>`)
	ours     = regexp.MustCompile(`^[A-Za-z0-9 .,:#&;()|*<>/!_-]*$`)
)

func harmless(t *testing.T, value string) {
	t.Helper()
	got := asMarkdown(t, report(value))
	if !strings.HasPrefix(got, view.Marker+"\n### pistack diff: 2 hosts, 2 stacks, 2 pull, 2 unchanged, 3 dangers") {
		t.Errorf("%q begins\n%s", value, got[:min(200, len(got))])
	}
	fence := ""
	for _, line := range strings.Split(got, "\n") {
		if ticks := strings.TrimSuffix(line, "diff"); strings.Trim(ticks, "`") == "" && len(ticks) >= 3 {
			if fence == "" {
				fence = ticks
			} else if ticks == fence {
				fence = ""
			}
			continue
		}
		if fence != "" {
			if strings.Contains(line, fence) || !strings.HasPrefix(line, "@@ ") && !strings.HasPrefix(line, "+ ") && !strings.HasPrefix(line, "- ") {
				t.Errorf("%q in a block of %s: %q", value, fence, line)
			}
			continue
		}
		rest := codeSpan.ReplaceAllString(line, "CODE")
		if !ours.MatchString(rest) || strings.Contains(rest, "@") {
			t.Errorf("%q: %q", value, line)
		}
	}
	if fence != "" {
		t.Errorf("%q: a block does not end", value)
	}
}

// TestMarkdownBound: details are left out before anything else, and that is said.
func TestMarkdownBound(t *testing.T) {
	for _, n := range []int{1, 20, 1000, 20000} {
		r := report("1")
		for i := range n {
			h := r.Hosts[0]
			h.Name = fmt.Sprintf("host-%d", i)
			stack := h.Stacks[0]
			stack.Unchanged = i
			h.Stacks = []compare.Stack{stack}
			r.Hosts = append(r.Hosts, h)
		}
		got := asMarkdown(t, r)
		if len(got) > 60000 {
			t.Errorf("%d hosts: %d bytes", n, len(got))
		}
		if cut := strings.Contains(got, "left out, since a comment has an end"); cut != (n > 20) {
			t.Errorf("%d hosts: said that something is left out: %t", n, cut)
		}
		if strings.Count(got, "<details>") != strings.Count(got, "</details>") {
			t.Errorf("%d hosts: a block is cut", n)
		}
	}
}

func TestDiffJSON(t *testing.T) {
	for _, r := range []compare.Report{report("<&>"), {}} {
		var out strings.Builder
		if err := view.DiffJSON(&out, r); err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
			t.Fatal(err)
		}
		if got["schema"] != 1.0 || regexp.MustCompile(`: null`).MatchString(regexp.MustCompile(`"(old|new|gained|lost)": null`).ReplaceAllString(out.String(), "")) {
			t.Errorf("%s", out.String())
		}
	}
}

func TestNoDifference(t *testing.T) {
	r := compare.Report{Base: "main", Head: "the work tree", Compared: 1}
	if got := asText(t, r, true); got != "no difference between main and the work tree: 1 host compared\n" {
		t.Errorf("%q", got)
	}
	if got := asMarkdown(t, r); !strings.HasPrefix(got, view.Marker+"\n### pistack diff: no difference\n") {
		t.Errorf("%q", got)
	}
}
