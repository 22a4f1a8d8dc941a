package view_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"pistack/internal/deploy"
	"pistack/internal/view"
)

// leaves calls do with every field of a value that holds no others, and its
// path: "Hosts.State.Running". Of slices it looks at the first element.
func leaves(v reflect.Value, path string, do func(path string, v reflect.Value)) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time](), v.Type() == reflect.TypeFor[error]():
		do(path, v)
	case v.Kind() == reflect.Pointer && !v.IsNil():
		leaves(v.Elem(), path, do)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				leaves(v.Field(i), strings.TrimPrefix(path+"."+f.Name, "."), do)
			}
		}
	case v.Kind() == reflect.Slice && v.Len() > 0:
		leaves(v.Index(0), path, do)
	default:
		do(path, v)
	}
}

// mutate gives a leaf another value.
func mutate(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(v.Interface().(time.Time).Add(-time.Hour)))
	case v.Type() == reflect.TypeFor[error]():
		v.Set(reflect.ValueOf(errors.New("mutated")))
	case v.Kind() == reflect.String:
		v.SetString("mutated")
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.CanInt():
		v.SetInt(v.Int() + 7_000_000_000)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		v.Set(reflect.ValueOf([]string{"mutated"}).Convert(v.Type()))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		v.SetBytes([]byte("mutated"))
	case v.Kind() == reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"MUTATED": "mutated"}))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	default:
		t.Fatalf("%s: this test does not know how to change a %s", path, v.Type())
	}
}

// shows checks that a renderer shows every field of a value, except those that
// are left out on purpose, by path and reason.
func shows[T any](t *testing.T, sample func() T, leftOut map[string]string, render func(T) string) {
	t.Helper()
	base := render(sample())
	var paths []string
	first := sample()
	leaves(reflect.ValueOf(&first).Elem(), "", func(path string, _ reflect.Value) { paths = append(paths, path) })
	if len(paths) < 5 {
		t.Fatalf("only %q were looked at", paths)
	}
	seen := map[string]bool{}
	for _, path := range paths {
		changed := sample()
		leaves(reflect.ValueOf(&changed).Elem(), "", func(p string, v reflect.Value) {
			if p == path {
				mutate(t, p, v)
			}
		})
		reason := leftOut[path]
		for parent := path; reason == "" && strings.Contains(parent, "."); reason = leftOut[parent+".*"] {
			parent = parent[:strings.LastIndexByte(parent, '.')]
		}
		seen[path] = true
		switch same := render(changed) == base; {
		case same && reason == "":
			t.Errorf("%s is not shown, and not listed as left out", path)
		case !same && leftOut[path] != "":
			t.Errorf("%s is shown, and listed as left out: %s", path, reason)
		}
	}
	for path := range leftOut {
		if !seen[path] && !strings.HasSuffix(path, ".*") {
			t.Errorf("%s is listed as left out, and does not exist", path)
		}
	}
}

// onePlan is a plan of one host with one of everything.
func onePlan() deploy.Plan {
	return deploy.Plan{Action: deploy.Switch, Revision: revision, Dirty: true, Hosts: []deploy.HostPlan{changing()}}
}

// notOfAPlan are fields of a machine's state that other commands show.
func notOfAPlan(others map[string]string) map[string]string {
	for _, field := range []string{"Uptime", "Lock", "Undo", "UndoID", "Reboot", "BootedKernel", "Receipt"} {
		others["Hosts.State."+field] = "pistack status and pistack doctor show it"
	}
	return others
}

