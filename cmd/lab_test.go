//go:build device

package cmd_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// lab is a workstation with a copy of the example fleet, and virtual Pis.
type lab struct {
	work   string            // temporary folder: fleet, keys, state
	fleet  string            // the copy of the repository
	env    []string          // of every command
	script string            // testdata/vpi/vpi
	prefix string            // of the names of its virtual Pis; another in every test
	log    bytes.Buffer      // what deploys, pisec and pistack printed
	values map[string]string // current value of each secret
	typed  []string          // a telling part of every value ever given to pisec
	traces int               // how many commands were traced
}

// machine is a virtual Pi that plays a host of the example fleet.
type machine struct{ number, host, stack string }

func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("virtual Pis need root")
	}
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	name := strings.ToLower(strings.TrimPrefix(t.Name(), "TestDevice"))
	l := &lab{prefix: strings.TrimSuffix(cmp.Or(os.Getenv("VPI_PREFIX"), "test")+"-"+name, "-"), work: work, fleet: filepath.Join(work, "fleet"), values: map[string]string{}, script: filepath.Join(repository, "testdata/vpi/vpi")}
	l.env = append(os.Environ(),
		"HOME="+work, "TMPDIR="+filepath.Join(work, "tmp"), "XDG_STATE_HOME="+filepath.Join(work, "state"), "VPI_PREFIX="+l.prefix, "VPI_NET="+cmp.Or(os.Getenv("VPI_NET"), "10.98.0"), "VPI="+vpiFolder(),
		"PATH="+binaries+":"+os.Getenv("PATH")+":"+filepath.Join(repository, "testdata/vpi"),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"NIX_CONFIG=experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\nsubstitute = false\nwarn-dirty = false")
	if err := os.Mkdir(filepath.Join(work, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	l.copyFleet(t, repository)
	l.vpi(t, "clean")
	t.Cleanup(func() { l.vpi(t, "clean") })
	return l
}

// vpiFolder is where testdata/vpi keeps its tree, whatever HOME is here.
func vpiFolder() string {
	if dir := os.Getenv("VPI"); dir != "" {
		return dir
	}
	if cache := os.Getenv("XDG_CACHE_HOME"); cache != "" {
		return filepath.Join(cache, "pistack-vpi")
	}
	return "/var/tmp/pistack-vpi"
}

// copyFleet copies what Git tracks or would track, puts the virtual Pis' flake
// in place, and makes an operator.
func (l *lab) copyFleet(t *testing.T, repository string) {
	t.Helper()
	files, err := exec.Command("git", "-C", repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range strings.FieldsFunc(string(files), func(r rune) bool { return r == 0 }) {
		data, err := os.ReadFile(filepath.Join(repository, file))
		if os.IsNotExist(err) {
			continue // deleted in the work tree
		}
		if err != nil {
			t.Fatal(err)
		}
		l.writeFleet(t, file, data)
	}
	for _, file := range []string{"flake.nix", "flake.lock"} {
		l.writeFleet(t, file, l.readFleet(t, "testdata/vpi/system/"+file))
	}
	operator, err := keyPair(filepath.Join(l.work, "operator"))
	if err != nil {
		t.Fatal(err)
	}
	l.writeFleet(t, "fleet.toml", []byte("operators = [\""+operator+"\"]\n"))
	pisec, err := os.ReadFile(filepath.Join(binaries, "pisec"))
	if err != nil {
		t.Fatal(err)
	}
	l.writeFleet(t, "testdata/vpi/system/bin/pisec", pisec)
	l.chmod(t, "testdata/vpi/system/bin/pisec")
	l.command(t, "git", "init", "-q", "-b", "main").output(t)
	l.command(t, "git", "add", "--all").output(t)
}

func (l *lab) readFleet(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.fleet, file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (l *lab) writeFleet(t *testing.T, file string, data []byte) {
	t.Helper()
	path := filepath.Join(l.fleet, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) chmod(t *testing.T, file string) {
	t.Helper()
	if err := os.Chmod(filepath.Join(l.fleet, file), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) command(t *testing.T, argv ...string) command {
	t.Helper()
	if full, err := exec.LookPath(filepath.Join(binaries, argv[0])); err == nil {
		argv[0] = full
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = l.fleet, l.env
	return command{cmd, &l.log}
}

// traced is a command whose processes leave a record of their arguments and
// environments in the work folder, where noPlaintext looks.
func (l *lab) traced(t *testing.T, argv ...string) command {
	t.Helper()
	l.traces++
	c := l.command(t, argv...)
	record := filepath.Join(l.work, fmt.Sprintf("exec-%d.trace", l.traces))
	return l.command(t, append([]string{"strace", "--seccomp-bpf", "-f", "-qq", "-v", "-s", "100000", "-e", "trace=execve", "-e", "signal=none", "-o", record}, c.Args...)...)
}

func (l *lab) vpi(t *testing.T, args ...string) string {
	t.Helper()
	c := l.command(t, append([]string{l.script}, args...)...)
	return strings.TrimRight(string(c.output(t)), "\n")
}

func (l *lab) ssh(t *testing.T, m machine, script string) string {
	t.Helper()
	return l.vpi(t, "ssh", m.number, script)
}

func (l *lab) sshStdin(t *testing.T, m machine, stdin, script string) string {
	t.Helper()
	c := l.command(t, l.script, "ssh", m.number, script)
	c.Stdin = strings.NewReader(stdin)
	return strings.TrimRight(string(c.output(t)), "\n")
}

// info is a line of "vpi info".
func (l *lab) info(t *testing.T, m machine, key string) string {
	t.Helper()
	for _, line := range strings.Split(l.vpi(t, "info", m.number), "\n") {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			return value
		}
	}
	t.Fatalf("vpi info %s has no %s", m.number, key)
	return ""
}

// boot starts a virtual Pi with the images of its stack, and makes it the host:
// address, architecture, pinned key, and none of the example's secrets.
func (l *lab) boot(t *testing.T, m machine) {
	t.Helper()
	l.join(t, m)
	l.vpi(t, "images", m.number, l.app(t), filepath.Join(l.fleet, "stacks", m.stack))
}

// join is boot without images.
func (l *lab) join(t *testing.T, m machine) {
	t.Helper()
	l.vpi(t, "up", m.number)
	key, err := os.ReadFile(l.info(t, m, "host_key_file"))
	if err != nil {
		t.Fatal(err)
	}
	dir := "hosts/" + m.host
	l.writeFleet(t, dir+"/ssh_host_ed25519_key.pub", key)
	toml := l.readFleet(t, dir+"/host.toml")
	toml = regexp.MustCompile(`(?m)^address .*`).ReplaceAll(toml, []byte(`address = "`+l.info(t, m, "address")+`"`))
	system := map[string]string{"amd64": "x86_64-linux", "arm64": "aarch64-linux"}[runtime.GOARCH]
	toml = regexp.MustCompile(`(?m)^system.*`).ReplaceAll(toml, []byte(`system = "`+system+`"`))
	board := map[string]string{"amd64": "generic-x86_64", "arm64": "rpi4"}[runtime.GOARCH]
	toml = regexp.MustCompile(`(?m)^board.*`).ReplaceAll(toml, []byte(`board = "`+board+`"`))
	l.writeFleet(t, dir+"/host.toml", toml)
	if err := os.RemoveAll(filepath.Join(l.fleet, dir, "secrets")); err != nil {
		t.Fatal(err)
	}
}

// app builds the program that the stand-in images hold.
func (l *lab) app(t *testing.T) string {
	t.Helper()
	path := filepath.Join(l.work, "app")
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", path, "pistack/testdata/vpi/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// addSecret types a new random value.
func (l *lab) addSecret(t *testing.T, m machine, name string) {
	t.Helper()
	telling := randomText(t)
	value := telling + "-$HOME-\"q\""
	c := l.traced(t, "pisec", "add", "--replace", m.host, name)
	c.Stdin = strings.NewReader(value)
	if out, err := c.combined(); err != nil {
		t.Fatalf("pisec add: %v\n%s", err, out)
	}
	l.values[name] = value
	l.typed = append(l.typed, telling)
}

// commit generates and commits, as a person would.
func (l *lab) commit(t *testing.T, m machine) {
	t.Helper()
	if out, err := l.traced(t, "pistack", "generate", m.host).combined(); err != nil {
		t.Fatalf("pistack generate: %v\n%s", err, out)
	}
	l.commitFiles(t)
}

// commitFiles commits what has changed, if anything has.
func (l *lab) commitFiles(t *testing.T) {
	t.Helper()
	l.command(t, "git", "add", "--all").output(t)
	l.command(t, "sh", "-c", "git diff --cached --quiet || git -c user.name=t -c user.email=t@example.org commit -q -m change").output(t)
}

// tryDeploy commits and deploys.
func (l *lab) tryDeploy(t *testing.T, m machine, options ...string) (string, error) {
	t.Helper()
	l.commit(t, m)
	argv := []string{l.script, "in", "pistack", "deploy", m.host, "--yes", "--gate-window", "1s", "--identity-file", filepath.Join(vpiFolder(), "id")}
	return l.traced(t, append(argv, options...)...).combined()
}

func (l *lab) deploy(t *testing.T, m machine, options ...string) string {
	t.Helper()
	out, err := l.tryDeploy(t, m, options...)
	if err != nil {
		t.Fatalf("deploy: %v\n%s", err, out)
	}
	return out
}

func (l *lab) failedDeploy(t *testing.T, m machine) string {
	t.Helper()
	out, err := l.tryDeploy(t, m)
	if err == nil {
		t.Fatalf("the deploy did not fail:\n%s", out)
	}
	return out
}

func (l *lab) containers(t *testing.T, m machine) string {
	t.Helper()
	return l.ssh(t, m, "docker ps --no-trunc --format '{{.Label \"com.docker.compose.service\"}} {{.ID}}' | sort")
}

func (l *lab) containerID(t *testing.T, m machine, service string) string {
	t.Helper()
	return l.ssh(t, m, "docker ps -q --filter label=com.docker.compose.service="+service)
}

// wantEnv checks that the running container has the value that was typed last.
func (l *lab) wantEnv(t *testing.T, name string) {
	t.Helper()
	l.wantEnvOf(t, chat, name)
}

func (l *lab) wantEnvOf(t *testing.T, m machine, name string) {
	t.Helper()
	got := l.ssh(t, m, "docker exec "+l.containerID(t, m, "open-webui")+" app sha256 env OPENAI_API_KEY")
	if got != digest(l.values[name]) {
		t.Fatalf("the container does not have the %s that was typed", name)
	}
}

// wantNowhere searches regular files below dir for every value ever typed. A
// virtual Pi's own files are the device, not the workstation.
func (l *lab) wantNowhere(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if path == vpiFolder() {
			return filepath.SkipDir
		}
		if err != nil || !e.Type().IsRegular() {
			return nil // gone meanwhile, or no content
		}
		if info, err := e.Info(); err != nil || info.Size() > 32<<20 {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, secret := range l.typed {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("plaintext in %s", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
