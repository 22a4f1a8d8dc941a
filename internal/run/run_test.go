package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"pistack/internal/run"
)

// The tests run this very binary as their child, so that it behaves the same on
// every machine.
const childVariable = "PISTACK_RUN_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	os.Exit(child(os.Args[1:]))
}

// child plays one part of a child process.
func child(args []string) int {
	switch args[0] {
	case "exit":
		fmt.Println("out 1")
		fmt.Fprint(os.Stderr, "err 1\r\n") // as ssh does
		var code int
		fmt.Sscan(args[1], &code)
		return code
	case "lines":
		for i := range 50 {
			fmt.Printf("line %d\n", i)
		}
		return 1
	case "stderr lines":
		for i := range 50 {
			fmt.Fprintf(os.Stderr, "line %d\n", i)
		}
		return 1
	case "text":
		fmt.Print(args[1])
	case "huge": // 100 MB, in lines of 1 MB or without any
		chunk := bytes.Repeat([]byte{'x'}, 1<<20)
		if args[1] == "lines" {
			chunk[len(chunk)-1] = '\n'
		}
		for range 100 {
			if _, err := os.Stdout.Write(chunk); err != nil {
				return 9
			}
		}
	case "environment":
		dir, _ := os.Getwd()
		fmt.Println(os.Getenv("LC_ALL"), os.Getenv("OURS"), dir)
	case "copy":
		var in bytes.Buffer
		in.ReadFrom(os.Stdin)
		fmt.Print(in.String())
	case "wait": // for an interrupt, which it answers
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		fmt.Println("ready")
		<-interrupted
		fmt.Println("interrupted")
		return 7
	}
	return 0
}

func command(args ...string) run.Command {
	return run.Command{Argv: append([]string{os.Args[0]}, args...), Env: []string{childVariable + "=1", "GORACE=atexit_sleep_ms=0"}}
}

func TestExitStatus(t *testing.T) {
	for _, code := range []int{1, 2, 3, 100, 127, 255} {
		_, err := run.Output(t.Context(), command("exit", fmt.Sprint(code)))
		var failed *run.Error
		if !errors.As(err, &failed) || failed.Code != code || !slices.Equal(failed.Last, []string{"err 1"}) || err.Error() != fmt.Sprintf("%s: exit status %d", os.Args[0], code) {
			t.Errorf("Output of exit %d: %v, %+v", code, err, failed)
		}
		var lines []string
		err = run.Stream(t.Context(), command("exit", fmt.Sprint(code)), func(text string) { lines = append(lines, text) })
		if !errors.As(err, &failed) || failed.Code != code || !slices.Equal(failed.Last, lines) || len(lines) != 2 {
			t.Errorf("Stream of exit %d: %v, %+v, lines %q", code, err, failed, lines)
		}
	}
	out, err := run.Output(t.Context(), command("exit", "0"))
	if err != nil || string(out) != "out 1\n" {
		t.Errorf("Output: %q, %v", out, err)
	}
}

func TestLastLines(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(run.Command) error
		what string
	}{
		{"Output", func(c run.Command) error { _, err := run.Output(t.Context(), c); return err }, "stderr lines"},
		{"Stream", func(c run.Command) error { return run.Stream(t.Context(), c, func(string) {}) }, "lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var failed *run.Error
			if err := c.run(command(c.what)); !errors.As(err, &failed) {
				t.Fatal(err)
			}
			if len(failed.Last) != 20 || failed.Last[0] != "line 30" || failed.Last[19] != "line 49" {
				t.Errorf("last lines %q", failed.Last)
			}
		})
	}
}

func TestStreamLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"one", "a\n", []string{"a"}},
		{"no line break at the end", "a\nb", []string{"a", "b"}},
		{"empty lines", "\n\na\n\n", []string{"", "", "a", ""}},
		{"Windows line breaks", "a\r\nb\r\n", []string{"a", "b"}},
		{"not UTF-8", "\xff\n", []string{"\xff"}},
		{"longest line", strings.Repeat("x", 64<<10) + "\nb\n", []string{strings.Repeat("x", 64<<10), "b"}},
		{"longer line", strings.Repeat("x", 64<<10+1) + "\nb\n", []string{strings.Repeat("x", 64<<10), "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := command("copy")
			in.Stdin = strings.NewReader(c.text)
			var lines []string
			if err := run.Stream(t.Context(), in, func(text string) { lines = append(lines, text) }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(lines, c.want) {
				t.Errorf("lines %.100q, want %.100q", lines, c.want)
			}
		})
	}
}

