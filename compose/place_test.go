package compose_test

import (
	"strings"
	"testing"
)

// TestPlacesOfErrors: an error of compose-go, which has no position, is at the value that
// it speaks of.
func TestPlacesOfErrors(t *testing.T) {
	inherits := web + "    extends: {file: b.yaml, service: b}\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // lines, without "error: " and the code
	}{
		{"size", one(web + "    mem_limit: abc\n"), "compose.yaml:4:5: services.web.mem_limit: invalid size: 'abc'"},
		{"two durations", one(web + "    stop_grace_period: abc\n    healthcheck: {test: a, interval: q}\n"),
			"compose.yaml:4:5: services.web.stop_grace_period: time: invalid duration \"abc\"\n" +
				"compose.yaml:5:28: services.web.healthcheck.interval: time: invalid duration \"q\""},
		{"a name with a dot", one("services:\n  we.b:\n    image: x\n    mem_limit: abc\n"), "compose.yaml:4:5: services.we.b.mem_limit: invalid size: 'abc'"},
		{"included size", map[string]string{"compose.yaml": "include: [b.yaml]\n" + web, "b.yaml": "services:\n  b:\n    image: x\n    mem_limit: abc\n"},
			"b.yaml:4:5: services.b.mem_limit: invalid size: 'abc'"},
		{"extended size", map[string]string{"compose.yaml": inherits, "b.yaml": "services:\n  b:\n    image: x\n    mem_limit: abc\n"},
			"b.yaml:4:5: services.web.mem_limit: invalid size: 'abc'"},
		{"port ranges", one(web + "    ports: [\"80:80\", \"1-3:1-2\"]\n"), "compose.yaml:4:22: invalid ranges specified for container and host Ports: 1-2 and 1-3"},
		{"extends itself", one(web + "    extends: web\n"), "compose.yaml:4:5: services extend each other in a circle: web extends web"},
		{"extends each other", one(web + "    extends: b\n  b:\n    extends: {service: web}\n  c:\n    extends: web\n"),
			"compose.yaml:6:5: services extend each other in a circle: b extends web extends b"},
		{"volume", one(web + "    volumes: [/a, \"nope:/data\"]\n"), "compose.yaml:4:19: service \"web\" refers to undefined volume nope"},
		{"volume, long", one(web + "    volumes:\n      - {type: volume, source: nope, target: /x}\n"), "compose.yaml:5:9: service \"web\" refers to undefined volume nope"},
		{"extended volume", map[string]string{"compose.yaml": inherits, "b.yaml": "services:\n  b:\n    image: x\n    volumes:\n      - nope:/x\n"},
			"b.yaml:5:9: service \"web\" refers to undefined volume nope"},
		{"network of an override", map[string]string{"compose.yaml": web, "compose.pi.yaml": "services:\n  web:\n    networks:\n      nope:\n"},
			"compose.pi.yaml:4:7: service \"web\" refers to undefined network nope"},
		{"secret", one(web + "    secrets:\n      - source: nope\n"), "compose.yaml:5:9: service \"web\" refers to undefined secret nope"},
		{"build secret", one(web + "    build: {context: ., secrets: [nope]}\n"), "compose.yaml:4:35: service \"web\" refers to undefined build secret nope"},
		{"depends_on", one(web + "    depends_on:\n      nope: {condition: service_started}\n"), "compose.yaml:5:7: service \"web\" depends on undefined service \"nope\""},
		{"links", one(web + "    links: [\"nope:x\"]\n"), "compose.yaml:4:13: service \"web\" depends on undefined service \"nope\""},
		{"network_mode", one(web + "    network_mode: service:nope\n"), "compose.yaml:4:19: service \"web\" depends on undefined service \"nope\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, findings := stack{files: c.files}.load(t)
			got := strings.ReplaceAll(strings.ReplaceAll(text(findings), "error: ", ""), " [invalid-compose]", "")
			if strings.TrimSuffix(got, "\n") != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
