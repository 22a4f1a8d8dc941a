// Package cmd_test runs the real binaries in scripts: cmd/testdata/script.
package cmd_test

import (
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
)

// binaries is the folder with the commands under test, set by TestMain.
var binaries string

// binariesVariable tells a process that a test starts where they are.
const binariesVariable = "PISTACK_TEST_BINARIES"

func TestMain(m *testing.M) {
	os.Exit(withBinaries(m))
}

func withBinaries(m *testing.M) int {
	if binaries = os.Getenv(binariesVariable); binaries != "" {
		return m.Run() // a process of a test's own, in a mount namespace
	}
	dir, err := os.MkdirTemp("", "pistack-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("go", "build", "-o", dir, "pistack/cmd/pisec", "pistack/cmd/pistack").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	binaries = dir
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setup,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sshd":     startSSHD,
			"registry": startRegistry,
			"push":     pushImage,
		},
	})
}

// condition knows [sshd]: a real sshd can be run that root may log in to, and
// [sdimage]: SD images can be made.
func condition(name string) (bool, error) {
	switch name {
	case "sshd":
	case "sdimage":
		return haveImageTools()
	default:
		return false, fmt.Errorf("unknown condition %q", name)
	}
	_, err := os.Stat(sshd)
	have := err == nil && os.Geteuid() == 0
	if !have && os.Getenv("PISTACK_REQUIRE_ALL") != "" {
		return false, fmt.Errorf("nothing may be left out, and %s cannot be run as root", sshd)
	}
	return have, nil
}

// haveImageTools tells whether testdata/sdimage can be run.
func haveImageTools() (bool, error) {
	for _, name := range []string{"sfdisk", "mkfs.vfat", "mkfs.ext4", "debugfs", "zstd"} {
		if _, err := os.Stat("/usr/sbin/" + name); err == nil {
			continue
		}
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("PISTACK_REQUIRE_ALL") != "" {
			return false, fmt.Errorf("nothing may be left out, and %s is not there", name)
		}
		return false, nil
	}
	return true, nil
}

// sshd is started by its absolute path: it refuses anything else.
const sshd = "/usr/sbin/sshd"

// setup gives every script the binaries, two key pairs (an operator's and a
// machine's), and Git without the developer's own settings.
func setup(e *testscript.Env) error {
	repository, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	e.Setenv("PATH", binaries+string(filepath.ListSeparator)+e.Getenv("PATH"))
	e.Setenv("repository", repository)
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
	e.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	e.Setenv("GIT_CONFIG_SYSTEM", "/dev/null")
	sdimage, err := filepath.Abs("../testdata/sdimage")
	if err != nil {
		return err
	}
	e.Setenv("SDIMAGE", sdimage)
	systems := map[string]string{"amd64": "x86_64-linux", "arm64": "aarch64-linux"}
	e.Setenv("system", systems[runtime.GOARCH])
	e.Setenv("board", map[string]string{"amd64": "generic-x86_64", "arm64": "rpi4"}[runtime.GOARCH])
	e.Setenv("othersystem", systems[map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]])
	for _, name := range []string{"operator", "machine", "stranger"} {
		public, err := keyPair(filepath.Join(e.WorkDir, name))
		if err != nil {
			return err
		}
		e.Setenv(name, public)
	}
	return nil
}

// keyPair writes an ssh-ed25519 key to path and path.pub.
func keyPair(path string) (public string, err error) {
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return "", err
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", err
	}
	line := ssh.MarshalAuthorizedKey(key)
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	return string(line[:len(line)-1]), os.WriteFile(path+".pub", line, 0o644)
}

// startSSHD runs a real sshd on 127.0.0.1:PORT with the host key in the file
// KEY, for as long as the script lasts: "sshd PORT KEY". The operator may log
// in as root.
func startSSHD(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sshd PORT KEY")
	}
	work := func(name string) string { return filepath.Join(ts.Getenv("WORK"), name) }
	config := work("sshd_config")
	text := fmt.Sprintf("ListenAddress 127.0.0.1:%s\nHostKey %s\nAuthorizedKeysFile %s\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nPidFile none\nLogLevel VERBOSE\nSetEnv PATH=%s\n",
		args[0], work(args[1]), work("operator.pub"), ts.Getenv("PATH"))
	ts.Check(os.WriteFile(config, []byte(text), 0o600))
	ts.Check(os.MkdirAll("/run/sshd", 0o755))
	server := exec.Command(sshd, "-D", "-f", config, "-E", work("sshd.log"))
	ts.Check(server.Start())
	ts.Defer(func() { server.Process.Kill(); server.Wait() })
	ts.Check(waitForPort(args[0]))
}

func waitForPort(port string) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("nothing listens on port %s", port)
}
