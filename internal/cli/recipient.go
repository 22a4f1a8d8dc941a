package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"pistack/internal/fleet"
)

// maxRecipient bounds a file with a recipient, in bytes.
const maxRecipient = 16 << 10

// Recipient takes an argument that is a recipient, age1… or a public ssh key, as
// it is, or else reads it from the file of that name. What it is worth, package
// secrets decides.
func Recipient(argument string) (string, error) {
	// The types of keys that cannot be used are told by who parses recipients.
	if slices.ContainsFunc([]string{"age1", "ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"}, func(start string) bool { return strings.HasPrefix(argument, start) }) {
		return strings.TrimSpace(argument), nil
	}
	file, err := os.Open(argument)
	if err != nil {
		return "", &fleet.Problem{Message: fmt.Sprintf("%q is neither a recipient nor a file", argument), Fix: "write age1… or ssh-ed25519 AAAA…, or name a file such as ~/.ssh/id_ed25519.pub"}
	}
	defer file.Close()
	data, _ := io.ReadAll(io.LimitReader(file, maxRecipient))
	text := strings.TrimSpace(string(data))
	switch {
	case strings.Contains(text, "PRIVATE KEY"), strings.Contains(text, "AGE-SECRET-KEY-"), strings.Contains(text, "AGE-PLUGIN-"):
		return "", &fleet.Problem{Message: argument + ": is a private key", Fix: "name the public one: FILE.pub of an ssh key, or what age-keygen -y FILE prints"}
	case text == "", strings.Contains(text, "\n"):
		return "", &fleet.Problem{Message: argument + ": is not a file with one recipient", Fix: "it should hold one line: age1… or ssh-ed25519 AAAA…"}
	}
	return text, nil
}
