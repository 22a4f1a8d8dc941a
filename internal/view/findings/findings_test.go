package findings_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pistack/compose"
	"pistack/compose/rules"
	"pistack/internal/view/findings"
)

func sample() []compose.Finding {
	return []compose.Finding{
		{File: "hosts/pi/secrets/A.age", Code: "unused-secret", Severity: compose.Warning, Message: "nobody uses it"},
		{File: "stacks/a b,c:d/compose.yaml", Line: 3, Column: 5, Code: "port-clash", Severity: compose.Error, Message: "100% \r\nof, it: all", Fix: "use\nanother"},
		{File: "stacks/a/compose.yaml", Line: 4, Column: 5, Code: "state-bind", Severity: compose.Note, Message: "elsewhere", Fix: "accept it"},
		{File: "stacks/a/compose.yaml", Line: 5, Column: 7, Code: "privileged", Severity: compose.Warning, Message: "hidden", Stack: "a", Service: "web", Accepted: true, Reason: "needs the <GPU>"},
	}
}

func TestText(t *testing.T) {
	const want = `hosts/pi/secrets/A.age: warning: nobody uses it [unused-secret]
stacks/a/compose.yaml:4:5: note: elsewhere [state-bind]
  hint: accept it
`
	all := sample()
	some := []compose.Finding{all[0], all[2], all[3]}
	var b strings.Builder
	if err := findings.Text(&b, some, false); err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, b.String())
	}
	b.Reset()
	if err := findings.Text(&b, some, true); err != nil {
		t.Fatal(err)
	}
	bare := strings.NewReplacer("\x1b[33m", "", "\x1b[36m", "", "\x1b[0m", "").Replace(b.String())
	if bare != want || !strings.Contains(b.String(), ": \x1b[33mwarning\x1b[0m: ") || !strings.Contains(b.String(), ": \x1b[36mnote\x1b[0m: ") {
		t.Errorf("in colour: %q", b.String())
	}
}

func TestCount(t *testing.T) {
	if got, want := findings.Count(sample()), (findings.Totals{Errors: 1, Warnings: 1, Notes: 1, Accepted: 1}); got != want {
		t.Errorf("%+v", got)
	}
}

// TestGitHub: one line each, whatever the text holds.
func TestGitHub(t *testing.T) {
	const want = `::warning file=hosts/pi/secrets/A.age,title=unused-secret::nobody uses it
::error file=stacks/a b%2Cc%3Ad/compose.yaml,line=3,col=5,title=port-clash::100%25 %0D%0Aof, it: all%0Ahint: use%0Aanother
::notice file=stacks/a/compose.yaml,line=4,col=5,title=state-bind::elsewhere%0Ahint: accept it
`
	var b strings.Builder
	if err := findings.GitHub(&b, sample()); err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestSARIF holds the log to what SARIF 2.1.0 requires of the parts that are
// used, and to what the findings say.
func TestSARIF(t *testing.T) {
	for name, found := range map[string][]compose.Finding{"some": sample(), "none": nil} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := findings.SARIF(&b, found, "v1.2.3"); err != nil {
				t.Fatal(err)
			}
			var log struct {
				Schema  string `json:"$schema"`
				Version string
				Runs    []struct {
					Tool struct {
						Driver struct {
							Name, Version string
							Rules         []struct {
								ID               string
								ShortDescription struct{ Text string }
								FullDescription  struct{ Text string }
								Help             struct{ Text string }
								Default          struct{ Level string } `json:"defaultConfiguration"`
							}
						}
					}
					ColumnKind string
					Results    []struct {
						RuleID    string
						RuleIndex int
						Level     string
						Message   struct{ Text string }
						Locations []struct {
							PhysicalLocation struct {
								ArtifactLocation struct{ URI string }
								Region           *struct{ StartLine, StartColumn int }
							}
						}
						Suppressions []struct{ Kind, Justification string }
					}
				}
			}
			d := json.NewDecoder(strings.NewReader(b.String()))
			d.DisallowUnknownFields()
			if err := d.Decode(&log); err != nil {
				t.Fatal(err)
			}
			if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-2.1.0") || len(log.Runs) != 1 || strings.Contains(b.String(), `"results": null`) {
				t.Fatalf("log:\n%s", b.String())
			}
			run := log.Runs[0]
			driver := run.Tool.Driver
			if driver.Name != "pistack check" || driver.Version != "v1.2.3" || len(driver.Rules) != len(rules.All()) || run.ColumnKind != "unicodeCodePoints" {
				t.Errorf("driver %s %s, %d rules, %s", driver.Name, driver.Version, len(driver.Rules), run.ColumnKind)
			}
			levels := map[string]bool{"error": true, "warning": true, "note": true, "none": true}
			for _, r := range driver.Rules {
				if r.ID == "" || r.ShortDescription.Text == "" || r.FullDescription.Text == "" || r.Help.Text == "" || !levels[r.Default.Level] {
					t.Errorf("rule %+v", r)
				}
			}
			if len(run.Results) != len(found) {
				t.Fatalf("%d results of %d findings", len(run.Results), len(found))
			}
			for i, r := range run.Results {
				f := found[i]
				if driver.Rules[r.RuleIndex].ID != r.RuleID || r.RuleID != string(f.Code) || !levels[r.Level] || !strings.HasPrefix(r.Message.Text, f.Message) || len(r.Locations) != 1 {
					t.Errorf("result %+v", r)
				}
				place := r.Locations[0].PhysicalLocation
				if strings.ContainsAny(place.ArtifactLocation.URI, " ") || (place.Region == nil) != (f.Line == 0) || place.Region != nil && (place.Region.StartLine != f.Line || place.Region.StartColumn != f.Column) {
					t.Errorf("place %+v", place)
				}
				if (len(r.Suppressions) == 1) != f.Accepted || f.Accepted && (r.Suppressions[0].Kind != "inSource" || r.Suppressions[0].Justification != f.Reason) {
					t.Errorf("suppressions %+v", r.Suppressions)
				}
			}
		})
	}
}
