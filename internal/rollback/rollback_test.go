package rollback_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pistack/internal/deploy"
	"pistack/internal/nix"
	"pistack/internal/remote"
	"pistack/internal/rollback"
	"pistack/internal/target"
)

func path(n int) string { return fmt.Sprintf("/nix/store/%032d-nixos-system-pi", n) }

func generations(current int, numbers ...int) []rollback.Generation {
	var all []target.Generation
	for _, n := range numbers {
		all = append(all, target.Generation{Number: n, Path: path(n), Current: n == current})
	}
	return rollback.List(all, path(current), nil)
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name    string
		all     []rollback.Generation
		to      int
		want    int
		message string
		fix     string
	}{
		{"the one before", generations(3, 1, 2, 3), 0, 2, "", ""},
		{"with a gap", generations(9, 1, 4, 9), 0, 4, "", ""},
		{"not the newest", generations(4, 1, 4, 9), 0, 1, "", ""},
		{"named", generations(3, 1, 2, 3), 1, 1, "", ""},
		{"named, newer", generations(1, 1, 2, 3), 3, 3, "", ""},
		{"deleted", generations(9, 1, 4, 9), 5, 0, "pi: there is no generation 5", "there are 1, 4, 9; or deploy"},
		{"the first", generations(4, 4, 9), 0, 0, "pi: there is no generation before the current one, 4", "git switch"},
		{"none", nil, 0, 0, "pi: its system profile has no generations", "pistack deploy pi"},
		{"none current", generations(7, 1, 2), 0, 0, "pi: none of its generations is the current one", "there are 1, 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := rollback.Choose("pi", c.all, c.to)
			if c.message == "" {
				if err != nil || g.Number != c.want || g.Path != path(c.want) {
					t.Errorf("%d, %v; want %d", g.Number, err, c.want)
				}
				return
			}
			var failed *rollback.Error
			if !errors.As(err, &failed) || failed.Message != c.message || !strings.Contains(failed.Hint(), c.fix) {
				t.Errorf("%v, %+v", err, failed)
			}
		})
	}
}

// TestList: receipts say who deployed a generation's system; the last one counts,
// and what is no receipt counts for nothing.
func TestList(t *testing.T) {
	receipt := func(n int, revision string) []byte {
		return fmt.Appendf(nil, `{"schema":1,"new":%q,"revision":%q,"by":"ann","dirty":true}`, path(n), revision)
	}
	all := rollback.List([]target.Generation{{Number: 10, Path: path(2), Current: true}, {Number: 9, Path: path(1)}}, path(1),
		[][]byte{receipt(1, "a"), []byte("garbage"), []byte(`{"schema":1}`), receipt(1, "b")})
	if len(all) != 2 || all[0].Number != 9 || !all[0].Running || all[1].Running || all[1].Deployed != nil {
		t.Fatalf("%+v", all)
	}
	if commit, dirty := all[0].Revision(); commit != "b" || !dirty {
		t.Errorf("revision %q, %v", commit, dirty)
	}
	if commit, dirty := all[1].Revision(); commit != "" || dirty {
		t.Errorf("revision %q, %v", commit, dirty)
	}
}

// machine records what is done to it.
type machine struct {
	calls []string
	err   map[string]error // by the first word of a call
}

func (m *machine) do(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	m.calls = append(m.calls, call)
	return m.err[strings.Fields(call)[0]]
}

func (m *machine) Contents(_ context.Context, system string) (target.Contents, error) {
	return target.Contents{Kernel: "/nix/store/kernel", Images: []string{"a", "b"}}, m.do("contents %s", system)
}

func (m *machine) Units(_ context.Context, system string) (map[string]string, error) {
	return map[string]string{"x.service": "/nix/store/x"}, m.do("units %s", system)
}

func (m *machine) Activate(_ context.Context, id, path, action string, _ func(string)) error {
	return m.do("activate %s %s %s", id, path, action)
}

func (m *machine) SwitchGeneration(_ context.Context, id string, n int) error {
	return m.do("generation %s %d", id, n)
}

