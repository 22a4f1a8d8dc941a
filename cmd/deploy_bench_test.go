//go:build bench

package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pistack/internal/fleettest"
)

// TestBenchDeploy prints the table of "make bench-deploy". It fails only when
// something does not work; whether a wish is met is in the table.
func TestBenchDeploy(t *testing.T) {
	hosts := 200
	if text := os.Getenv("BENCH_HOSTS"); text != "" {
		hosts, _ = strconv.Atoi(text)
	}
	var rows []string
	add := func(format string, args ...any) { rows = append(rows, fmt.Sprintf(format, args...)) }
	add("| what | pistack | beside | ratio | wanted | met |\n| --- | --- | --- | --- | --- | --- |")
	t.Run("one", func(t *testing.T) { benchOne(t, add) })
	t.Run("many", func(t *testing.T) { benchMany(t, hosts, add) })
	t.Logf("\n%s", strings.Join(rows, "\n"))
}

type adder func(format string, args ...any)

// shortest runs each of several in turn, and gives the least time of each.
func shortest(t *testing.T, n int, all ...func() *exec.Cmd) []time.Duration {
	t.Helper()
	least := make([]time.Duration, len(all))
	for round := range n {
		for i, make := range all {
			cmd := make()
			begun := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
			}
			if took := time.Since(begun); round == 0 || took < least[i] {
				least[i] = took
			}
		}
	}
	return least
}

