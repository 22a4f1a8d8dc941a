package readers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"

	"pistack/internal/plugin"
	"pistack/internal/term"
	"pistack/secrets"
)

// Identities loads the private key to decrypt with: that in file or, without one,
// the user's own ssh key. A passphrase is asked for at the terminal.
func Identities(ctx context.Context, file string, plugins plugin.Allowed) ([]age.Identity, error) {
	named := file != ""
	if !named {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, errors.New("no --identity, no PISEC_IDENTITY, and no home folder to look for ~/.ssh/id_ed25519 in")
		}
		file = filepath.Join(home, ".ssh", "id_ed25519")
	}
	if _, err := os.Stat(file); !named && errors.Is(err, fs.ErrNotExist) {
		return nil, noIdentity(file)
	}
	return secrets.LoadIdentity(file, func(file string) ([]byte, error) {
		return term.ReadSecret(ctx, fmt.Sprintf("Passphrase of %s: ", file))
	}, plugins)
}

// noIdentity explains what many expect to work: the key that ssh itself uses
// from an agent.
func noIdentity(file string) error {
	fix := "name a private key with --identity FILE or PISEC_IDENTITY"
	if os.Getenv("SSH_AUTH_SOCK") != "" {
		fix += "; a key that only ssh-agent holds cannot be used, since an agent signs and never decrypts"
	}
	return &secrets.Error{Message: fmt.Sprintf("there is no key to decrypt with: %s does not exist", file), Fix: fix}
}
