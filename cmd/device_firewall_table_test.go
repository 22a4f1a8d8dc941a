//go:build device

package cmd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dockerRules are those of Docker's nftables back end (Docker 29) as far as they
// matter here: a translated address before routing, and acceptance afterwards.
const dockerRules = `
table ip docker-bridges {
  chain nat-PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local tcp dport 8080 dnat to 172.30.0.2:8080
  }
  chain filter-FORWARD {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    tcp dport 8080 accept
    drop
  }
}
table ip6 docker-bridges {
  chain nat-PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local tcp dport 8080 dnat to [fd00:2::2]:8080
  }
  chain filter-FORWARD {
    type filter hook forward priority filter; policy accept;
    meta l4proto ipv6-icmp accept
    ct state established,related accept
    tcp dport 8080 accept
    drop
  }
}
`

// threeNamespaces makes a client, a host and a container inside the virtual Pi,
// $1 being the bridge of the container's network, loads Docker's rules into the
// host, prints what the client and the container reach with each table, and
// closes the port while the client has a connection.
const threeNamespaces = `set -eu
cd /root
for n in client host container; do ip netns add $n; ip -n $n link set lo up; done
trap 'kill $servers; for n in client host container; do ip netns delete $n; done' EXIT
ip -n host link add "$1" type bridge
ip -n host link add eth0 type veth peer name eth0 netns client
ip -n host link add port type veth peer name eth0 netns container
ip -n host link set port master "$1" up
address() { ip -n $1 address add $3 dev $2 nodad; ip -n $1 link set $2 up; }
for a in 192.0.2.1/24 2001:db8::1/64; do address host eth0 $a; done
for a in 192.0.2.2/24 2001:db8::2/64; do address client eth0 $a; done
for a in 172.30.0.1/24 fd00:2::1/64; do address host "$1" $a; done
for a in 172.30.0.2/24 fd00:2::2/64; do address container eth0 $a; done
ip -n container route add default via 172.30.0.1
ip -n container route add default via fd00:2::1
ip -n client route add 172.30.0.0/24 via 192.0.2.1
ip -n client route add fd00:2::/64 via 2001:db8::1
ip netns exec host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip netns exec host nft --file docker.nft
ip netns exec container ./app & servers=$!
ip netns exec client ./app & servers="$servers $!"
for i in 1 2 3 4 5 6 7 8 9; do
  ip netns exec container curl -so /dev/null http://127.0.0.1:8080 && ip netns exec client curl -so /dev/null http://127.0.0.1:8080 && break
  sleep 1
done
reach() { ip netns exec $1 curl -so /dev/null --max-time 1 "http://$2:8080" && echo "$1 reaches $2" || echo "$1 is kept from $2"; }
for table in closed open; do
  echo $table
  ip netns exec host nft --file $table.nft
  reach client 192.0.2.1; reach client '[2001:db8::1]'
  reach client 172.30.0.2; reach client '[fd00:2::2]'
  reach container 192.0.2.2; reach container '[2001:db8::2]'
done
ip netns exec client bash -c '
exec 3<>/dev/tcp/192.0.2.1/8080
ask() { printf "GET / HTTP/1.1\r\nHost: x\r\n\r\n" >&3; while read -t 2 -r line; do [ "$line" != ok ] || return 0; done <&3; return 1; }
ask && ask && echo "a connection is answered"
ip netns exec host nft --file closed.nft
ask || echo "a connection is cut"'
`

const closedThenOpen = `closed
client is kept from 192.0.2.1
client is kept from [2001:db8::1]
client is kept from 172.30.0.2
client is kept from [fd00:2::2]
container reaches 192.0.2.2
container reaches [2001:db8::2]
open
client reaches 192.0.2.1
client reaches [2001:db8::1]
client reaches 172.30.0.2
client reaches [fd00:2::2]
container reaches 192.0.2.2
container reaches [2001:db8::2]
a connection is answered
a connection is cut`

// dockerNftables plays Docker's nftables back end, which the Docker of the
// virtual Pi does not have, with IPv4 and IPv6.
func dockerNftables(t *testing.T, w workstation) {
	app, err := os.ReadFile(filepath.Join(w.work, "app"))
	if err != nil {
		t.Fatal(err)
	}
	w.sshStdin(t, fenced, string(app), "cat >/root/app && chmod 755 /root/app")
	w.sshStdin(t, fenced, dockerRules, "cat >/root/docker.nft")
	w.sshStdin(t, fenced, w.table(t, `[ ]`), "cat >/root/closed.nft")
	w.sshStdin(t, fenced, w.table(t, `[ "eth0" ]`), "cat >/root/open.nft")
	w.sshStdin(t, fenced, threeNamespaces, "cat >/root/namespaces.sh")
	if got := w.ssh(t, fenced, "sh /root/namespaces.sh br-0123456789ab"); got != closedThenOpen {
		t.Errorf("a bridge of Docker's naming:\n%s", got)
	}
	// Only what is published is known to go to a container here. To keep others
	// from the container's own address is left to Docker, which does so since 28.
	published := strings.NewReplacer("is kept from 172", "reaches 172", "is kept from [fd00", "reaches [fd00").Replace(closedThenOpen)
	if got := w.ssh(t, fenced, "sh /root/namespaces.sh mynet"); got != published {
		t.Errorf("a bridge of the author's naming:\n%s", got)
	}
}

// table is what a device loads, with these interfaces open.
func (w workstation) table(t *testing.T, open string) string {
	t.Helper()
	c := w.command(t, "nix-instantiate", "--eval", "--json", "--expr",
		`import `+filepath.Join(w.fleet, "modules/pistack/firewall-table.nix")+` { open = `+open+`; }`)
	var content string
	if err := json.Unmarshal(c.output(t), &content); err != nil {
		t.Fatal(err)
	}
	return "table inet pistack\ndelete table inet pistack\ntable inet pistack {\n" + content + "\n}\n"
}
