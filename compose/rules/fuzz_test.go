package rules_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pistack/compose"
	"pistack/compose/rules"
)

// lineBreak is all that YAML takes as one.
var lineBreak = regexp.MustCompile("[\n\r\u0085\u2028\u2029]")

// FuzzCheck: whatever package compose loads, the rules come to an end, find the
// same twice, sorted and at lines that exist, and name only codes of the table.
func FuzzCheck(f *testing.F) {
	f.Add(publish(`"80:80", "8000-8010:80", "[::1]:1:1/udp"`), "A_TOKEN=canary-canary-canary\n")
	f.Add(plain+"    mem_limit: 900g\n    scale: 7\n    privileged: true\n    x-pistack: {accept: [{code: privileged, reason: r}, {}, [], restart]}\n", "")
	f.Add("x-pistack: {accept: {restart: x}}\nservices: {a: {image: x, pid: host, cap_add: [ALL], depends_on: {b: {condition: service_healthy}}}, b: {image: x}}\n", "")
	f.Add("t:\n  web:\n    image: x\n   \r\rc", "")
	f.Add("services: {a: {image: x, networks: [n], volumes: [\"/:/x\", \"v:/y\"]}}\nnetworks: {n: {name: n, ipam: {config: [{subnet: 10.0.0.0/8}]}}}\nvolumes: {v: {external: true}}\nsecrets: {s: {file: .env}}\n", "A=b")
	f.Fuzz(func(t *testing.T, content, env string) {
		fixture := stacks(content, content).file("a/.env", env).with(func(t *rules.Target) {
			t.Open, t.Memory, t.NoMemoryCgroup = []string{}, 1<<20, true
			t.Taken = []rules.Port{{22, "tcp", "sshd"}}
		})
		found := fixture.findings(t)
		sampled := slices.ContainsFunc(found, func(f compose.Finding) bool { return f.Code == compose.CodeModel }) // one of several model errors
		if again := fixture.findings(t); !sampled && !slices.Equal(found, again) {
			t.Fatalf("first:\n%s\nthen:\n%s", text(found), text(again))
		}
		if sorted := compose.SortFindings(slices.Clone(found)); !slices.Equal(found, sorted) {
			t.Fatalf("not sorted:\n%s", text(found))
		}
		for _, finding := range found {
			rule, known := rules.Lookup(finding.Code)
			if !known || finding.Accepted && (rule.Fixed || finding.Reason == "") {
				t.Errorf("%+v", finding)
			}
			if rest, ok := strings.CutPrefix(finding.File, "stacks/"); ok && finding.Line > 2+len(lineBreak.FindAllString(fixture.files[rest], -1)) {
				t.Errorf("no such line: %s", finding)
			}
		}
	})
}
