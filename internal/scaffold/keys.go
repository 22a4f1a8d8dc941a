package scaffold

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
)

// maxKey bounds a file with a key, in bytes.
const maxKey = 64 << 10

// Found is a public key of the user, and the file that it comes from.
type Found struct {
	Text string // "ssh-ed25519 AAAA… comment" or "age1…"
	File string
}

// Places are where keys of a user are looked for.
type Places struct {
	Home    string // the home folder
	Config  string // the configuration folder: ~/.config, or what XDG_CONFIG_HOME and macOS say
	AgeFile string // what SOPS_AGE_KEY_FILE says; may be empty
}

// Operator finds the key that shall read secrets: an ssh-ed25519 key, or else an
// age identity. Of several files the first counts.
func (p Places) Operator() (Found, bool) {
	if found, ok := sshKey(filepath.Join(p.Home, ".ssh", "id_ed25519.pub")); ok && strings.HasPrefix(found.Text, ssh.KeyAlgoED25519+" ") {
		return found, true
	}
	for _, file := range p.identities() {
		if text, err := recipientOf(file); err == nil {
			return Found{text, file}, true
		}
	}
	return Found{}, false
}

// Login finds the ssh key that shall log in. Unlike an operator's it can be of
// any kind: it only signs.
func (p Places) Login() (Found, bool) {
	for _, kind := range []string{"ed25519", "ed25519_sk", "ecdsa_sk", "ecdsa", "rsa"} {
		if found, ok := sshKey(filepath.Join(p.Home, ".ssh", "id_"+kind+".pub")); ok {
			return found, true
		}
	}
	return Found{}, false
}

// identities are the files in which age and sops keep identities.
func (p Places) identities() []string {
	var files []string
	if p.AgeFile != "" {
		files = append(files, p.AgeFile)
	}
	for _, base := range []string{filepath.Join(p.Home, ".config"), p.Config} {
		if base == "" {
			continue
		}
		for _, name := range []string{"age/keys.txt", "age/key.txt", "age/identity.txt", "age/identities.txt", "age/identities", "sops/age/keys.txt"} {
			files = append(files, filepath.Join(base, filepath.FromSlash(name)))
		}
	}
	return files
}

func sshKey(file string) (Found, bool) {
	data, err := readKey(file)
	if err != nil {
		return Found{}, false
	}
	line, err := AuthorizedKey(string(data))
	return Found{line, file}, err == nil
}

// AuthorizedKey is a public ssh key in the form "type base64 comment", on one line.
func AuthorizedKey(text string) (string, error) {
	key, comment, _, rest, err := ssh.ParseAuthorizedKey([]byte(strings.TrimSpace(text)))
	if err != nil || len(rest) > 0 {
		return "", errors.New("not one public ssh key")
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return strings.TrimSpace(line + " " + strings.ToValidUTF8(comment, "?")), nil
}

// recipientOf is the recipient of the first X25519 identity in a file. The file
// is a private key: it is forgotten at once, and never quoted.
func recipientOf(file string) (string, error) {
	data, err := readKey(file)
	if err != nil {
		return "", err
	}
	defer clear(data)
	identities, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return "", errors.New("not a file of age identities")
	}
	for _, i := range identities {
		if x, ok := i.(*age.X25519Identity); ok {
			return x.Recipient().String(), nil
		}
	}
	return "", errors.New("no X25519 identity")
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKey {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a small regular file")}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxKey))
}
