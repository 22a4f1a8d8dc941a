//go:build device

package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fenced is a virtual Pi whose published ports are closed and opened.
var fenced = machine{number: "4", host: "rpi-box-01", stack: "chat"}

// published is the port of open-webui, by CHAT_PORT of stacks/chat/.env.
const published = "3000"

// TestDeviceFirewall reaches for a published port from the workstation, which is
// another network namespace, while host.toml opens the port and closes it. The
// Pi's Docker is Debian's, with iptables; firewallTable plays its nftables.
func TestDeviceFirewall(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.boot(t, fenced)
	l.addSecret(t, fenced, "OPENAI_KEY")
	w := workstation{l, fetcher(t, l), l.info(t, fenced, "address")}
	for _, step := range []struct {
		name string
		run  func(t *testing.T, w workstation)
	}{
		{"opened by nothing", openNothing},
		{"containers reach each other and what is outside", containersReach},
		{"opened by its interface", openInterface},
		{"opened by another interface", openOther},
		{"opened by all", openAll},
		{"closed again", closeAgain},
		{"closed after a restart of Docker or of the firewall", restartServices},
		{"closed after a reboot", rebootClosed},
		{"a table that does not load leaves the old one", brokenTable},
		{"Docker's nftables", dockerNftables},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, w) }) {
			return
		}
	}
}

// workstation reaches for a virtual Pi over the network.
type workstation struct {
	*lab
	wget    string // program that fetches a URL within 2 s
	address string // of the virtual Pi
}

// fetcher is the stand-in for wget that the images have, for the workstation.
func fetcher(t *testing.T, l *lab) string {
	t.Helper()
	path := filepath.Join(l.work, "wget")
	if err := os.Symlink(l.app(t), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// open deploys host.toml with these interfaces.
func (w workstation) open(t *testing.T, interfaces string) {
	t.Helper()
	file := "hosts/" + fenced.host + "/host.toml"
	line := regexp.MustCompile(`(?m)^open .*`)
	w.writeFleet(t, file, line.ReplaceAll(w.readFleet(t, file), []byte("open = ["+interfaces+"]")))
	w.deploy(t, fenced)
}

func (w workstation) fetch(t *testing.T, hostPort string) error {
	t.Helper()
	out, err := w.command(t, w.script, "in", w.wget, "http://"+hostPort+"/").combined()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (w workstation) wantOpen(t *testing.T, hostPort string) {
	t.Helper()
	if err := w.fetch(t, hostPort); err != nil {
		t.Fatalf("%s is not reached: %v", hostPort, err)
	}
}

// wantClosed: nobody answers. A port that nobody listens on is refused, and
// would prove nothing, so the Pi itself has to reach it.
func (w workstation) wantClosed(t *testing.T, hostPort string) {
	t.Helper()
	if err := w.fetch(t, hostPort); err == nil || !strings.Contains(err.Error(), "deadline exceeded") {
		t.Fatalf("%s: want no answer, got %v", hostPort, err)
	}
	w.ssh(t, fenced, "curl -sSf --max-time 5 http://"+hostPort+"/")
	w.ssh(t, fenced, "curl -sSf --max-time 5 http://127.0.0.1:"+published+"/")
}

func (w workstation) port() string { return w.address + ":" + published }

// container is open-webui, past the port that Docker publishes: its own address,
// to which a machine of the same network may make itself a route.
func (w workstation) container(t *testing.T) string {
	t.Helper()
	id := w.containerID(t, fenced, "open-webui")
	ip := w.ssh(t, fenced, "docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "+id)
	w.vpi(t, "in", "ip", "route", "replace", ip, "via", w.address)
	return ip + ":8080"
}

func openNothing(t *testing.T, w workstation) {
	w.open(t, "")
	w.wantClosed(t, w.port())
	w.wantClosed(t, w.container(t))
}

func containersReach(t *testing.T, w workstation) {
	id := w.containerID(t, fenced, "open-webui")
	w.ssh(t, fenced, "docker exec "+id+" wget http://tika:9998/")
	gateway := w.address[:strings.LastIndex(w.address, ".")] + ".1"
	server := w.command(t, w.script, "in", filepath.Join(w.work, "app"))
	server.Env = append(server.Env, "APP_PORTS=8090")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	w.ssh(t, fenced, "curl -sSf --retry 20 --retry-connrefused --retry-delay 1 http://"+gateway+":8090/")
	w.ssh(t, fenced, "docker exec "+id+" wget http://"+gateway+":8090/")
}

func openInterface(t *testing.T, w workstation) {
	before := w.containers(t, fenced)
	w.open(t, `"eth0"`)
	w.wantOpen(t, w.port())
	if after := w.containers(t, fenced); after != before {
		t.Fatalf("containers changed:\n%s\n%s", before, after)
	}
	// What openNothing found closed is closed by the table alone.
	w.wantOpen(t, w.container(t))
}

func openOther(t *testing.T, w workstation) {
	w.open(t, `"tailscale0"`)
	w.wantClosed(t, w.port())
}

func openAll(t *testing.T, w workstation) {
	w.open(t, `"any"`)
	w.wantOpen(t, w.port())
	w.ssh(t, fenced, "systemctl restart docker pistack-firewall && systemctl start pistack-chat")
	w.wantOpen(t, w.port())
}

func closeAgain(t *testing.T, w workstation) {
	w.open(t, "")
	w.wantClosed(t, w.port())
	w.wantClosed(t, w.container(t))
}

func restartServices(t *testing.T, w workstation) {
	for _, command := range []string{
		"systemctl restart pistack-firewall",
		"systemctl restart docker && systemctl start pistack-chat",
		"systemctl stop pistack-firewall",
		// As a restart of the NixOS firewall does: its rules go, and come back.
		"iptables -F INPUT && iptables -A INPUT -i lo -j ACCEPT",
	} {
		w.ssh(t, fenced, command)
		w.wantClosed(t, w.port())
	}
	// Docker brings the table back before it brings back the containers.
	w.ssh(t, fenced, "systemctl stop docker docker.socket && nft delete table inet pistack && systemctl start docker && systemctl start pistack-chat")
	w.wantClosed(t, w.port())
}

func rebootClosed(t *testing.T, w workstation) {
	w.vpi(t, "reboot", fenced.number)
	order := w.ssh(t, fenced, "systemctl show -P InactiveEnterTimestampMonotonic pistack-firewall; systemctl show -P InactiveExitTimestampMonotonic docker")
	var loaded, docker int
	if _, err := fmt.Sscan(order, &loaded, &docker); err != nil || loaded == 0 || loaded > docker {
		t.Fatalf("the table was there %d µs after boot, Docker began at %d (%v)", loaded, docker, err)
	}
	w.ssh(t, fenced, "systemctl start pistack-chat") // waits for the one that the boot started
	w.wantClosed(t, w.port())
}

// brokenTable loads the table of the running system with an error at its end.
func brokenTable(t *testing.T, w workstation) {
	before := w.ssh(t, fenced, "nft list table inet pistack")
	file := w.ssh(t, fenced, `systemctl cat pistack-firewall | sed -n 's/^ExecStart=.*"--file" "\(.*\)"$/\1/p'`)
	w.ssh(t, fenced, "{ cat "+file+"; echo 'table inet pistack { chain forward { jump nowhere; }; }'; } >/root/broken.nft; ! nft --file /root/broken.nft")
	if after := w.ssh(t, fenced, "nft list table inet pistack"); after != before || !strings.Contains(after, "drop") {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
	w.wantClosed(t, w.port())
}
