package cmd_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPassphrase: Ctrl-C at the question for a passphrase is an interruption, and
// nothing else is said; a wrong one is said to be wrong.
func TestPassphrase(t *testing.T) {
	for _, c := range []struct {
		name, typed, want string
		status            int
	}{
		{"right", "secret\r", "the value", 0},
		{"wrong", "guess\r", "the passphrase is wrong", 1},
		{"interrupted", "\x03", "pisec: interrupted", 130},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newKillFleet(t)
			f.must(f.pisec("the value", "add", "pi", "KEY"))
			operator := filepath.Join(f.root, "operator")
			f.must(exec.Command("ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", operator))
			term := atTerminal(t, f.pisec("", "show", "pi", "KEY", "--identity", operator))
			term.await("Passphrase of ")
			term.typed(c.typed)
			if status := term.ended(); status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			shown := string(term.screen)
			if !strings.Contains(shown, c.want) || strings.Contains(shown, "x509") || c.status == 130 && (strings.Contains(shown, "hint") || strings.Contains(shown, "canceled")) {
				t.Errorf("it says %q, want %q", shown, c.want)
			}
		})
	}
}