func TestPlanFields(t *testing.T) {
	t.Run("text", func(t *testing.T) {
		const preflight = "preflight compares it; a difference is a problem or a warning"
		shows(t, onePlan, notOfAPlan(map[string]string{
			"Hosts.Derivation":     "the commands of --explain name it",
			"Hosts.Host.*":         "host.toml says it; a plan is about what differs",
			"Hosts.State.Hostname": preflight,
			"Hosts.State.Arch":     preflight,
			"Hosts.State.Now":      preflight,
			"Hosts.State.Kernel":   "Reboot says whether it matters",
			"Hosts.State.Booted":   "Reboot says whether it matters",
			"Hosts.State.BootID":   "means nothing to people",
		}), func(p deploy.Plan) string { return planText(t, p, view.PlanDetail{Explain: true}, false) })
	})
	t.Run("JSON", func(t *testing.T) {
		shows(t, onePlan, notOfAPlan(map[string]string{"Hosts.Host.*": "host.toml says it, and is in the repository; name and address are shown"}), func(p deploy.Plan) string { return planJSON(t, p) })
	})
}

func TestResultFields(t *testing.T) {
	t.Run("text", func(t *testing.T) {
		shows(t, failed, nil, func(r deploy.Result) string { return summaryText(t, []deploy.Result{r}, false) })
	})
	t.Run("JSON", func(t *testing.T) {
		shows(t, failed, nil, func(r deploy.Result) string { return summaryJSON(t, []deploy.Result{r}) })
	})
}

// lastEvent has one of everything, although no event has.
func lastEvent() deploy.Event {
	e := events()[9]
	e.Text = "text"
	return e
}

func TestEventFields(t *testing.T) {
	shows(t, lastEvent, nil, func(e deploy.Event) string { return jsonLines([]deploy.Event{e}) })
}

// fill puts a text into everything that can hold one.
func fill(v reflect.Value, text string) {
	leaves(v, "", func(_ string, leaf reflect.Value) {
		switch {
		case leaf.Type() == reflect.TypeFor[error]():
			leaf.Set(reflect.ValueOf(errors.Join(advised{text, text}, errors.New(text))))
		case leaf.Kind() == reflect.String:
			leaf.SetString(text)
		}
	})
}

// FuzzTextIsHarmless: nothing of a value reaches the terminal but what can be
// printed, in no renderer.
func FuzzTextIsHarmless(f *testing.F) {
	for _, text := range append(hostile, "\x1b[2J\r\n\t\u202e\u200b\x00\xff\u0085\x9b31m\U000e0001", "a\nb | c", strings.Repeat("日\x1b", 10_000)) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, r, e := onePlan(), failed(), lastEvent()
		fill(reflect.ValueOf(&p).Elem(), text)
		fill(reflect.ValueOf(&r).Elem(), text)
		fill(reflect.ValueOf(&e).Elem(), text)
		bad := p
		bad.Hosts = []deploy.HostPlan{p.Hosts[0]}
		bad.Hosts[0].Problem = errors.New(text)
		detail := view.PlanDetail{Explain: true, Changes: map[string]string{text: text}}
		e.Kind = deploy.Finished
		said := e
		said.Kind = deploy.Line
		all := []deploy.Event{{Host: text, Kind: deploy.Begun, Phase: deploy.Phase(text)}, said, {Host: text, Kind: deploy.Warning, Text: text}, e}
		for name, got := range map[string]string{
			"plan": planText(t, p, detail, false), "plan with a problem": planText(t, bad, detail, false), "summary": summaryText(t, []deploy.Result{r}, false),
			"plain": plain(all, view.ProgressOptions{Verbose: true}), "plan JSON": planJSON(t, p), "summary JSON": summaryJSON(t, []deploy.Result{r}), "event JSON": jsonLines(all),
		} {
			for _, c := range got {
				if c != '\n' && !unicode.IsPrint(c) {
					t.Errorf("%s: %q in %q", name, c, got)
				}
			}
			if len(got) > 2_000_000 {
				t.Errorf("%s: %d bytes", name, len(got))
			}
		}
		for _, line := range strings.Split(strings.TrimSuffix(plain(all, view.ProgressOptions{Verbose: true}), "\n"), "\n") {
			if !strings.Contains(line, " | ") {
				t.Errorf("a line without a host: %q", line)
			}
		}
		coloured := planText(t, p, detail, true)
		for _, c := range uncoloured(coloured) {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Errorf("with colour: %q in %q", c, coloured)
			}
		}
	})
}
