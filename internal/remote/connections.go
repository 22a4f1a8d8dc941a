package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"pistack/internal/run"
)

const (
	// maxSocket is the longest path of a control socket in bytes: 104 on macOS
	// with its end, less the 17 that ssh adds to the name until it listens.
	maxSocket = 103 - 17
	// sessions is how many scripts run on one machine at a time: below the 10
	// that sshd allows on a connection.
	sessions = 6
	// persist is how long a shared connection outlives a run that was killed.
	persist = "60"
)

// Connections are the shared connections of one run: the first call to a machine
// opens one, later calls are sessions of it.
type Connections struct {
	config *Config
	dir    string // private; holds the control sockets
	mu     sync.Mutex
	hosts  map[string]*connection
	closed bool
}

// connection is what is known of one machine.
type connection struct {
	socket  string
	slots   chan struct{} // a place for each session
	opening chan struct{} // held by the call that opens the shared connection
	mu      sync.Mutex
	user    string // "" until known
}

// Open makes the private folder for control sockets. The configuration has to be
// written before the first call. Close removes the folder.
func (c *Config) Open() (*Connections, error) {
	dir, err := socketFolder(c.options.RuntimeDir)
	if err != nil {
		return nil, fmt.Errorf("folder for shared ssh connections: %w", err)
	}
	return &Connections{config: c, dir: dir, hosts: map[string]*connection{}}, nil
}

// socketFolder makes a folder that only this user can enter, and whose path is
// short enough for a socket in it, and plain enough for ssh.
func socketFolder(runtime string) (string, error) {
	for _, base := range []string{runtime, os.TempDir()} {
		longest := filepath.Join(base, "pistack-0123456789", socketName(""))
		if !filepath.IsAbs(base) || checkDir(base) != nil || len(longest) > maxSocket {
			continue
		}
		if dir, err := os.MkdirTemp(base, "pistack-"); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("/tmp", "pistack-")
}

// socketName is short whatever the host's name is.
func socketName(host string) string {
	sum := sha256.Sum256([]byte(host))
	return hex.EncodeToString(sum[:8])
}

// Close ends all shared connections and removes the folder. Calls after it fail.
func (cs *Connections) Close() {
	cs.mu.Lock()
	closed := cs.closed
	cs.closed = true
	cs.mu.Unlock()
	if closed {
		return
	}
	var wait sync.WaitGroup
	gate := make(chan struct{}, 16)
	for host, c := range cs.hosts { // no call adds one any more
		wait.Go(func() {
			gate <- struct{}{}
			cs.drop(host, c)
			<-gate
		})
	}
	wait.Wait()
	os.RemoveAll(cs.dir) // sockets only; what cannot be removed is in a private folder of /run or /tmp
}

// drop ends the shared connection of a machine, when there is one.
func (cs *Connections) drop(host string, c *connection) {
	if _, err := os.Lstat(c.socket); err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// It fails when the connection is gone by itself, which is as good.
	_, _ = run.Output(ctx, run.Command{Argv: []string{"ssh", "-F", cs.config.Path(), "-o", "ControlPath=" + c.socket, "-O", "exit", host}, OwnGroup: true})
	os.Remove(c.socket)
}

// connection finds or makes the entry of a machine.
func (cs *Connections) connection(host string) (*connection, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	h, ok := cs.config.hosts[host]
	if !ok {
		return nil, &Error{Host: host, Message: fmt.Sprintf("%s: not a host of this ssh configuration", host)}
	}
	if cs.closed {
		return nil, &Error{Host: host, Message: fmt.Sprintf("%s: the run's connections are closed", host)}
	}
	c, ok := cs.hosts[host]
	if !ok {
		c = &connection{socket: filepath.Join(cs.dir, socketName(host)), slots: make(chan struct{}, sessions), opening: make(chan struct{}, 1), user: h.User}
		cs.hosts[host] = c
	}
	return c, nil
}

// userOf says who logs in; ssh is asked when the repository does not say.
func (cs *Connections) userOf(ctx context.Context, host string, c *connection) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user != "" {
		return c.user, nil
	}
	settings, err := cs.config.Resolve(ctx, host)
	if err != nil {
		return "", err
	}
	c.user = settings.User
	return c.user, nil
}

// enter waits for a place, and lets one call at a time open the shared
// connection: others would each open one of their own. It returns what gives the
// place back.
func (c *connection) enter(ctx context.Context, fresh bool) (leave func(), err error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if fresh || c.open() {
		return func() { <-c.slots }, nil
	}
	select {
	case c.opening <- struct{}{}:
	case <-ctx.Done():
		<-c.slots
		return nil, ctx.Err()
	}
	done := make(chan struct{})
	go c.release(done)
	return func() { close(done); <-c.slots }, nil
}

// release lets the next call begin as soon as the shared connection is there, or
// the call that should have opened it is over.
func (c *connection) release(done <-chan struct{}) {
	defer func() { <-c.opening }()
	for tick := 5 * time.Millisecond; !c.open(); tick = min(2*tick, 200*time.Millisecond) {
		select {
		case <-done:
			return
		case <-time.After(tick):
		}
	}
}

func (c *connection) open() bool {
	_, err := os.Lstat(c.socket)
	return err == nil
}

// options are those of one call, on top of the configuration.
func (c *connection) options(fresh bool) []string {
	if fresh {
		return []string{"-o", "ControlMaster=no", "-o", "ControlPath=none"}
	}
	return []string{"-o", "ControlMaster=auto", "-o", "ControlPath=" + c.socket, "-o", "ControlPersist=" + persist}
}

// argv is the ssh command line of a call.
func (cs *Connections) argv(c *connection, call Call, command string) []string {
	argv := append([]string{"ssh", "-F", cs.config.Path(), "-T"}, c.options(call.Fresh)...)
	return append(argv, call.Host, "--", strings.TrimSpace(command))
}
