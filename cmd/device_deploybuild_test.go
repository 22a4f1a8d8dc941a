//go:build device && linux

package cmd_test

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"pistack/internal/dockerlab"
)

// pusher is a maker with a registry, which the Pi reaches too.
type pusher struct {
	*maker
	registry *dockerlab.Registry
	host     string // of the registry, as workstation and Pi name it
}

// TestDeviceDeployBuild: one command builds, pushes, locks and deploys.
func TestDeviceDeployBuild(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	for _, step := range []struct {
		name string
		run  func(t *testing.T, p *pusher)
	}{
		{"what is not locked is built, pushed, locked and deployed", buildsAndDeploys},
		{"what is unchanged is not built", buildsNothing},
		{"a build that fails changes nothing anywhere", failedBuild},
		{"a lock that Git does not track is no obstacle", untrackedLock},
		{"what was built before is generated and deployed", builtBefore},
		{"a lock with a digest that the registry has not is mended", mendedLock},
		{"a lock that cannot be read ends it", unreadableLock},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, p) }) {
			return
		}
	}
}

func newPusher(t *testing.T) *pusher {
	t.Helper()
	p := &pusher{maker: newMaker(t), registry: dockerlab.NewRegistry(t, t.TempDir(), "")}
	listener := listenIn(t, "/run/netns/"+p.prefix+"-net", cmp.Or(os.Getenv("VPI_NET"), "10.98.0")+".1:0")
	p.host = listener.Addr().String()
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: p.registry.Host})
		r.Out.Host = r.In.Host
	}}
	server := &http.Server{Handler: proxy, ErrorLog: log.New(io.Discard, "", 0)} // clients try https first
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	// The registry speaks no TLS; both sides are told.
	p.sshStdin(t, watched, fmt.Sprintf(`{"insecure-registries": [%q]}`, p.host), "cat >/etc/docker/daemon.json && systemctl reload docker")
	p.writeFleet(t, "fleet.toml", fmt.Appendf(p.readFleet(t, "fleet.toml"), "\n[registry]\nimages = \"%s/me\"\ninsecure = [%q]\n", p.host, p.host))
	p.commitFiles(t)
	return p
}

// deployBuild deploys with --build, and gives what it said.
func (p *pusher) deployBuild(t *testing.T, status int) string {
	t.Helper()
	return p.pistack(t, status, p.deployArgs("--build")...)
}

// wantLocked: the lock has what the Pi is to run, and Git knows both files.
func (p *pusher) wantLocked(t *testing.T) {
	t.Helper()
	lock := string(p.readFleet(t, chatLock))
	for _, service := range makerServices {
		reference, sum, _ := strings.Cut(p.image(t, service), "@")
		if !strings.HasPrefix(reference, p.host+"/me/chat-"+service+":") || !strings.Contains(lock, fmt.Sprintf("reference = %q\ndigest = %q\n", reference, sum)) {
			t.Errorf("%s runs %s, locked is\n%s", service, p.image(t, service), lock)
		}
	}
	if got := string(p.command(t, "git", "ls-files", "--", chatLock, chatOverride).output(t)); got != chatOverride+"\n"+chatLock+"\n" {
		t.Errorf("Git tracks %q", got)
	}
	if got := string(p.command(t, "git", "diff", "--name-only").output(t)); got != "" {
		t.Errorf("not added: %s", got)
	}
}

// pushed counts what was sent to the registry since it was asked last. Whether it
// would take a push is asked with a POST.
func (p *pusher) pushed() int { return p.registry.Asked("PUT", "PATCH") }

// wantBuilt checks which services a command built.
func wantBuilt(t *testing.T, out string, services ...string) {
	t.Helper()
	for _, service := range makerServices {
		built := strings.Contains(out, "chat/"+service+" "+platform()+" | ")
		wanted := strings.Contains(strings.Join(services, " "), service)
		if built != wanted {
			t.Errorf("%s was built is %t, want %t:\n%s", service, built, wanted, out)
		}
	}
}

func buildsAndDeploys(t *testing.T, p *pusher) {
	wantLine(t, p.pistack(t, 1, p.deployArgs()...), `^  hint: pistack build chat --push$`)
	out := p.deployBuild(t, 0)
	wantBuilt(t, out, "web", "worker")
	wantLine(t, out, `^chat/web: pushed `+regexp.QuoteMeta(p.host)+`/me/chat-web:[0-9a-f]{32}$`)
	wantLine(t, out, `^\d+ files written; commit them when the deploy is as you want it$`)
	wantLine(t, out, `^rpi-box-01 +deployed +1 `)
	p.wantLocked(t)
	p.wantRuns(t)
	if left := p.engine.Docker("image", "ls", "--quiet"); left != "" {
		t.Errorf("names are left in the engine: %s", left)
	}
	p.commitFiles(t)
}

