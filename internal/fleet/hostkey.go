package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// KeyFile is the name of the pinned host key inside a host's folder.
const KeyFile = "ssh_host_ed25519_key.pub"

// PinKey replaces the pinned host key, durably. key is a line of authorized
// keys form.
func (h Host) PinKey(key []byte) error {
	dir := filepath.Join(h.root, filepath.FromSlash(h.Dir()))
	if err := renameio.WriteFile(filepath.Join(dir, KeyFile), key, 0o644, renameio.WithTempDir(dir)); err != nil {
		return &Problem{File: h.Dir() + "/" + KeyFile, Message: "cannot be written: " + reason(err)}
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// PublicKey returns the pinned host key as it stands in the repository
// ("ssh-ed25519 AAAA… comment"). A missing file is a *Problem.
func (h Host) PublicKey() (string, error) {
	file := h.Dir() + "/" + KeyFile
	data, err := readKeyFile(h.files, file)
	if errors.Is(err, os.ErrNotExist) {
		return "", &Problem{
			File:    file,
			Message: fmt.Sprintf("missing: the ssh host key of %s is not pinned", h.Name),
			Fix:     fmt.Sprintf("pisec host-key %s --from-ssh %s", h.Name, net.JoinHostPort(h.Address, fmt.Sprint(h.Port))),
		}
	}
	if err != nil {
		return "", &Problem{File: file, Message: "cannot be read: " + reason(err)}
	}
	line := strings.TrimSpace(string(data))
	if !strings.HasPrefix(line, "ssh-ed25519 ") || strings.Contains(line, "\n") {
		return "", &Problem{
			File: file, Line: 1,
			Message: "is not a single ssh-ed25519 public key",
			Fix:     "age can encrypt to ssh-ed25519 host keys only; copy /etc/ssh/" + KeyFile + " from the machine",
		}
	}
	return line, nil
}

// readKeyFile reads a regular file of at most 64 KiB; a key has 100 bytes.
func readKeyFile(files fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(files, file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > 64<<10 {
		return nil, errors.New("is not a regular file of at most 64 KiB")
	}
	return fs.ReadFile(files, file)
}
