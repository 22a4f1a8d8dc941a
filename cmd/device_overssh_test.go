//go:build device && linux

package cmd_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestDeviceOverSSH: a fleet without a registry. Images are built here, and a
// deploy copies to the Pi what it lacks of them.
func TestDeviceOverSSH(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	m.writeFleet(t, "fleet.toml", append(m.readFleet(t, "fleet.toml"), "registry = \"ssh\"\n"...))
	m.commitFiles(t)
	for _, step := range []struct {
		name string
		run  func(t *testing.T, m *maker)
	}{
		{"what is not built is not deployed", unbuiltRefused},
		{"what was built is sent, and runs", sentAndRuns},
		{"what the Pi has is not sent again", nothingSent},
		{"of a changed image one layer is sent", oneLayerSent},
		{"a lost connection changes nothing", lostWhileSending},
		{"pruning keeps images that no registry has", prunedOverSSH},
		{"an engine that wants all layers gets them", sentWhole},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, m) }) {
			return
		}
	}
}

func unbuiltRefused(t *testing.T, m *maker) {
	out := m.pistack(t, 1, m.deployArgs()...)
	wantLine(t, out, `^stacks/chat/compose\.yaml:3:5: error: service web is built, and stacks/chat/images\.lock has no image of it for `+platform())
	wantLine(t, out, `^  hint: pistack build chat$`)
	wantLine(t, out, `nothing was deployed$`)
	if got := m.ssh(t, watched, "docker ps -aq; ls -d /run/pistack-deploy 2>/dev/null || true"); got != "" {
		t.Errorf("something was done to the Pi: %s", got)
	}
}

// sent lists the images that a deploy sent.
func sent(out string) []string {
	var services []string
	for line := range strings.Lines(out) {
		if _, image, found := strings.Cut(line, "sending pistack.invalid/chat-"); found {
			service, _, _ := strings.Cut(image, ":")
			services = append(services, service)
		}
	}
	return services
}

func sentAndRuns(t *testing.T, m *maker) {
	m.ballast(t, "web", 8<<20)
	m.commitFiles(t)
	wantLine(t, m.pistack(t, 0, "build"), `^2 images: 2 built; next: pistack generate`)
	before := m.received(t)
	out := m.deploy(t, watched, "--verbose")
	wantLine(t, out, `^rpi-box-01 +deployed +1 `)
	if got := strings.Join(sent(out), " "); got != "web worker" {
		t.Errorf("sent %q", got)
	}
	if n := m.received(t) - before; n < 9<<20 {
		t.Errorf("%d bytes came to the Pi, less than what cannot be compressed", n)
	}
	m.wantRuns(t)
	for _, service := range makerServices {
		image := m.image(t, service)
		const id = "docker image inspect --format '{{.Id}}' "
		if here, there := m.engine.Docker("image", "inspect", "--format", "{{.Id}}", image), m.ssh(t, watched, id+image); here != there || "sha256:"+image[strings.LastIndexByte(image, ':')+1:] != there {
			t.Errorf("%s is %s here and %s there", image, here, there)
		}
	}
}

// nothingSent: neither when nothing changed, nor when something else did.
func nothingSent(t *testing.T, m *maker) {
	before := m.containers(t, watched)
	out := m.deploy(t, watched, "--verbose")
	wantLine(t, out, `^rpi-box-01 +unchanged `)
	if got := sent(out); got != nil || m.containers(t, watched) != before {
		t.Errorf("sent %q; containers\n%s\nwere\n%s", got, m.containers(t, watched), before)
	}
	replaced("stacks/chat/compose.yaml", `TZ: "${TZ}"`, `TZ: "${TZ}", MORE: "1"`)(t, m.lab)
	out = m.deploy(t, watched, "--verbose")
	wantLine(t, out, `^rpi-box-01 +deployed `)
	if got := sent(out); got != nil {
		t.Errorf("sent %q", got)
	}
	wantRecreated(t, before, m.containers(t, watched), "web")
	m.wantRuns(t)
}

