//go:build device

package cmd_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// predicted is a virtual Pi with a stack for which "pistack diff" predicts.
var predicted = machine{number: "3", host: "rpi-box-01", stack: "predict"}

const predictYAML = `services:
  web:
    image: predict:1
    environment: {TZ: "${TZ}", LEVEL: "1"}
    ports: ["127.0.0.1:8081:8080"]
  side:
    image: predict:1
    network_mode: service:web
    environment: {APP_PORTS: "8082"}
  db:
    image: predict:1
    volumes: ["rows:/rows", "./kept:/kept"]
  worker:
    image: predict:1
    env_file: worker.env
    secrets: [KEY]
  plain:
    image: predict:1
    volumes: ["./conf:/conf:ro", /cache]
  idle:
    image: predict:1
secrets: {KEY: {environment: KEY}}
volumes: {rows: }
`

// change is what is done to the stack, and what has to come of it: the effect of
// each service that does not simply run on.
type change struct {
	name string
	make func(t *testing.T, l *lab)
	want map[string]string
}

func replaced(file string, oldNew ...string) func(*testing.T, *lab) {
	return func(t *testing.T, l *lab) {
		t.Helper()
		old := string(l.readFleet(t, file))
		now := strings.NewReplacer(oldNew...).Replace(old)
		if old == now {
			t.Fatalf("%s: nothing to replace", file)
		}
		l.writeFleet(t, file, []byte(now))
	}
}

// TestDeviceDiff brings one version of a stack after the other to a virtual Pi,
// with the real Docker Compose and the command line of the stack's unit, and
// compares what "pistack diff" predicted with what became of each container.
//
// No service of the stack depends on another but by its namespace: Compose 2.26,
// which is what Debian has, also recreates what depends on a recreated one, and
// sees no change of a network.
func TestDeviceDiff(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.prepare(t)
	l.up(t)
	for _, c := range versions() {
		if !t.Run(c.name, func(t *testing.T) { l.predict(t, c) }) {
			return
		}
	}
}

// versions of the stack, each a change of the one before.
func versions() []change {
	const compose, dir = "stacks/predict/compose.yaml", "stacks/predict/"
	return []change{
		{"nothing", func(*testing.T, *lab) {}, nil},
		{"what Compose does not look at", replaced(compose, "services:", "# a comment\nx-note: 1\nservices:", "    image: predict:1\n    volumes: [\"rows", "    image: predict:1\n    pull_policy: missing\n    volumes: [\"rows"), nil},
		{"a variable, and who lives in the container", replaced(compose, `LEVEL: "1"`, `LEVEL: "2"`), map[string]string{"web": "recreate", "side": "recreate"}},
		{"a variable of the host", replaced("hosts/rpi-box-01/host.toml", "Europe/Berlin", "Asia/Tokyo"), map[string]string{"web": "recreate", "side": "recreate"}},
		{"a new value of a secret", func(t *testing.T, l *lab) { l.addSecret(t, predicted, "KEY") }, map[string]string{"worker": "recreate"}},
		{"other readers of a secret", func(t *testing.T, l *lab) {
			c := l.traced(t, "pisec", "rekey", "--all", "--yes", "--identity", filepath.Join(l.work, "operator"), predicted.host)
			if out, err := c.combined(); err != nil {
				t.Fatalf("pisec rekey: %v\n%s", err, out)
			}
		}, nil},
		{"a file in a mounted folder, and an env file", func(t *testing.T, l *lab) {
			l.writeFleet(t, dir+"conf/b.conf", []byte("b"))
			l.writeFleet(t, dir+"worker.env", []byte("A=2\n"))
			l.command(t, "git", "add", "--all").output(t)
		}, map[string]string{"plain": "recreate", "worker": "recreate"}},
		{"an image", replaced(compose, "  idle:\n    image: predict:1", "  idle:\n    image: predict:2"), map[string]string{"idle": "pull"}},
		{"a volume gets another key, and state another folder", replaced(compose, "rows:/rows", "lines:/rows", "{rows: }", "{lines: }", "./kept:", "./moved:"), map[string]string{"db": "recreate"}},
		{"a label and the order of a list", replaced(compose, "    volumes: [\"./conf:/conf:ro\", /cache]", "    volumes: [/cache, \"./conf:/conf:ro\"]", "    secrets: [KEY]", "    secrets: [KEY]\n    labels: {a: b}"), map[string]string{"plain": "recreate", "worker": "recreate"}},
		{"more containers", replaced(compose, "  idle:", "  idle:\n    scale: 3"), map[string]string{"idle": "scale"}},
		{"fewer containers", replaced(compose, "    scale: 3\n", "    scale: 1\n"), map[string]string{"idle": "scale"}},
		{"a service comes and one goes", replaced(compose, "  idle:", "  fresh:"), map[string]string{"idle": "remove", "fresh": "create"}},
		{"a profile disables a service", replaced(compose, "  fresh:", "  fresh:\n    profiles: [extra]"), nil},
	}
}

// prepare boots the virtual Pi and makes it a host with nothing but the stack.
func (l *lab) prepare(t *testing.T) {
	t.Helper()
	l.vpi(t, "up", predicted.number)
	for _, image := range []string{"predict:1", "predict:2"} {
		l.vpi(t, "image", predicted.number, image, l.app(t), "LABEL image="+image)
	}
	l.writeStack(t)
}