func met(yes bool) string {
	if yes {
		return "yes"
	}
	return "MISSED"
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0f ms", d.Seconds()*1000) }

// benchOne deploys to one host again and again, another system each time.
func benchOne(t *testing.T, add adder) {
	l, hosts := take(t, 1)
	h, turn := hosts[0], 0
	pistack := filepath.Join(binaries, "pistack")
	l.next(t, h)
	l.must(t, pistack, "plan", h.Name) // writes the ssh configuration
	config := l.config(t, h)
	next := func() { turn++; l.ws.Want(t, h.Name, web(h, fmt.Sprint("bench", turn))) }
	with := func(timing string, args ...string) func() *exec.Cmd {
		return func() *exec.Cmd {
			next()
			cmd := l.command(append([]string{pistack, "deploy", "--yes", h.Name}, args...)...)
			cmd.Env = append(cmd.Env, "PISTACK_TIMING="+timing)
			return cmd
		}
	}
	const usual = "deadline=3m" // nothing changed
	took := shortest(t, 7,
		func() *exec.Cmd {
			next()
			cmd := l.command("nixos-rebuild", "switch", "--no-reexec", "--flake", ".#"+h.Name, "--target-host", h.Name)
			cmd.Env = append(cmd.Env, "NIX_SSHOPTS=-F "+config)
			return cmd
		},
		with(usual, "--no-gate"),
		with(usual, "--gate-window", "0s"),
		with(usual),
	)
	for i, what := range []string{"--no-gate", "--gate-window 0s", "as it is, with a window of 10 s"} {
		ratio := took[i+1].Seconds() / took[0].Seconds()
		wanted, verdict := "-", "-"
		if i == 0 {
			wanted, verdict = "at most 1.15 times as long", met(ratio <= 1.15)
		}
		add("| deploy of 1 host, %s | %s | nixos-rebuild switch --flake: %s | %.2f times as long, %s more | %s | %s |", what, ms(took[i+1]), ms(took[0]), ratio, ms(took[i+1]-took[0]), wanted, verdict)
	}
}

// benchMany looks at a large fleet that is as it should be, and deploys to it.
func benchMany(t *testing.T, n int, add adder) {
	l := newDeployLab(t, n)
	half := l.Hosts[:n/2]
	for _, h := range l.Hosts {
		h.Shell(t, strings.Join([]string{"nix-env -p /nix/var/nix/profiles/system --set " + h.Install(t, web(h, "old")), fleettest.Path(web(h, "old")) + "/bin/switch-to-configuration test"}, " && "))
		l.ws.Want(t, h.Name, web(h, "old"))
	}
	pistack := filepath.Join(binaries, "pistack")
	l.must(t, append([]string{pistack, "plan"}, names(half)...)...)
	config := l.config(t, half[0])
	took := shortest(t, 3,
		func() *exec.Cmd {
			return l.command("sh", "-c", "printf '%s\\n' "+strings.Join(names(half), " ")+" | xargs -P 10 -I HOST ssh -F "+config+" HOST true")
		},
		func() *exec.Cmd {
			return l.command(append([]string{pistack, "deploy", "--yes", "--parallel", "10", "--eval-jobs", "10"}, names(half)...)...)
		},
		func() *exec.Cmd {
			return l.command("sh", "-c", "printf '%s\\n' "+strings.Join(names(half), " ")+
				` | xargs -P 10 -I HOST sh -c 'nix-store --query --outputs "$(nix path-info --derivation ".#nixosConfigurations.\"HOST\".config.system.build.toplevel")"'`)
		},
	)
	ratio := took[1].Seconds() / took[0].Seconds()
	add("| %d unchanged hosts, --parallel 10 | %s | %d times ssh HOST true, 10 at once: %s | %.2f times as long | at most 1.1 times as long | %s |", len(half), ms(took[1]), len(half), ms(took[0]), ratio, met(ratio <= 1.1))
	both := took[0] + took[2]
	add("| the same | %s | that, and the evaluations by the same stand-ins: %s + %s | %.2f times as long | - | - |", ms(took[1]), ms(took[0]), ms(took[2]), took[1].Seconds()/both.Seconds())

	for _, h := range l.Hosts {
		l.ws.Want(t, h.Name, web(h, "new"))
	}
	cmd := l.command(append([]string{pistack, "deploy", "--yes", "--gate-window", "0s"}, names(l.Hosts)...)...)
	cmd.Stderr = nil
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	most := observe(cmd.Process.Pid, cmd.Wait)
	if most.err != nil {
		t.Fatal(most.err)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	what := fmt.Sprintf("deploy of %d changed hosts, --parallel 10, %s", n, time.Since(begun).Round(time.Second))
	add("| %s: peak memory | %.0f MiB | - | - | under 300 MB | %s |", what, float64(usage.Maxrss)/1024, met(usage.Maxrss < 300*1000*1000/1024))
	add("| the same: most file descriptors | %d | - | - | bounded by --parallel and the log files | %s |", most.files, met(most.files < 1024))
	add("| the same: most child processes, their children too | %d | - | - | bounded by --parallel | %s |", most.children, met(most.children < 150))
	add("| the same: most shared ssh connections | %d | - | - | 3 × --parallel, and those that are ending | %s |", most.shared, met(most.shared <= 45))
}

func names(hosts []*fleettest.Host) []string {
	var all []string
	for _, h := range hosts {
		all = append(all, h.Name)
	}
	return all
}

// observed is the most that a process had at a time.
type observed struct {
	files, children, shared int
	err                     error
}

// observe looks at a process until wait returns.
func observe(pid int, wait func() error) (most observed) {
	done := make(chan error, 1)
	var group sync.WaitGroup
	group.Go(func() { done <- wait() })
	defer group.Wait()
	for {
		select {
		case most.err = <-done:
			return most
		case <-time.After(250 * time.Millisecond):
			files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
			children, shared := processesOf(pid)
			most.files, most.children, most.shared = max(most.files, len(files)), max(most.children, children), max(most.shared, shared)
		}
	}
}

// processesOf counts the processes below one, and those that hold a shared ssh
// connection open, which are nobody's children.
func processesOf(pid int) (below, shared int) {
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || len(fields) < 2 {
			continue
		}
		parents[child], _ = strconv.Atoi(fields[1])
		if line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline")); strings.HasPrefix(string(line), "ssh: ") && strings.Contains(string(line), "/pistack-") {
			shared++
		}
	}
	for child := range parents {
		for p := parents[child]; p > 1; p = parents[p] {
			if p == pid {
				below++
				break
			}
		}
	}
	return below, shared
}