func oneLayerSent(t *testing.T, m *maker) {
	containers := m.containers(t, watched)
	m.page(t, "web", "2")
	m.commitFiles(t)
	out := m.pistack(t, 1, m.deployArgs()...)
	wantLine(t, out, `service web: its files are not those that the image of stacks/chat/images\.lock:\d+ was built from`)
	wantLine(t, out, `^  hint: pistack build chat$`)
	wantLine(t, m.pistack(t, 0, "build"), `^2 images: 1 built, 1 unchanged; next: pistack generate`)
	m.commit(t, watched)
	out = m.pistack(t, 0, m.deployArgs("--explain")...)
	wantLine(t, out, `docker image save `+m.image(t, "web")+` \| ssh -F \S+ rpi-box-01 'docker image load'$`)
	before := m.received(t)
	out = m.deploy(t, watched, "--verbose")
	if got := strings.Join(sent(out), " "); got != "web" {
		t.Errorf("sent %q", got)
	}
	if n := m.received(t) - before; n > 2<<20 {
		t.Errorf("%d bytes came to the Pi, which had all layers but one", n)
	}
	wantRecreated(t, containers, m.containers(t, watched), "web")
	m.wantRuns(t)
}

// lostWhileSending kills the ssh that an image goes through, on a link that is slow
// enough for that.
func lostWhileSending(t *testing.T, m *maker) {
	old := m.state(t)
	m.ballast(t, "web", 8<<20)
	m.pistack(t, 0, "build")
	link := "pi" + watched.number
	m.vpi(t, "in", "tc", "qdisc", "add", "dev", link, "root", "tbf", "rate", "16mbit", "burst", "64kb", "latency", "400ms")
	a := m.start(t)
	a.awaitText(t, `sent [1-5]0% of \d+ MB`)
	m.killLoad(t)
	r := a.end(t).want(t, 3, "refused")
	if words := r.problem(); !strings.Contains(words, "rpi-box-01: the image cannot be loaded: ssh: signal: killed") || r.Phase != "pull" {
		t.Errorf("problem %s in phase %s", words, r.Phase)
	}
	m.vpi(t, "in", "tc", "qdisc", "del", "dev", link, "root")
	m.wantState(t, old)
	if got := m.ssh(t, watched, "docker image ls --quiet "+m.image(t, "web")+"; ls /run/pistack-deploy 2>/dev/null | grep -vx undo || true"); got != "" {
		t.Errorf("left on the Pi: %s", got)
	}
	out := m.deploy(t, watched, "--verbose")
	wantLine(t, out, `^rpi-box-01 +deployed `)
	if got := strings.Join(sent(out), " "); got != "web" {
		t.Errorf("sent %q", got)
	}
	m.wantRuns(t)
}

// killLoad kills the ssh of this lab that loads an image.
func (m *maker) killLoad(t *testing.T) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
		words := strings.Split(string(text), "\x00")
		if words[0] != "ssh" || !strings.Contains(string(text), m.work) || !strings.Contains(string(text), "docker image load") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("no ssh loads an image")
}

// prunedOverSSH: what only this workstation could send again stays, and what nobody
// needs goes.
func prunedOverSSH(t *testing.T, m *maker) {
	const list = "docker image ls --no-trunc --format '{{.Repository}}:{{.Tag}}' | sort"
	before := m.ssh(t, watched, list)
	m.ssh(t, watched, "tar -c -C /etc hostname | docker import - unneeded:1 >/dev/null")
	wantLine(t, m.prune(t, watched, true), `^1 image removed$`)
	if after := m.ssh(t, watched, list); after != before || !strings.Contains(after, m.image(t, "web")) || !strings.Contains(after, m.image(t, "worker")) {
		t.Errorf("left are\n%s\nof\n%s", after, before)
	}
	m.wantRuns(t)
}

// sentWhole has the Pi's Docker keep images with containerd, where what is loaded
// has to be complete, and ids are others.
func sentWhole(t *testing.T, m *maker) {
	m.ssh(t, watched, `systemctl stop pistack-chat && echo '{"features": {"containerd-snapshotter": true}}' >/etc/docker/daemon.json && systemctl restart docker`)
	if got := m.ssh(t, watched, "docker info --format '{{.DriverStatus}}'; docker image ls --quiet"); got != "[[driver-type io.containerd.snapshotter.v1]]" {
		t.Fatalf("the Pi's Docker: %s", got)
	}
	m.page(t, "web", "3")
	m.pistack(t, 0, "build")
	out := m.deploy(t, watched, "--verbose")
	if got := strings.Join(sent(out), " "); got != "web worker" {
		t.Errorf("sent %q", got)
	}
	m.wantRuns(t)
	wantLine(t, m.prune(t, watched, true), `^0 images removed$`)
	m.wantRuns(t)
}
