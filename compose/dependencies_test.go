package compose_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pistack/compose"
)

// everyEarlier are n services that each depend on all before them: there are 2^n
// paths between them.
func everyEarlier(n int) string {
	out := "services:\n  s0:\n    image: x\n"
	for i := 1; i < n; i++ {
		out += fmt.Sprintf("  s%d:\n    image: x\n    depends_on:\n", i)
		for j := range i {
			out += fmt.Sprintf("      - s%d\n", j)
		}
	}
	return out
}

// TestDependencies: compose-go would walk every path between services.
func TestDependencies(t *testing.T) {
	const many = ": error: services depend on each other along more than 100,000 paths [invalid-compose]\n"
	const cycle = ": error: dependency cycle detected: "
	chain := "services:\n"
	for i := range 400 {
		chain += fmt.Sprintf("  s%d:\n    image: x\n    depends_on: [s%d]\n", i, i+1)
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"16 services", one(everyEarlier(16)), ""},
		{"60 services", one(everyEarlier(60)), "compose.yaml:171:5" + many},
		{"60 services in a circle", one(strings.Replace(everyEarlier(60), "image: x\n", "image: x\n    depends_on: [s59]\n", 1)),
			"compose.yaml:4:18" + cycle + "s0 -> s59 -> s0 [invalid-compose]\n"},
		{"60 disabled services", one(web + strings.ReplaceAll(strings.TrimPrefix(everyEarlier(60), "services:\n"), "image: x", "image: x\n    profiles: [p]")), ""},
		{"a long chain", one(chain + "  s400:\n    image: x\n"), ""},
		{"itself", one(web + "    depends_on: [web]\n"), "compose.yaml:4:18" + cycle + "web -> web [invalid-compose]\n"},
		{"mapping", one(web + "    depends_on:\n      b: {condition: service_started}\n  b:\n    image: x\n    depends_on: [web]\n"),
			"compose.yaml:8:18" + cycle + "b -> web -> b [invalid-compose]\n"},
		{"links", one(web + "    links:\n      - b:alias\n  b:\n    image: x\n    volumes_from:\n      - web:ro\n"),
			"compose.yaml:9:9" + cycle + "b -> web -> b [invalid-compose]\n"},
		{"namespaces", one("services:\n  a:\n    image: x\n    network_mode: service:b\n  b:\n    image: x\n    pid: service:a\n"),
			"compose.yaml:4:19" + cycle + "a -> b -> a [invalid-compose]\n"},
		{"in an override", map[string]string{"compose.yaml": web + "    depends_on: [b]\n  b:\n    image: x\n", "compose.pi.yaml": "services:\n  b:\n    depends_on:\n      - web\n"},
			"compose.pi.yaml:4:9" + cycle + "b -> web -> b [invalid-compose]\n"},
		{"a disabled service", one(web + "    depends_on:\n      b: {condition: service_started, required: false}\n  b:\n    image: x\n    profiles: [p]\n    depends_on: [web]\n"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			loaded, findings := stack{files: c.files}.load(t)
			if got := text(findings); got != c.want || (loaded == nil) != (c.want != "") {
				t.Errorf("got %.500s\nwant %s", got, c.want)
			}
		})
	}
}

// TestInterrupted: a context that is done ends the load, with an error.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	loaded, findings := compose.Load(ctx, stack{files: one(web)}.source())
	if want := "compose.yaml: error: loading it was interrupted [unreadable]\n"; loaded != nil || text(findings) != want {
		t.Errorf("got %v and %swant %s", loaded, text(findings), want)
	}
}
