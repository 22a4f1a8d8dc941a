package fleet_test

import (
	"maps"
	"testing"
)

func TestNamedPorts(t *testing.T) {
	f, err := load(t, map[string]string{
		"stacks/chat/.env": "# CHAT_PORT=1\nCHAT_PORT=8080\nexport HTTP_PORT=\"80\"\r\nPORTS=2\nA_PORT=x\nB_PORT=0\nC_PORT=1234567\nD_PORT=90 # x\n",
		"hosts/pi/host.toml": base + `[env]
CHAT_PORT = "8081"
TZ = "9"
BAD_PORT = "x"

[reserved_ports]
53 = "dnsmasq"
`})
	if err != nil {
		t.Fatal(err)
	}
	const env, host = "stacks/chat/.env", "hosts/pi/host.toml"
	want := map[int]string{8080: env, 80: env, 8081: host, 53: host}
	if got := f.NamedPorts(); !maps.Equal(got, want) {
		t.Errorf("ports %v, want %v", got, want)
	}
}
