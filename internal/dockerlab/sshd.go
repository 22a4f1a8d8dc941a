package dockerlab

import (
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

// NewSSHD starts an sshd whose logins have an environment, and gives the path of
// an ssh_config that leads to it by a name.
func NewSSHD(t testing.TB, name string, env []string) (config string) {
	t.Helper()
	Need(t, "sshd", "ssh")
	dir := t.TempDir()
	host, login := keyPair(t, filepath.Join(dir, "host")), keyPair(t, filepath.Join(dir, "login"))
	must(t, os.WriteFile(filepath.Join(dir, "authorized"), []byte(login), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "known"), []byte(name+" "+host), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	must(t, l.Close())
	text := fmt.Sprintf("ListenAddress 127.0.0.1:%s\nHostKey %s/host\nAuthorizedKeysFile %s/authorized\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nPidFile none\nSetEnv PATH=%s",
		port, dir, dir, os.Getenv("PATH"))
	for _, e := range env {
		text += " " + e
	}
	must(t, os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(text+"\n"), 0o600))
	must(t, os.MkdirAll("/run/sshd", 0o755))
	sshd, _ := find("sshd")
	start(t, filepath.Join(dir, "log"), sshd, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	await(t, filepath.Join(dir, "log"), func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	config = filepath.Join(dir, "ssh_config")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "Host %s\n  HostName 127.0.0.1\n  Port %s\n  User root\n  HostKeyAlias %s\n  UserKnownHostsFile %s/known\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  IdentityFile %s/login\n  IdentitiesOnly yes\n  BatchMode yes\n",
		name, port, name, dir, dir), 0o600))
	return config
}

// keyPair writes a private key and gives the public one's line.
func keyPair(t testing.TB, file string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	must(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	key, err := ssh.NewPublicKey(public)
	must(t, err)
	return string(ssh.MarshalAuthorizedKey(key))
}