// writeStack makes the stack the only one of the host.
func (l *lab) writeStack(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(l.fleet, "hosts", predicted.host, "secrets")); err != nil {
		t.Fatal(err)
	}
	replaced("hosts/rpi-box-01/host.toml", `["chat"]`, `["predict"]`)(t, l)
	for file, text := range map[string]string{"compose.yaml": predictYAML, "worker.env": "A=1\n", "conf/a.conf": "a", ".gitignore": "/kept\n/moved\n"} {
		l.writeFleet(t, "stacks/predict/"+file, []byte(text))
	}
	l.addSecret(t, predicted, "KEY")
}

// record generates and commits.
func (l *lab) record(t *testing.T) {
	t.Helper()
	l.command(t, "git", "add", "--all").output(t)
	if out, err := l.command(t, "pistack", "generate", predicted.host).combined(); err != nil {
		t.Fatalf("pistack generate: %v\n%s", err, out)
	}
	l.commitFiles(t)
}

// up records the version, brings the stack's files to the device, as they would
// be in /etc, and runs what the stack's unit runs.
func (l *lab) up(t *testing.T) {
	t.Helper()
	l.record(t)
	generated := "hosts/" + predicted.host + "/generated"
	files := l.command(t, "tar", "-c", "-C", filepath.Join(l.fleet, "stacks/predict"), ".",
		"-C", filepath.Join(l.fleet, generated), "predict.override.yaml", "host.env").output(t)
	const dir, secrets = "/etc/pistack/stacks/predict", "/run/pistack/current/stacks/predict"
	l.sshStdin(t, predicted, string(files), "rm -rf "+dir+" && mkdir -p "+dir+" && tar -x --no-same-owner -C "+dir)
	l.sshStdin(t, predicted, l.values["KEY"], "mkdir -p "+secrets+" && cat >"+secrets+"/.KEY && mv "+secrets+"/.KEY "+secrets+"/KEY")
	l.ssh(t, predicted, "docker compose --project-name predict --project-directory "+dir+" --file "+dir+"/compose.yaml --file "+dir+"/predict.override.yaml --env-file "+dir+"/host.env up --detach --wait --remove-orphans --pull missing 2>&1")
}

// predict makes a change, asks what it will do, does it, and looks.
func (l *lab) predict(t *testing.T, c change) {
	c.make(t, l)
	before := l.observe(t)
	forecast := l.forecast(t)
	l.up(t)
	after := l.observe(t)
	if !maps.Equal(forecast, orEmpty(c.want)) {
		t.Errorf("pistack diff predicts %v, want %v", forecast, c.want)
	}
	names := map[string]bool{}
	for _, m := range []map[string][]running{before, after} {
		for name := range m {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		predicted, observed := forecast[name], became(before[name], after[name])
		if predicted == "pull" {
			predicted = "recreate" // the image was there already
		}
		if predicted != observed {
			t.Errorf("%s: predicted %q, observed %q\nbefore %v\nafter  %v", name, predicted, observed, before[name], after[name])
		}
	}
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// forecast is the effect of each service that "pistack diff" names, "none"
// excepted.
func (l *lab) forecast(t *testing.T) map[string]string {
	t.Helper()
	var report struct {
		Hosts []struct {
			Name   string
			Stacks []struct {
				Name     string
				Services []struct{ Name, Effect string }
			}
		}
		Findings []any
	}
	out := l.command(t, "pistack", "diff", predicted.host, "--format", "json").output(t)
	if err := json.Unmarshal(out, &report); err != nil || len(report.Findings) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	effects := map[string]string{}
	for _, h := range report.Hosts {
		for _, s := range h.Stacks {
			for _, service := range s.Services {
				if service.Effect != "none" {
					effects[service.Name] = service.Effect
				}
			}
		}
	}
	return effects
}

// running is a container: which one, and since when it runs.
type running struct{ id, since string }

// observe lists the containers of each service.
func (l *lab) observe(t *testing.T) map[string][]running {
	t.Helper()
	out := l.ssh(t, predicted, `docker ps -q | xargs -r docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}' | sort`)
	services := map[string][]running{}
	for _, line := range strings.Split(out, "\n") {
		var name string
		var r running
		if _, err := fmt.Sscan(line, &name, &r.id, &r.since); err != nil {
			t.Fatalf("container %q: %v", line, err)
		}
		services[name] = append(services[name], r)
	}
	return services
}

// became names what happened to a service's containers as an effect, "" for
// nothing.
func became(before, after []running) string {
	kept := func(same func(a, b running) bool) int {
		n := 0
		for _, b := range before {
			if slices.ContainsFunc(after, func(a running) bool { return same(a, b) }) {
				n++
			}
		}
		return n
	}
	sameContainer := kept(func(a, b running) bool { return a.id == b.id })
	sameRun := kept(func(a, b running) bool { return a == b })
	switch {
	case len(before) == 0:
		return "create"
	case len(after) == 0:
		return "remove"
	case len(before) != len(after) && sameRun == min(len(before), len(after)):
		return "scale"
	case sameContainer < len(before):
		return "recreate"
	case sameRun < len(before):
		return "restart"
	}
	return ""
}
