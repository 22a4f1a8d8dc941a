package remote

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
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
// opens one, later calls are sessions of it. Of more than Options.Shared, those
// that were not used for longest are closed, and opened again when they are.
type Connections struct {
	config *Config
	dir    string // private; holds the control sockets
	ending sync.WaitGroup

	mu     sync.Mutex // around the rest, and what a connection says so of
	hosts  map[string]*connection
	opened int // names the sockets
	uses   int // counts, so that the last use of each is known
	closed bool
}

// connection is what is known of one machine.
type connection struct {
	slots   chan struct{} // a place for each session
	opening chan struct{} // held by the call that opens the shared connection

	mu   sync.Mutex
	user string // "" until known

	// Guarded by Connections.mu.
	socket string // of the shared connection that is open or is going to be; "" for none
	users  int    // that use it now
	last   int    // Connections.uses when it was used last
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
		longest := filepath.Join(base, "pistack-0123456789", "0123456789")
		if !filepath.IsAbs(base) || checkDir(base) != nil || len(longest) > maxSocket {
			continue
		}
		if dir, err := os.MkdirTemp(base, "pistack-"); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("/tmp", "pistack-")
}

// Close ends all shared connections and removes the folder. Calls after it fail.
func (cs *Connections) Close() {
	cs.mu.Lock()
	closed := cs.closed
	cs.closed = true
	if !closed {
		for _, c := range cs.hosts { // no call adds one any more
			cs.end(c)
		}
	}
	cs.mu.Unlock()
	cs.ending.Wait()
	os.RemoveAll(cs.dir) // sockets only; what cannot be removed is in a private folder of /run or /tmp
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
		c = &connection{slots: make(chan struct{}, sessions), opening: make(chan struct{}, 1), user: h.User}
		cs.hosts[host] = c
	}
	return c, nil
}

// share gives the socket of a machine's shared connection, which stays until done
// is called. A socket never takes the place of another: what is left of one that
// was closed cannot be mistaken for the next.
func (cs *Connections) share(c *connection) (socket string, done func()) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.socket == "" {
		cs.opened++
		c.socket = filepath.Join(cs.dir, fmt.Sprint(cs.opened))
	}
	c.users++
	return c.socket, sync.OnceFunc(func() { cs.leave(c) })
}

// Connect opens the shared connection of a machine, unless it is open, for one that
// is asked soon. What keeps it from that is said then.
func (cs *Connections) Connect(ctx context.Context, host string) {
	c, err := cs.connection(host)
	if err != nil {
		return
	}
	cs.mu.Lock()
	socket := c.socket
	cs.mu.Unlock()
	if socket == "" || !exists(socket) {
		_, _ = cs.Run(ctx, Call{Host: host, Step: "connecting", Script: "true"})
	}
}

func (cs *Connections) leave(c *connection) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.uses++
	c.users--
	c.last = cs.uses
	for !cs.closed {
		oldest := cs.excess()
		if oldest == nil {
			return
		}
		cs.end(oldest)
	}
}

// excess is the idle connection to close next; nil when there are not too many.
func (cs *Connections) excess() (oldest *connection) {
	open := 0
	for _, c := range cs.hosts {
		if c.socket == "" {
			continue
		}
		open++
		if c.users == 0 && (oldest == nil || c.last < oldest.last) {
			oldest = c
		}
	}
	if most := cs.config.options.Shared; most == 0 || open <= most {
		return nil
	}
	return oldest
}

// end closes the shared connection of a machine, when there is one. Whoever comes
// next opens another. cs.mu is held.
func (cs *Connections) end(c *connection) {
	if socket := c.socket; socket != "" {
		c.socket = ""
		cs.ending.Go(func() { endShared(socket) })
	}
}

// drop ends a shared connection that has failed, unless it is gone already.
func (cs *Connections) drop(c *connection, socket string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.socket == socket {
		cs.end(c)
	}
}

// User says who logs in to a machine.
func (cs *Connections) User(ctx context.Context, host string) (string, error) {
	c, err := cs.connection(host)
	if err != nil {
		return "", err
	}
	return cs.userOf(ctx, host, c)
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

// enter waits for a place, and lets one call at a time open the shared connection
// of a socket: others would each open one of their own. Without a socket nothing is
// shared. It returns what gives the place back.
func (c *connection) enter(ctx context.Context, socket string) (leave func(), err error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if socket == "" || exists(socket) {
		return func() { <-c.slots }, nil
	}
	select {
	case c.opening <- struct{}{}:
	case <-ctx.Done():
		<-c.slots
		return nil, ctx.Err()
	}
	done := make(chan struct{})
	go c.release(socket, done)
	return func() { close(done); <-c.slots }, nil
}

// release lets the next call begin as soon as the shared connection is there, or
// the call that should have opened it is over.
func (c *connection) release(socket string, done <-chan struct{}) {
	defer func() { <-c.opening }()
	for tick := 5 * time.Millisecond; !exists(socket); tick = min(2*tick, 200*time.Millisecond) {
		select {
		case <-done:
			return
		case <-time.After(tick):
		}
	}
}

func exists(socket string) bool {
	_, err := os.Lstat(socket)
	return err == nil
}

// sharing are the options of a call, on top of the configuration.
func sharing(socket string) []string {
	if socket == "" {
		return []string{"-o", "ControlMaster=no", "-o", "ControlPath=none"}
	}
	return []string{"-o", "ControlMaster=auto", "-o", "ControlPath=" + socket, "-o", "ControlPersist=" + persist}
}

// argv is the ssh command line of a call.
func (cs *Connections) argv(host, socket, command string) []string {
	argv := append([]string{"ssh", "-F", cs.config.Path(), "-T"}, sharing(socket)...)
	return append(argv, host, "--", strings.TrimSpace(command))
}
