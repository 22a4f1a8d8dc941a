//go:build device && linux

package cmd_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// faulty is a virtual Pi with two stacks, to which things happen. Its Docker has
// a disk of its own, which is small enough to be filled.
var faulty = machine{number: "5", host: "rpi-box-01", stack: "chat"}

const (
	dockerSize = "256m"
	second     = "stacks/second/compose.yaml"
	filler     = "/var/lib/docker/filler"
)

// secondYAML is the other stack. Its data lies in a volume without a name.
const secondYAML = `services:
  keeper:
    image: second:1
    restart: unless-stopped
    environment: {TZ: "${TZ}"}
    volumes: [/data]
`

// TestDeviceFaults lets a virtual Pi boot for the first time, and then makes
// things fail. Each step ends with the invariant of wantSound: the Pi runs what
// the repository says, and the data is there.
func TestDeviceFaults(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.env = append(l.env, "VPI_DOCKER_SIZE="+dockerSize)
	for _, step := range []struct {
		name string
		run  func(t *testing.T, l *lab)
	}{
		{"a first boot has the secrets before Docker", firstBoot},
		{"every unit of every host is sound", verifyUnits},
		{"a reboot keeps the data of an anonymous volume", rebootKeepsData},
		{"a failing health check is undone, and leaves the other stack alone", failingHealth},
		{"a program that the image has not is undone, and leaves the other stack alone", brokenProgram},
		{"a restart of Docker brings everything back", restartDocker},
		{"a full disk leaves containers and secrets alone", fullDisk},
		{"an image that does not fit on the disk leaves containers alone", pullFullDisk},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, l); l.wantSound(t) }) {
			return
		}
	}
}

// wantSound: no unit failed, the table is in force, both stacks run, chat with
// the key that was typed last, and the second one with the data of firstBoot.
func (l *lab) wantSound(t *testing.T) {
	t.Helper()
	l.wantEnvOf(t, faulty, "OPENAI_KEY")
	state := l.ssh(t, faulty, "systemctl is-system-running; systemctl is-active pistack-secrets docker; nft list table inet pistack | grep -c 'hook forward'; "+
		"docker ps --format '{{.Label \"com.docker.compose.project\"}}' | sort | uniq -c | xargs; cat "+l.dataFile(t))
	if want := "running\nactive\nactive\n1\n2 chat 1 second\nrows"; state != want {
		t.Fatalf("the Pi is not sound:\n%s\nwant\n%s", state, want)
	}
}

// dataFile is a file in the keeper's anonymous volume, on the Pi.
func (l *lab) dataFile(t *testing.T) string {
	t.Helper()
	return l.ssh(t, faulty, "docker inspect --format '{{range .Mounts}}{{.Source}}{{end}}' "+l.containerID(t, faulty, "keeper")) + "/rows"
}

// containersOf lists a stack's containers, those that do not run included.
func (l *lab) containersOf(t *testing.T, stack string) string {
	t.Helper()
	return l.ssh(t, faulty, "docker ps --all --no-trunc --format '{{.ID}} {{.State}}' --filter label=com.docker.compose.project="+stack+" | sort")
}

// addStack makes the second stack the host's, and gives it the unit that NixOS
// would render: the recorded one of the other stack, under another name.
func (l *lab) addStack(t *testing.T) {
	t.Helper()
	replaced("hosts/rpi-box-01/host.toml", `["chat"]`, `["chat", "second"]`)(t, l)
	l.writeFleet(t, second, []byte(secondYAML))
	l.writeFleet(t, "stacks/second/.env", []byte("TZ=UTC\n"))
	const file = "testdata/nixos/units.json"
	var recorded map[string]any
	if err := json.Unmarshal(l.readFleet(t, file), &recorded); err != nil {
		t.Fatal(err)
	}
	units := recorded["hosts"].(map[string]any)[faulty.host].(map[string]any)["units"].(map[string]any)
	text := func(name string) string { return units[name].(map[string]any)["text"].(string) }
	change := func(name, old, now string) {
		if !strings.Contains(text(name), old) {
			t.Fatalf("%s has no %s:\n%s", name, old, text(name))
		}
		units[name].(map[string]any)["text"] = strings.ReplaceAll(text(name), old, now)
	}
	unit := strings.ReplaceAll(text("pistack-chat.service"), "chat", "second")
	unit = strings.ReplaceAll(unit, ` "--env-file" "/run/pistack/current/env/second.env"`, "")
	units["pistack-second.service"] = map[string]any{"text": unit, "wantedBy": []string{"multi-user.target"}, "requiredBy": []string{}}
	change("pistack-reconcile.service", `"chat"`, `"chat" "second"`)
	stop := regexp.MustCompile(`(?m)^ExecStop=.*\n`).FindString(text("pistack-shutdown.service"))
	change("pistack-shutdown.service", stop, stop+strings.ReplaceAll(stop, "chat", "second"))
	data, err := json.Marshal(recorded)
	if err != nil {
		t.Fatal(err)
	}
	l.writeFleet(t, file, data)
	l.command(t, "git", "add", "--all").output(t)
}

// firstBoot puts a system into the profile and boots it: unlike after a switch,
// nothing of it was there when the machine started. So does an SD card.
func firstBoot(t *testing.T, l *lab) {
	l.boot(t, faulty)
	l.vpi(t, "image", faulty.number, "second:1", l.app(t), "ENV APP_PORTS=8080")
	l.addStack(t)
	l.addSecret(t, faulty, "OPENAI_KEY")
	wantLine(t, l.deploy(t, faulty, "--action", "boot"), `^rpi-box-01 +staged +1 `)
	// The registry of pullFullDisk speaks plain http.
	l.ssh(t, faulty, `echo '{"insecure-registries": ["0.0.0.0/0"]}' >/etc/docker/daemon.json`)
	if left := l.ssh(t, faulty, "docker ps -aq; ls -d /run/pistack /etc/pistack 2>/dev/null || true"); left != "" {
		t.Fatalf("something ran already:\n%s", left)
	}
	l.vpi(t, "reboot", faulty.number)
	l.wantSecretsFirst(t)
	l.ssh(t, faulty, "systemctl start pistack-chat pistack-second") // waits for those that the boot started
	l.ssh(t, faulty, "echo rows >"+l.dataFile(t))
}

// wantSecretsFirst reads the journal of this boot: whatever pisec said, it said
// before dockerd said anything.
func (l *lab) wantSecretsFirst(t *testing.T) {
	t.Helper()
	said := strings.Fields(l.ssh(t, faulty, `journalctl --boot --no-pager --output json -t pisec -t dockerd | sed -nE 's/.*"SYSLOG_IDENTIFIER":"([a-z]+)".*/\1/p' | uniq`))
	if !slices.Equal(said, []string{"pisec", "dockerd"}) {
		t.Fatalf("in the journal, in this order: %q, want pisec, then dockerd", said)
	}
}

func rebootKeepsData(t *testing.T, l *lab) {
	before, file := l.containers(t, faulty), l.dataFile(t)
	l.vpi(t, "reboot", faulty.number)
	l.wantSecretsFirst(t)
	l.ssh(t, faulty, "systemctl start pistack-chat pistack-second") // waits for those that the boot started
	if after := l.containers(t, faulty); after != before {
		t.Fatalf("containers changed:\n%s\n%s", before, after)
	}
	if now := l.dataFile(t); now != file {
		t.Fatalf("the data is in %s, was in %s", now, file)
	}
}

// breaks deploys the second stack with a change that fails, which brings the old
// one back, then without it.
func (l *lab) breaks(t *testing.T, change string) {
	t.Helper()
	good, chat, old := l.readFleet(t, second), l.containersOf(t, "chat"), l.containersOf(t, "second")
	l.writeFleet(t, second, append(slices.Clone(good), change...))
	out := l.failedDeploy(t, faulty)
	wantLine(t, out, `^rpi-box-01 +rolled back `)
	wantLine(t, out, `units fail on the new system: pistack-second\.service$`)
	if now := l.containersOf(t, "chat"); now != chat {
		t.Fatalf("the other stack's containers changed:\n%s\n%s", chat, now)
	}
	if l.containersOf(t, "second") == old {
		t.Fatal("the change did nothing")
	}
	l.wantSound(t)
	l.writeFleet(t, second, good)
	wantLine(t, l.deploy(t, faulty), `^rpi-box-01 +recorded `)
}

func failingHealth(t *testing.T, l *lab) {
	l.breaks(t, `    healthcheck: {test: ["CMD", "app", "sha256", "env", "MISSING"], interval: 1s, retries: 1}`+"\n")
}

func brokenProgram(t *testing.T, l *lab) {
	l.breaks(t, `    entrypoint: ["/bin/missing"]`+"\n")
}

// restartDocker has no live-restore, so that every container stops. Docker has
// started them again by the time that it is up.
func restartDocker(t *testing.T, l *lab) {
	chat, other := l.containersOf(t, "chat"), l.containersOf(t, "second")
	began := l.ssh(t, faulty, "docker inspect --format '{{.State.StartedAt}}' $(docker ps -q) | sort")
	table := l.ssh(t, faulty, "nft list table inet pistack")
	secrets := l.ssh(t, faulty, "readlink -f /run/pistack/current && sha256sum /run/pistack/current/env/chat.env")
	l.ssh(t, faulty, "systemctl restart docker")
	for what, same := range map[string]bool{
		"containers of chat":   l.containersOf(t, "chat") == chat,
		"containers of second": l.containersOf(t, "second") == other,
		"firewall table":       l.ssh(t, faulty, "nft list table inet pistack") == table,
		"secrets":              l.ssh(t, faulty, "readlink -f /run/pistack/current && sha256sum /run/pistack/current/env/chat.env") == secrets,
		"units":                l.ssh(t, faulty, "systemctl is-failed pistack-chat pistack-second pistack-secrets pistack-firewall || true") == "inactive\ninactive\nactive\ninactive",
	} {
		if !same {
			t.Errorf("%s: not as before the restart", what)
		}
	}
	if now := l.ssh(t, faulty, "docker inspect --format '{{.State.StartedAt}}' $(docker ps -q) | sort"); now == began {
		t.Error("no container was started again, so the restart proves nothing")
	}
}

// fullDisk deploys a new key while Docker's disk has no byte left.
func fullDisk(t *testing.T, l *lab) {
	before, old := l.containers(t, faulty), l.values["OPENAI_KEY"]
	l.ssh(t, faulty, "cat /dev/zero >"+filler+" 2>/dev/null || true; test $(df --output=avail "+filler+" | tail -n 1) = 0")
	l.addSecret(t, faulty, "OPENAI_KEY")
	out := l.failedDeploy(t, faulty)
	wantLine(t, out, `^rpi-box-01 +rolled back `)
	wantLine(t, out, `no space left on device`)
	wantLine(t, out, `units fail on the new system: .*pistack-chat\.service`)
	if after := l.containers(t, faulty); after != before {
		t.Fatalf("containers changed:\n%s\n%s", before, after)
	}
	// The old secret is there again.
	env := l.ssh(t, faulty, "cat /run/pistack/current/env/chat.env")
	if telling := l.typed[len(l.typed)-1]; strings.Contains(env, telling) {
		t.Error("the new key is still installed")
	}
	wanted := l.values["OPENAI_KEY"]
	l.values["OPENAI_KEY"] = old
	l.wantEnvOf(t, faulty, "OPENAI_KEY")
	l.values["OPENAI_KEY"] = wanted
	l.ssh(t, faulty, "rm "+filler)
	l.deploy(t, faulty)
	wantRecreated(t, before, l.containers(t, faulty), "open-webui")
}

// pullFullDisk deploys an image whose layer is larger than what is left on
// Docker's disk.
func pullFullDisk(t *testing.T, l *lab) {
	chat, old, file := l.containersOf(t, "chat"), l.containersOf(t, "second"), l.dataFile(t)
	image := l.serveImage(t, faulty, 48<<20)
	replaced(second, "image: second:1", "image: "+image)(t, l)
	l.ssh(t, faulty, "fallocate --length $(( $(df --block-size 1 --output=avail /var/lib/docker | tail -n 1) - (32 << 20) )) "+filler)
	out := l.failedDeploy(t, faulty)
	wantLine(t, out, `^rpi-box-01 +refused `)
	wantLine(t, out, `no space left on device`)
	wantLine(t, out, `not pulled: `+regexp.QuoteMeta(image)+`$`)
	if now := l.containersOf(t, "chat") + l.containersOf(t, "second"); now != chat+old {
		t.Fatalf("containers changed:\n%s\n%s", chat+old, now)
	}
	l.wantEnvOf(t, faulty, "OPENAI_KEY")
	l.ssh(t, faulty, "rm "+filler)
	l.deploy(t, faulty)
	if now := l.ssh(t, faulty, "docker inspect --format '{{.Config.Image}}' "+l.containerID(t, faulty, "keeper")); now != image {
		t.Fatalf("the second deploy brought %s, want %s", now, image)
	}
	if now := l.dataFile(t); now != file {
		t.Fatalf("the data is in %s, was in %s", now, file)
	}
}
