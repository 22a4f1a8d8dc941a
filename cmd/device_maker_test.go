//go:build device && linux

package cmd_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pistack/internal/dockerlab"
)

// maker is a workstation with a Docker of its own, which builds the images of the
// two services, web and worker, that the virtual Pi "watched" runs.
type maker struct {
	*deployer
	engine *dockerlab.Engine
}

const (
	makerStack = `services:
  web:
    build: web
    restart: unless-stopped
    environment: {OPENAI_API_KEY: "${OPENAI_KEY}", TZ: "${TZ}", PORT: "${CHAT_PORT}"}
  worker:
    build: worker
    restart: unless-stopped
`
	// A change of the page leaves the layers below it as they are.
	makerDockerfile = `FROM scratch
COPY ballast /ballast
COPY app /bin/app
COPY page /page
HEALTHCHECK --interval=1s --retries=60 CMD ["/bin/app", "health"]
ENTRYPOINT ["/bin/app"]
`
	chatLock     = "stacks/chat/images.lock"
	chatOverride = "hosts/rpi-box-01/generated/chat.override.yaml"
)

var makerServices = []string{"web", "worker"}

// newMaker boots the Pi; of its stack nothing is built yet. A registry is said by
// what calls it.
func newMaker(t *testing.T) *maker {
	t.Helper()
	l := newLab(t)
	engine := dockerlab.NewEngine(t)
	engine.HasBuildx()
	l.env = append(l.env, engine.Env...)
	l.join(t, watched)
	l.addSecret(t, watched, "OPENAI_KEY")
	m := &maker{&deployer{lab: l, units: l.readFleet(t, "testdata/nixos/units.json")}, engine}
	l.writeFleet(t, "stacks/chat/compose.yaml", []byte(makerStack))
	app := must(os.ReadFile(l.app(t)))
	for _, service := range makerServices {
		dir := "stacks/chat/" + service
		l.writeFleet(t, dir+"/Dockerfile", []byte(makerDockerfile))
		l.writeFleet(t, dir+"/app", app)
		l.chmod(t, dir+"/app")
		m.page(t, service, "1")
		m.ballast(t, service, 1<<20)
	}
	return m
}

// page changes what a service shows.
func (m *maker) page(t *testing.T, service, text string) {
	t.Helper()
	m.writeFleet(t, "stacks/chat/"+service+"/page", []byte(service+" "+text+"\n"))
}

// ballast makes the lowest layer of a service one that cannot be compressed.
func (m *maker) ballast(t *testing.T, service string, size int) {
	t.Helper()
	data := make([]byte, size)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	m.writeFleet(t, "stacks/chat/"+service+"/ballast", data)
}

// pistack runs it on the workstation, whatever is committed, and checks how it ends.
func (m *maker) pistack(t *testing.T, status int, args ...string) string {
	t.Helper()
	c := m.command(t, append([]string{m.script, "in", "pistack"}, args...)...)
	out, _ := c.combined() // the status is what is asked for
	if got := c.ProcessState.ExitCode(); got != status {
		t.Fatalf("pistack %s: exit status %d, want %d\n%s", strings.Join(args, " "), got, status, out)
	}
	return out
}

// deployArgs are the arguments of a deploy of the Pi as it lies there.
func (m *maker) deployArgs(options ...string) []string {
	return append([]string{"deploy", watched.host, "--yes", "--verbose", "--gate-window", "1s", "--identity-file", filepath.Join(vpiFolder(), "id")}, options...)
}

// platform is that of the Pi.
func platform() string { return "linux/" + runtime.GOARCH }

// image is what the generated files have a service run.
func (m *maker) image(t *testing.T, service string) string {
	t.Helper()
	found := regexp.MustCompile(`image: (\S+/chat-` + service + `:\S+)`).FindSubmatch(m.readFleet(t, chatOverride))
	if found == nil {
		t.Fatalf("%s names no image of %s:\n%s", chatOverride, service, m.readFleet(t, chatOverride))
	}
	return string(found[1])
}

// wantRuns: the Pi's containers are healthy, of the images that are locked, with
// the files that are here.
func (m *maker) wantRuns(t *testing.T) {
	t.Helper()
	for _, service := range makerServices {
		id := m.containerID(t, watched, service)
		page := "stacks/chat/" + service + "/page"
		got := m.ssh(t, watched, "docker inspect --format '{{.Config.Image}} {{.State.Health.Status}}' "+id+"; docker exec "+id+" app sha256 file /page")
		if want := m.image(t, service) + " healthy\n" + digest(string(m.readFleet(t, page))); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", service, got, want)
		}
	}
	if got := m.ssh(t, watched, "systemctl is-system-running; docker exec "+m.containerID(t, watched, "web")+" app sha256 env OPENAI_API_KEY"); got != "running\n"+digest(m.values["OPENAI_KEY"]) {
		t.Errorf("the Pi is not sound:\n%s", got)
	}
}

// received counts the bytes that came to the Pi.
func (m *maker) received(t *testing.T) int {
	t.Helper()
	return m.number(t, "cat /sys/class/net/eth0/statistics/rx_bytes")
}

// here is all that a build could change on the workstation.
func (m *maker) here(t *testing.T) string {
	t.Helper()
	images := strings.Split(m.engine.Docker("image", "ls", "--all", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"), "\n")
	slices.Sort(images)
	return strings.Join(images, "\n") + "\n" + string(m.command(t, "git", "status", "--porcelain").output(t)) + string(m.command(t, "git", "diff", "HEAD").output(t))
}