func TestRebuild(t *testing.T) {
	lost := &remote.Error{Kind: remote.Lost, Message: "lost"}
	for _, c := range []struct {
		name   string
		action string
		err    map[string]error
		calls  []string
		status nix.Status // of the error; 0 for none, -1 for one that is not nixos-rebuild's
	}{
		{"test leaves the profile", "test", nil, []string{"activate run " + path(4) + " test"}, 0},
		{"switch", "switch", nil, []string{"generation run 4", "activate run " + path(4) + " switch"}, 0},
		{"boot", "boot", nil, []string{"generation run 4", "activate run " + path(4) + " boot"}, 0},
		{"units fail", "test", map[string]error{"activate": &remote.ExitError{Code: 4}}, []string{"activate run " + path(4) + " test"}, nix.UnitsFailed},
		{"no reboot, no switch", "test", map[string]error{"activate": &remote.ExitError{Code: 100}}, []string{"activate run " + path(4) + " test"}, nix.NeedsReboot},
		{"lost", "test", map[string]error{"activate": lost}, []string{"activate run " + path(4) + " test"}, nix.ConnectionLost},
		{"lost before", "switch", map[string]error{"generation": lost}, []string{"generation run 4"}, nix.ConnectionLost},
		{"the lock is lost", "switch", map[string]error{"generation": target.ErrLockLost}, []string{"generation run 4"}, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &machine{}
			s, err := rollback.Open(t.Context(), "run", m, generations(9, 4, 9)[0], true)
			if err != nil {
				t.Fatal(err)
			}
			m.calls, m.err = nil, c.err
			err = s.Rebuild(t.Context(), nix.Rebuild{Action: c.action, Host: "pi", System: path(4)}, func(string) {})
			var failed *nix.RebuildError
			status := nix.Status(0)
			if errors.As(err, &failed) {
				status = failed.Status
			} else if err != nil {
				status = -1
			}
			if !slices.Equal(m.calls, c.calls) || status != c.status {
				t.Errorf("calls %q, error %v", m.calls, err)
			}
		})
	}
	s, _ := rollback.Open(t.Context(), "run", &machine{}, generations(9, 4, 9)[0], true)
	if err := s.Rebuild(t.Context(), nix.Rebuild{Action: "test", Host: "pi", System: path(5)}, nil); err == nil {
		t.Error("another system was activated")
	}
}

func TestOpen(t *testing.T) {
	m := &machine{}
	s, err := rollback.Open(t.Context(), "run", m, generations(9, 4, 9)[0], true)
	if err != nil {
		t.Fatal(err)
	}
	system, err := s.Evaluate(t.Context(), "pi", nil)
	if err != nil || system.Path != path(4) {
		t.Errorf("%+v, %v", system, err)
	}
	built, err := s.Build(t.Context(), []nix.System{system, system}, nil)
	if err != nil || !slices.Equal(built, []bool{true, true}) {
		t.Errorf("%v, %v", built, err)
	}
	images, _ := s.Images("")
	closure, _ := s.Closure(t.Context(), "")
	units, _ := s.Units("")
	if !slices.Equal(images, []string{"a", "b"}) || len(closure) > 0 || units["x.service"].Hash != "/nix/store/x" || s.Boots("") != "/nix/store/kernel" || s.Copy(t.Context(), "", "", nil) != nil {
		t.Errorf("%q, %v, %v", images, closure, units)
	}
	var _ deploy.Nix = s
	if s, err := rollback.Open(t.Context(), "run", m, generations(9, 4, 9)[0], false); err != nil {
		t.Error(err)
	} else if images, _ := s.Images(""); len(images) > 0 {
		t.Errorf("without Docker %q are asked for", images)
	}
	if _, err := rollback.Open(t.Context(), "run", m, rollback.Generation{Generation: target.Generation{Path: "/tmp/x; reboot"}}, true); err == nil {
		t.Error("what is no store path was opened")
	}
	for _, part := range []string{"contents", "units"} {
		if _, err := rollback.Open(t.Context(), "run", &machine{err: map[string]error{part: errors.New("gone")}}, generations(9, 4, 9)[0], true); err == nil {
			t.Errorf("no error without %s", part)
		}
	}
}
