package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// machines are hosts that a command reaches over ssh. Close them after use.
type machines struct {
	state       string // the fleet's folder below the user's state directory
	config      *remote.Config
	connections *remote.Connections
	unpinned    map[string]error // hosts that ssh cannot be told of, and why
}

func identityFlag() ucli.Flag {
	return &ucli.PathFlag{Name: "identity-file", Aliases: []string{"i"}, EnvVars: []string{"PISTACK_SSH_IDENTITY"}, Usage: "ssh with the private key in `FILE`"}
}

func parallelFlag() ucli.Flag {
	return &ucli.IntFlag{Name: "parallel", Value: 10, Usage: "work on `N` hosts at once"}
}

// selectHosts reads the fleet and takes the hosts that the arguments mean, all
// of them without any.
func selectHosts(c *ucli.Context) (*fleet.Fleet, []fleet.Host, error) {
	f, err := cli.LoadFleet(c)
	if err != nil {
		return nil, nil, err
	}
	hosts, err := f.Select(c.Args().Slice())
	if err == nil && len(hosts) == 0 {
		err = &fleet.Problem{Message: "this fleet has no hosts", Fix: "pistack host add NAME --board rpi4 --address ADDRESS"}
	}
	return f, hosts, err
}

// openMachines writes the ssh configuration in which only the pinned keys of
// the hosts will do. Nothing is connected to yet.
func openMachines(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) (*machines, error) {
	return openMachinesWithin(c, f, hosts, 0)
}

// sharedPerHost is how many connections stay open for each host that is worked on
// at once: each work of some steps then finds its own open.
const sharedPerHost = 3

// openMachinesWithin is openMachines with a limit for each thing that is asked of
// them; 0 for the usual one.
func openMachinesWithin(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host, limit time.Duration) (*machines, error) {
	reached, unpinned := remoteHosts(hosts)
	state, err := stateDir(f.Root)
	if err != nil {
		return nil, err
	}
	options := remote.Options{Dir: state, Limit: limit, Shared: sharedPerHost * c.Int("parallel"), RuntimeDir: os.Getenv("XDG_RUNTIME_DIR")}
	if options.IdentityFile, err = identityFile(c); err != nil {
		return nil, err
	}
	if home, err := os.UserHomeDir(); err == nil {
		options.UserConfig = filepath.Join(home, ".ssh", "config")
	}
	config, err := remote.NewConfig(reached, options)
	if err != nil {
		return nil, err
	}
	if err := config.Write(); err != nil {
		return nil, fmt.Errorf("generated ssh configuration: %w", err)
	}
	connections, err := config.Open()
	if err != nil {
		return nil, err
	}
	return &machines{state: state, config: config, connections: connections, unpinned: unpinned}, nil
}

// remoteHosts are the hosts that ssh can be told of. One whose key is not pinned
// is not among them, and keeps no other from being reached.
func remoteHosts(hosts []fleet.Host) (reached []remote.Host, unpinned map[string]error) {
	unpinned = map[string]error{}
	for _, h := range hosts {
		key, err := h.PublicKey()
		r := remote.Host{Name: h.Name, Address: h.Address, User: h.SSH.User, Port: h.SSH.Port, PublicKey: key}
		if err == nil {
			err = r.Check()
		}
		if err != nil {
			unpinned[h.Name] = err
			continue
		}
		reached = append(reached, r)
	}
	return reached, unpinned
}

func identityFile(c *ucli.Context) (string, error) {
	file := c.Path("identity-file")
	if file == "" {
		return "", nil
	}
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("--identity-file: %w", err)
	}
	return filepath.Abs(file)
}

// machine is a host; nothing is asked of it yet, and of one that is not pinned
// nothing ever will be.
func (m *machines) machine(host string) target.Machine {
	if err := m.unpinned[host]; err != nil {
		return target.New(silent{err}, host)
	}
	return target.New(m.connections, host)
}

// silent is the way to a machine that there is none to.
type silent struct{ why error }

func (s silent) Run(context.Context, remote.Call) ([]byte, error) { return nil, s.why }

// Close ends all connections.
func (m *machines) Close() { m.connections.Close() }

// stateDir is the fleet's folder below the user's state directory. Two clones
// of a fleet do not share one.
func stateDir(root string) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) { // unset, or to be ignored by the XDG specification
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errors.New("neither XDG_STATE_HOME nor HOME is set: there is no place for the generated ssh configuration")
		}
		base = filepath.Join(home, ".local", "state")
	}
	sum := sha256.Sum256([]byte(root))
	return filepath.Join(base, "pistack", hex.EncodeToString(sum[:6])), nil
}