// TestBounded: a child that never stops writing cannot fill the memory.
func TestBounded(t *testing.T) {
	t.Run("Output", func(t *testing.T) {
		out, err := run.Output(t.Context(), command("huge", "one line"))
		if err != nil || len(out) != 64<<20 {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	})
	for _, what := range []string{"one line", "lines"} {
		t.Run("Stream, "+what, func(t *testing.T) {
			n, longest := 0, 0
			err := run.Stream(t.Context(), command("huge", what), func(text string) {
				n++
				longest = max(longest, len(text))
			})
			want := map[string]int{"one line": 1, "lines": 100}[what]
			if err != nil || n != want || longest != 64<<10 {
				t.Errorf("%d lines, the longest of %d bytes, %v", n, longest, err)
			}
		})
	}
}

// TestCancel: the child gets an interrupt, and its answer is waited for.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var lines []string
	err := run.Stream(ctx, command("wait"), func(text string) {
		lines = append(lines, text)
		cancel()
	})
	var failed *run.Error
	if !errors.As(err, &failed) || failed.Code != 7 || !slices.Equal(lines, []string{"ready", "interrupted"}) {
		t.Errorf("lines %q, error %v", lines, err)
	}
	t.Run("before it starts", func(t *testing.T) {
		if _, err := run.Output(ctx, command("exit", "0")); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

func TestNotStarted(t *testing.T) {
	for _, c := range []struct {
		name    string
		command run.Command
		want    string
		is      error
	}{
		{"not on PATH", run.Command{Argv: []string{"pistack-no-such-program"}}, "pistack-no-such-program: not found on PATH", exec.ErrNotFound},
		{"no such folder", run.Command{Argv: command().Argv, Dir: filepath.Join(t.TempDir(), "none")}, "", os.ErrNotExist},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := run.Output(t.Context(), c.command)
			var failed *run.Error
			if !errors.As(err, &failed) || failed.Code != -1 || !errors.Is(err, c.is) || (c.want != "" && err.Error() != c.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestSurroundings: locale, own variables, folder, and no standard input.
func TestSurroundings(t *testing.T) {
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	t.Setenv("OURS", "of the parent")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := command("environment")
	c.Dir, c.Env = dir, append(c.Env, "OURS=own")
	out, err := run.Output(t.Context(), c)
	if want := "C own " + dir + "\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
	if out, err := run.Output(t.Context(), command("copy")); err != nil || len(out) != 0 {
		t.Errorf("standard input without Stdin: %q, %v", out, err)
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		command run.Command
		want    string
	}{
		{run.Command{Argv: []string{"ssh", "-F", "/a/b", "root@host", "uname -m"}}, "ssh -F /a/b root@host 'uname -m'"},
		{run.Command{Argv: []string{"x", ""}}, "x ''"},
		{run.Command{Argv: []string{"x", "it's"}}, `x 'it'\''s'`},
		{run.Command{Argv: []string{"x", "$a", "`b`", "~", "*", "ä"}}, "x '$a' '`b`' '~' '*' 'ä'"},
		{run.Command{Argv: []string{"x"}, Env: []string{"A=b c", "D="}}, "A='b c' D='' x"},
		{run.Command{Argv: []string{"x", "#a", "b#c"}}, "x '#a' b#c"},
	} {
		if got := c.command.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// TestQuoting: a shell reads the printed command as the same words.
func TestQuoting(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("sh not on PATH")
	}
	var words []string
	collect := func(word string) bool {
		words = append(words, strings.ReplaceAll(word, "\x00", ""))
		return true
	}
	if err := quick.Check(collect, &quick.Config{MaxCount: 300}); err != nil {
		t.Fatal(err)
	}
	words = append(words, "", "'", "''", `\`, "a\nb", "#", "#a", "~", "~root", "-n", "*", "a=b", "$HOME", "`id`", "!", "{a,b}", "%s", "\xff", "\t", "a;b", "&", "|", ">x")
	line := run.Command{Argv: append([]string{"printf", `%s\0`}, words...)}.String()
	out, err := exec.Command(sh, "-c", line).Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	for i := range words {
		if i >= len(got) || got[i] != words[i] {
			t.Fatalf("word %d of %d: the shell reads %q as %q", i, len(words), words[i], got[min(i, len(got)-1)])
		}
	}
}

// TestInterruptedFirst: a child that hears of a Ctrl-C before its context ends is no
// failure of its own.
func TestInterruptedFirst(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := run.Stream(ctx, run.Command{Argv: []string{"sh", "-c", "echo dying; kill -INT $$"}, OwnGroup: true}, func(string) {
		time.AfterFunc(100*time.Millisecond, cancel)
	})
	if err == nil || ctx.Err() == nil {
		t.Errorf("%v, while the context says %v", err, ctx.Err())
	}
}