// buildsNothing: what was deployed is committed now, and its receipt says so.
func buildsNothing(t *testing.T, p *pusher) {
	here, containers := p.here(t), p.containers(t, watched)
	p.pushed()
	out := p.deployBuild(t, 0)
	wantBuilt(t, out)
	wantLine(t, out, `^chat/web: unchanged `)
	wantLine(t, out, `^rpi-box-01 +recorded `)
	if n := p.pushed(); n > 0 || p.here(t) != here || p.containers(t, watched) != containers {
		t.Errorf("%d requests that push; here\n%s\nwas\n%s", n, p.here(t), here)
	}
}

// failedBuild: of two services the first can be built, and the second one not. Old
// engines do not say which line it was.
func failedBuild(t *testing.T, p *pusher) {
	p.page(t, "web", "2")
	p.writeFleet(t, "stacks/chat/worker/Dockerfile", []byte("FROM scratch\nCOPY nothing /\n"))
	p.commitFiles(t)
	here, old := p.here(t), p.state(t)
	p.pushed()
	out := p.deployBuild(t, 1)
	wantBuilt(t, out, "web", "worker")
	wantLine(t, out, `^pistack: stacks/chat/worker/Dockerfile(:2)?: chat/worker `+platform()+`: the build failed \(docker: exit status 1\)$`)
	wantLine(t, out, `^  hint: see the lines above; the command was: .*docker buildx build `)
	if n := p.pushed(); n > 0 || p.here(t) != here {
		t.Errorf("%d requests that push; here\n%s\nwas\n%s", n, p.here(t), here)
	}
	p.wantState(t, old)
	p.writeFleet(t, "stacks/chat/worker/Dockerfile", []byte(makerDockerfile))
	p.commitFiles(t)
}

func untrackedLock(t *testing.T, p *pusher) {
	p.command(t, "git", "rm", "-q", "--cached", chatLock).output(t)
	out := p.deployBuild(t, 0)
	wantLine(t, out, `^chat/web: pushed `)
	wantLine(t, out, `^chat/worker: unchanged `)
	wantLine(t, out, `^rpi-box-01 +deployed `)
	p.wantLocked(t)
	p.wantRuns(t)
	p.commitFiles(t)
}

// builtBefore is where a run that was interrupted after it had locked leaves off.
func builtBefore(t *testing.T, p *pusher) {
	p.page(t, "web", "3")
	p.commitFiles(t)
	p.pistack(t, 0, "build", "--push")
	wantLine(t, p.pistack(t, 1, p.deployArgs()...), `^  hint: pistack generate rpi-box-01 && git add hosts/rpi-box-01$`)
	p.pushed()
	out := p.deployBuild(t, 0)
	wantBuilt(t, out)
	wantLine(t, out, `^chat/web: unchanged `)
	wantLine(t, out, `^rpi-box-01 +deployed `)
	if n := p.pushed(); n > 0 {
		t.Errorf("%d requests that push", n)
	}
	p.wantLocked(t)
	p.wantRuns(t)
	p.commitFiles(t)
}

// mendedLock: an edit by hand is not taken for what was built.
func mendedLock(t *testing.T, p *pusher) {
	here := p.here(t)
	reference, sum, _ := strings.Cut(p.image(t, "web"), "@")
	replaced(chatLock, sum, "sha256:"+strings.Repeat("0", 64))(t, p.lab)
	out := p.deployBuild(t, 0)
	wantBuilt(t, out)
	wantLine(t, out, `^chat/web: found `+regexp.QuoteMeta(reference)+`$`)
	wantLine(t, out, `^rpi-box-01 +(unchanged|recorded) `)
	p.wantLocked(t)
	p.writeFleet(t, chatLock, regexp.MustCompile(`date = .*`).ReplaceAll(p.readFleet(t, chatLock), []byte("date = X")))
	committed := p.command(t, "git", "show", "HEAD:"+chatLock).output(t)
	if now := string(p.readFleet(t, chatLock)); now != regexp.MustCompile(`date = .*`).ReplaceAllString(string(committed), "date = X") {
		t.Errorf("the lock is\n%s\nwas\n%s", now, committed)
	}
	p.command(t, "git", "checkout", "-q", "HEAD", "--", ".").output(t)
	if now := p.here(t); now != here {
		t.Errorf("here\n%s\nwas\n%s", now, here)
	}
}

func unreadableLock(t *testing.T, p *pusher) {
	p.page(t, "web", "4")
	p.writeFleet(t, chatLock, append([]byte("<<<<<<< HEAD\n"), p.readFleet(t, chatLock)...))
	here, old := p.here(t), p.state(t)
	p.pushed()
	out := p.deployBuild(t, 1)
	wantBuilt(t, out)
	wantLine(t, out, `^stacks/chat/images\.lock:1:1: error: `)
	wantLine(t, out, `nothing was built$`)
	if n := p.pushed(); n > 0 || p.here(t) != here {
		t.Errorf("%d requests that push; here\n%s\nwas\n%s", n, p.here(t), here)
	}
	p.wantState(t, old)
}
