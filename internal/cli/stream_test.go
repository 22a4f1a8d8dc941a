package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoReader: whoever reads the output and leaves kills nothing. What is at work
// is told so by its context, and brings itself to an end.
func TestNoReader(t *testing.T) {
	file := filepath.Join(t.TempDir(), "end")
	for _, redirect := range []string{"", " 2>&1"} {
		cmd := exec.Command("sh", "-c", `{ "$0" work`+redirect+`; echo $? >"$PISTACK_CLI_TEST_FILE.status"; } | head -n 1`, os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"=1", "GORACE=atexit_sleep_ms=0", "PISTACK_CLI_TEST_FILE="+file)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		end, _ := os.ReadFile(file)
		status, _ := os.ReadFile(file + ".status")
		if err != nil || string(out) != "at work\n" || errs.Len() > 0 || string(status) != "130\n" || !strings.Contains(string(end), "nobody reads the output") {
			t.Errorf("%v, %q, %q, status %q, end %q", err, out, &errs, status, end)
		}
	}
}

// TestLostOutput: no command ends well that could not write its output.
func TestLostOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, c := range []struct {
		args, errs string
	}{
		{"echo a", "app: standard output: write /dev/stdout: no space left on device\n"},
		{"deaf", "app: standard output: write /dev/stdout: no space left on device\n"},
		{"--help", "app: standard output: write /dev/stdout: no space left on device\n"},
	} {
		cmd := exec.Command(os.Args[0], strings.Fields(c.args)...)
		cmd.Env = append(os.Environ(), childVariable+"=1", "GORACE=atexit_sleep_ms=0")
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &errs
		if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 1 || errs.String() != c.errs {
			t.Errorf("%s: %s, %q", c.args, cmd.ProcessState, &errs)
		}
	}
}
