package rules_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"pistack/compose/rules"
)

// -update writes docs/checks.md anew.
var update = flag.Bool("update", false, "write docs/checks.md")

func TestPage(t *testing.T) {
	const page = "../../docs/checks.md"
	got := rules.Markdown()
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Error("docs/checks.md is stale; run: go test ./compose/rules -run TestPage -update")
	}
}

func TestExplain(t *testing.T) {
	for _, r := range rules.All() {
		text := r.Explain()
		if !strings.HasPrefix(text, string(r.Code)+" ("+string(r.Severity)+"): "+r.Summary+"\n\n") || !strings.HasSuffix(text, ".\n") {
			t.Errorf("%s:\n%s", r.Code, text)
		}
		if strings.Contains(text, "cannot be accepted") != r.Fixed && r.Code != "bad-accept" {
			t.Errorf("%s is fixed: %t, but the text says\n%s", r.Code, r.Fixed, text)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if len(line) > 110 {
				t.Errorf("%s: a line of %d characters: %s", r.Code, len(line), line)
			}
		}
	}
}

// TestExamples: an example in YAML is YAML.
func TestExamples(t *testing.T) {
	for _, r := range rules.All() {
		if strings.HasPrefix(r.Example, "pisec") || strings.HasPrefix(r.Example, "#") || strings.HasPrefix(r.Example, "boot.") {
			continue // a command, host.toml, Nix
		}
		var value any
		if err := yaml.Unmarshal([]byte(r.Example), &value); err != nil {
			t.Errorf("%s: %v\n%s", r.Code, err, r.Example)
		}
	}
}
