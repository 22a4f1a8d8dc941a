package view_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pistack/internal/deploy"
	"pistack/internal/view"
)

const jsonPage = "../../docs/deploy-json.md"

// example is a fenced block of the page.
var example = regexp.MustCompile("(?s)```json\n(.*?)```\n")

// TestJSONPage: the examples of docs/deploy-json.md are what the program writes,
// and the page names every field, phase, kind and outcome.
func TestJSONPage(t *testing.T) {
	short := plan()
	short.Hosts = []deploy.HostPlan{short.Hosts[0], short.Hosts[4]}
	short.Hosts[0].Units = short.Hosts[0].Units[:2]
	short.Hosts[0].Commands = short.Hosts[0].Commands[1:]
	lines := events()
	want := []string{planJSON(t, short), jsonLines([]deploy.Event{lines[0], lines[2], lines[4], lines[9]}), indented(t, summaryJSON(t, results()[:2]))}
	text, err := os.ReadFile(jsonPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if *update {
		n := -1
		page = example.ReplaceAllStringFunc(page, func(string) string { n++; return "```json\n" + want[n] + "```\n" })
		if err := os.WriteFile(jsonPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, block := range example.FindAllStringSubmatch(page, -1) {
		got = append(got, block[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("the examples of %s are stale; run: go test ./internal/view -run TestJSONPage -update", jsonPage)
	}
	words := example.ReplaceAllString(page, "")
	for _, name := range slices.Concat(fieldNames(strings.Join(want, "")), constants()) {
		if !strings.Contains(words, "`"+name+"`") {
			t.Errorf("%s does not say what `%s` is", jsonPage, name)
		}
	}
}

// indented is JSON with line breaks, for the page.
func indented(t *testing.T, text string) string {
	t.Helper()
	if strings.Count(text, "\n") != 1 {
		t.Errorf("not one line: %q", text)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// fieldNames are the names of all fields in some JSON.
func fieldNames(text string) []string {
	var names []string
	for _, found := range regexp.MustCompile(`"([a-zA-Z]+)":`).FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func constants() []string {
	var names []string
	for _, p := range []deploy.Phase{deploy.Preflight, deploy.Evaluate, deploy.Build, deploy.Copy, deploy.Pull, deploy.Lock, deploy.Activate, deploy.Gate, deploy.Commit, deploy.Undo, deploy.Record} {
		names = append(names, string(p))
	}
	for _, k := range []deploy.Kind{deploy.Begun, deploy.Line, deploy.Warning, deploy.Finished} {
		names = append(names, string(k))
	}
	for _, o := range []deploy.Outcome{deploy.Unchanged, deploy.Recorded, deploy.Degraded, deploy.Deployed, deploy.Staged, deploy.Tested, deploy.Dry, deploy.Refused, deploy.RolledBack, deploy.Unknown, deploy.NotReached, deploy.Interrupted} {
		names = append(names, string(o))
	}
	for _, a := range []deploy.Action{deploy.Switch, deploy.Boot, deploy.Test, deploy.DryActivate} {
		names = append(names, string(a))
	}
	for _, u := range []deploy.UnitAction{deploy.UnitStart, deploy.UnitStop, deploy.UnitRestart, deploy.UnitReload} {
		names = append(names, string(u))
	}
	return names
}

// TestJSONHoldsNoNull: what is empty is an empty list, text or number.
func TestJSONHoldsNoNull(t *testing.T) {
	for name, got := range map[string]string{
		"empty plan": planJSON(t, deploy.Plan{}), "plan of an empty host": planJSON(t, deploy.Plan{Hosts: make([]deploy.HostPlan, 1)}),
		"no results": summaryJSON(t, nil), "an empty result": summaryJSON(t, make([]deploy.Result, 1)),
		"an empty event": jsonLines(make([]deploy.Event, 1)), "an empty end": jsonLines([]deploy.Event{{Kind: deploy.Finished, Result: &deploy.Result{}}}),
	} {
		if !json.Valid([]byte(got)) || strings.Contains(got, "null") || !strings.Contains(got, `"schema":`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// FuzzJSONLines: every event is one line, which says what the event said.
func FuzzJSONLines(f *testing.F) {
	f.Add("rpi-box-01", "line", "copy", "text", int64(0), true)
	f.Add("\n", "\x00", "\u2028\u202e\x7f\u0085", "\xff\"\\</script>\U000e0001日本", int64(1<<62), false)
	f.Add("", "", "", strings.Repeat("日", 5000), int64(-1<<62), true)
	f.Add("", "", "", "", int64(253_402_300_800), true) // the year 10000, which JSON has not
	f.Fuzz(func(t *testing.T, host, kind, phase, text string, seconds int64, result bool) {
		e := deploy.Event{Time: time.Unix(seconds, 0), Host: host, Kind: deploy.Kind(kind), Phase: deploy.Phase(phase), Text: text}
		if result {
			e.Result = &deploy.Result{Host: host, Outcome: deploy.Refused, Err: advised{text, text}, Last: []string{text}, Begun: e.Time, Ended: e.Time}
		}
		out := jsonLines([]deploy.Event{e, e})
		lines := strings.Split(out, "\n")
		if len(lines) != 3 || lines[0] != lines[1] || lines[2] != "" {
			t.Fatalf("%q", out)
		}
		var got struct {
			Schema            int
			Host, Kind, Phase string
			Text              string
			Result            *struct {
				Host     string
				Problems []struct{ Message, Hint string }
				Last     []string
			}
		}
		if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
			t.Fatal(err)
		}
		said := kept(text)
		if got.Schema != 1 || got.Host != kept(host) || got.Kind != kept(kind) || got.Phase != kept(phase) || got.Text != said || (got.Result != nil) != result {
			t.Errorf("%+v\n%+v", e, got)
		}
		if result && (got.Result.Host != kept(host) || got.Result.Problems[0].Message != said || got.Result.Problems[0].Hint != said || got.Result.Last[0] != said) {
			t.Errorf("%+v\n%+v", e.Result, got.Result)
		}
	})
}

// valid replaces what is no UTF-8, byte by byte, as JSON does.
func valid(text string) string { return string([]rune(text)) }

// kept is a text as JSON holds it: at most 8 KiB of it.
func kept(text string) string {
	if len(text) <= 8<<10 {
		return valid(text)
	}
	cut := 8 << 10
	for cut > 0 && text[cut]&0xc0 == 0x80 {
		cut--
	}
	return valid(text[:cut]) + "…"
}

// TestJSONWriteError: what cannot be written is said.
func TestJSONWriteError(t *testing.T) {
	if err := view.PlanJSON(full{}, plan()); err == nil {
		t.Error("a full disk went unnoticed")
	}
	if err := view.SummaryText(full{}, results(), false); err == nil {
		t.Error("a full disk went unnoticed")
	}
}

// full is a disk with no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrInvalid }
