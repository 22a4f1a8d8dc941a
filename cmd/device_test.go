//go:build device

package cmd_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDevice deploys the example fleet to virtual Pis (testdata/vpi): real
// systemd, sshd, Docker, Compose and Nix. Needs root; "make device" runs it.
// The steps build on each other, so the first failure ends the test.
func TestDevice(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, step := range []struct {
		name string
		run  func(t *testing.T, l *lab)
	}{
		{"a key reaches the container that needs it", firstDeploy},
		{"deploying again changes nothing", deployAgain},
		{"a new key recreates its service only", replaceKey},
		{"rekeying restarts nothing", rekeyOnly},
		{"a secret that cannot be decrypted keeps the old ones", undecryptable},
		{"an image that is missing stops nothing, and is tried again", missingImage},
		{"a reboot brings everything back, secrets first", reboot},
		{"a secret file has its owner and mode, and is on no disk", fileSecret},
		{"a changed configuration file recreates its service only", changedFile},
		{"a stack that left goes down and keeps its volumes", removeStack},
		{"no plaintext is left on the workstation", noPlaintext},
		{"a machine with another key gets no command", wrongMachine},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, l) }) {
			return
		}
	}
}

// chat is virtual Pi 1, monitoring virtual Pi 2.
var (
	chat       = machine{number: "1", host: "rpi-box-01", stack: "chat"}
	monitoring = machine{number: "2", host: "rpi-box-02", stack: "monitoring"}
)

func firstDeploy(t *testing.T, l *lab) {
	l.boot(t, chat)
	l.addSecret(t, chat, "OPENAI_KEY")
	out := l.deploy(t, chat)
	wantLine(t, out, `^rpi-box-01 +deployed +1 `)
	l.wantEnv(t, "OPENAI_KEY")
	status := l.ssh(t, chat, "systemctl is-active pistack-secrets; systemctl show -P Result pistack-chat; systemctl is-system-running")
	if status != "active\nsuccess\nrunning" {
		t.Fatalf("units: %s", status)
	}
}

func deployAgain(t *testing.T, l *lab) {
	before := l.containers(t, chat)
	l.deploy(t, chat)
	if after := l.containers(t, chat); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

func replaceKey(t *testing.T, l *lab) {
	before := l.containers(t, chat)
	l.addSecret(t, chat, "OPENAI_KEY")
	l.deploy(t, chat)
	l.wantEnv(t, "OPENAI_KEY")
	wantRecreated(t, before, l.containers(t, chat), "open-webui")
}

func rekeyOnly(t *testing.T, l *lab) {
	before := l.containers(t, chat)
	file := "hosts/rpi-box-01/secrets/OPENAI_KEY.age"
	old := l.readFleet(t, file)
	c := l.traced(t, "pisec", "rekey", "--all", "--yes", "--identity", filepath.Join(l.work, "operator"), chat.host)
	if out, err := c.combined(); err != nil {
		t.Fatalf("pisec rekey: %v\n%s", err, out)
	}
	if bytes.Equal(old, l.readFleet(t, file)) {
		t.Fatal("the file was not written anew")
	}
	l.deploy(t, chat)
	if after := l.containers(t, chat); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
	l.wantEnv(t, "OPENAI_KEY")
}

func removeStack(t *testing.T, l *lab) {
	file := "hosts/rpi-box-02/host.toml"
	l.writeFleet(t, file, regexp.MustCompile(`(?m)^stacks.*`).ReplaceAll(l.readFleet(t, file), []byte("stacks = []")))
	l.deploy(t, monitoring)
	if left := l.ssh(t, monitoring, "docker ps -aq"); left != "" {
		t.Errorf("containers are left: %s", left)
	}
	volumes := l.ssh(t, monitoring, "docker volume ls --quiet | sort")
	if volumes != "monitoring_grafana\nmonitoring_prometheus" {
		t.Errorf("volumes: %s", volumes)
	}
}

// undecryptable deploys a secret that was encrypted to another machine's key.
func undecryptable(t *testing.T, l *lab) {
	good := l.readFleet(t, "hosts/rpi-box-01/ssh_host_ed25519_key.pub")
	old := l.values["OPENAI_KEY"]
	before := l.containers(t, chat)
	if _, err := keyPair(filepath.Join(l.work, "other")); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(l.work, "other.pub"))
	if err != nil {
		t.Fatal(err)
	}
	l.writeFleet(t, "hosts/rpi-box-01/ssh_host_ed25519_key.pub", other)
	l.addSecret(t, chat, "OPENAI_KEY")
	l.writeFleet(t, "hosts/rpi-box-01/ssh_host_ed25519_key.pub", good)
	out := l.failedDeploy(t, chat)
	wantLine(t, out, `^rpi-box-01 +rolled back `)
	wantLine(t, out, `units fail on the new system: .*pistack-secrets.service`)
	l.values["OPENAI_KEY"] = old
	l.wantEnv(t, "OPENAI_KEY")
	if after := l.containers(t, chat); after != before {
		t.Fatalf("containers changed:\n%s\n%s", before, after)
	}
	log := l.ssh(t, chat, "journalctl --no-pager -u pistack-secrets.service")
	wantLine(t, log, `pisec: secret OPENAI_KEY: this host's key cannot read it`)
	// Encrypted to the right key again, the same command mends it.
	l.addSecret(t, chat, "OPENAI_KEY")
	l.deploy(t, chat)
	l.wantEnv(t, "OPENAI_KEY")
}

// missingImage deploys an image that cannot be had, since nothing leads out of
// the virtual Pi's network; then it is there, and the same deploy succeeds.
func missingImage(t *testing.T, l *lab) {
	before := l.containers(t, chat)
	file := "stacks/chat/compose.yaml"
	image := regexp.MustCompile(`apache/tika:\S+`).FindString(string(l.readFleet(t, file)))
	l.writeFleet(t, file, bytes.Replace(l.readFleet(t, file), []byte(image), []byte("apache/tika:missing"), 1))
	out := l.failedDeploy(t, chat)
	wantLine(t, out, `^rpi-box-01 +refused `)
	wantLine(t, out, `not pulled: apache/tika:missing`)
	if after := l.containers(t, chat); after != before {
		t.Fatalf("containers changed:\n%s\n%s", before, after)
	}
	l.ssh(t, chat, "docker tag "+image+" apache/tika:missing")
	l.deploy(t, chat)
	if after := l.containers(t, chat); after == before {
		t.Fatal("the second deploy did not bring the image")
	}
}

func reboot(t *testing.T, l *lab) {
	l.vpi(t, "reboot", chat.number)
	l.ssh(t, chat, "systemctl start pistack-chat") // waits for the one that the boot started
	l.wantEnv(t, "OPENAI_KEY")
	order := l.ssh(t, chat, "systemctl show -P ActiveEnterTimestampMonotonic pistack-secrets.service docker.service")
	var secrets, docker int
	if _, err := fmt.Sscan(order, &secrets, &docker); err != nil || secrets == 0 || secrets > docker {
		t.Fatalf("secrets were there %d µs after boot, Docker %d (%v)", secrets, docker, err)
	}
}

func fileSecret(t *testing.T, l *lab) {
	l.boot(t, monitoring)
	l.addSecret(t, monitoring, "GRAFANA_ADMIN_PASSWORD")
	l.deploy(t, monitoring)
	id := l.containerID(t, monitoring, "grafana")
	const path = "/run/secrets/GRAFANA_ADMIN_PASSWORD"
	if got := l.ssh(t, monitoring, "docker exec "+id+" app stat "+path); got != "0400 472 0" {
		t.Errorf("mode and owner are %q", got)
	}
	if got := l.ssh(t, monitoring, "docker exec "+id+" app sha256 file "+path); got != digest(l.values["GRAFANA_ADMIN_PASSWORD"]) {
		t.Error("the container has another password than was typed")
	}
	if got := l.ssh(t, monitoring, "stat -f -c %T /run/pistack"); got != "ramfs" {
		t.Errorf("/run/pistack is on %s", got)
	}
	// Every file that was written since the machine was made. The value goes by
	// standard input, so that it is in no file of the test either.
	script := "IFS= read -r v; find / /var/lib/docker /var/lib/containerd -xdev -type f -newer /etc/hostname -print0 | xargs -0r grep -lsF -e \"$v\" || true"
	if found := l.sshStdin(t, monitoring, l.values["GRAFANA_ADMIN_PASSWORD"]+"\n", script); found != "" {
		t.Errorf("plaintext on the device's disk:\n%s", found)
	}
	script = "IFS= read -r v; docker inspect $(docker ps -aq) | grep -cF -e \"$v\" || true"
	if found := l.sshStdin(t, monitoring, l.values["GRAFANA_ADMIN_PASSWORD"]+"\n", script); found != "0" {
		t.Errorf("docker inspect shows it %s times", found)
	}
}

// changedFile changes a file of grafana, on which no service depends: Compose
// 2.26, which is what Debian has, also recreates what depends on a recreated one.
func changedFile(t *testing.T, l *lab) {
	before := l.containers(t, monitoring)
	file := "stacks/monitoring/grafana-datasources.yml"
	l.writeFleet(t, file, append(l.readFleet(t, file), "\n# changed\n"...))
	l.deploy(t, monitoring)
	wantRecreated(t, before, l.containers(t, monitoring), "grafana")
	id := l.containerID(t, monitoring, "grafana")
	if got := l.ssh(t, monitoring, "docker exec "+id+" app sha256 file /etc/grafana/provisioning/datasources/prometheus.yml"); got != digest(string(l.readFleet(t, file))) {
		t.Error("the container still has the old file")
	}
}

// noPlaintext looks for every value that was ever typed where it must not be:
// Git, the store, logs, files, and the arguments and environments of all the
// processes that pisec and pistack started.
func noPlaintext(t *testing.T, l *lab) {
	objects := l.command(t, "sh", "-c", "git rev-list --all --objects | cut -d' ' -f1 | git cat-file --batch").output(t)
	for _, secret := range l.typed {
		if bytes.Contains(objects, []byte(secret)) {
			t.Error("in a Git object")
		}
		if strings.Contains(l.log.String(), secret) {
			t.Error("in the output of a command")
		}
		for _, m := range []machine{chat, monitoring} {
			script := "IFS= read -r v; journalctl --no-pager | grep -cF -e \"$v\" || true; " +
				"grep -rlsF -e \"$v\" /nix/store /etc/systemd || true; " +
				"docker ps -aq | xargs -r docker inspect --format '{{json .Config.Labels}} {{json .Config.Cmd}} {{json .Args}}' | grep -F -e \"$v\" | wc -l"
			if found := l.sshStdin(t, m, secret+"\n", script); found != "0\n0" {
				t.Errorf("%s: in the journal, the store, a unit, a label or an argument:\n%s", m.host, found)
			}
		}
	}
	if traces, _ := filepath.Glob(filepath.Join(l.work, "exec-*.trace")); len(traces) != l.traces {
		t.Errorf("%d of %d commands were traced", len(traces), l.traces)
	}
	l.wantNowhere(t, l.work)
	built := regexp.MustCompile(`/nix/store/[a-z0-9]{32}-[A-Za-z0-9._+-]*[A-Za-z0-9]`).FindAllString(l.log.String(), -1)
	if len(built) == 0 {
		t.Error("the deploys named no store path")
	}
	for _, path := range built {
		l.wantNowhere(t, path)
	}
}

func wrongMachine(t *testing.T, l *lab) {
	file := "hosts/rpi-box-01/host.toml"
	good := l.readFleet(t, file)
	address := l.info(t, monitoring, "address")
	l.writeFleet(t, file, regexp.MustCompile(`(?m)^address .*`).ReplaceAll(good, []byte(`address = "`+address+`"`)))
	defer l.writeFleet(t, file, good)
	before := l.ssh(t, monitoring, "readlink /nix/var/nix/profiles/system")
	out := l.failedDeploy(t, chat)
	wantLine(t, out, `does not have the pinned host key`)
	if after := l.ssh(t, monitoring, "readlink /nix/var/nix/profiles/system"); after != before {
		t.Errorf("the profile moved from %s to %s", before, after)
	}
}

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

func wantLine(t *testing.T, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile("(?m)" + pattern).MatchString(text) {
		t.Fatalf("no match for %s in:\n%s", pattern, text)
	}
}

// wantRecreated compares two listings of "service container-id".
func wantRecreated(t *testing.T, before, after, service string) {
	t.Helper()
	old := strings.Split(before, "\n")
	now := strings.Split(after, "\n")
	if len(old) != len(now) {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
	for i := range old {
		name, _, _ := strings.Cut(now[i], " ")
		if recreated := old[i] != now[i]; recreated != (name == service) {
			t.Errorf("%s: recreated is %t\n%s\n%s", name, recreated, before, after)
		}
	}
}

// randomText is found nowhere by accident.
func randomText(t *testing.T) string {
	t.Helper()
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	return "canary-" + hex.EncodeToString(raw)
}

// command is a child process whose output is kept in the lab's log.
type command struct {
	*exec.Cmd
	log *bytes.Buffer
}

func (c command) output(t *testing.T) []byte {
	t.Helper()
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(c.Args, " "), err, out, errs.Bytes())
	}
	return out
}

// combined runs the command and returns both streams, also when it fails.
func (c command) combined() (string, error) {
	out, err := c.CombinedOutput()
	c.log.Write(out)
	return string(out), err
}
