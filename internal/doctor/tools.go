package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"pistack/internal/git"
	"pistack/internal/run"
)

// ssh: is there a key that it can use without asking anybody?
func (w Workstation) ssh(ctx context.Context) []Check {
	version, err := w.ask(ctx, "ssh", "-G", "localhost")
	if absent(err) {
		return []Check{problem("ssh", "install OpenSSH's client", "ssh is not on PATH")}
	}
	if err != nil || version == "" {
		return []Check{problem("ssh", "ssh -G localhost", "ssh does not understand its configuration: %s", said(err))}
	}
	if w.Identity != "" {
		return []Check{w.ownKey("ssh key", w.Identity)}
	}
	return []Check{w.agent(ctx)}
}

// agent: ssh-add ends with 1 for an agent without keys, and 2 for none.
func (w Workstation) agent(ctx context.Context) Check {
	keys, err := w.ask(ctx, "ssh-add", "-l")
	if err == nil && keys != "" {
		return fine("ssh key", "the agent has %d", strings.Count(keys, "\n")+1)
	}
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		if file := filepath.Join(w.Home, ".ssh", name); exists(file) {
			return w.ownKey("ssh key", file)
		}
	}
	text := "no agent is running"
	var failed *run.Error
	if errors.As(err, &failed) && failed.Code == 1 {
		text = "the agent has no key"
	}
	return warning("ssh key", "ssh-add; or name one with --identity-file", "%s, and there is none in ~/.ssh", text)
}

// ownKey looks whether ssh can use a private key without its passphrase.
func (w Workstation) ownKey(name, file string) Check {
	_, err := publicKey(file)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return warning(name, "ssh-add "+run.Quote(file), "%s has a passphrase, which nobody is asked for during a deploy", file)
	case err != nil:
		return problem(name, "ssh-keygen -y -f "+run.Quote(file), "%s: %v", file, err)
	}
	return fine(name, "%s", file)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// maxKey bounds a key file, in bytes.
const maxKey = 64 << 10

// readKey reads a private key. Clear it after use.
func readKey(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxKey))
}

// publicKey is the public half of a private ssh key, as authorized keys have it.
// No parser's error is passed on, but that a passphrase is missing.
func publicKey(file string) (string, error) {
	data, err := readKey(file)
	if err != nil {
		return "", err
	}
	defer clear(data)
	signer, err := ssh.ParsePrivateKey(data)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked) && locked.PublicKey != nil:
		return authorized(locked.PublicKey), locked
	case err != nil:
		return "", errors.New("is not a private ssh key")
	}
	return authorized(signer.PublicKey()), nil
}

func authorized(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// docker is needed where an image is built here.
func (w Workstation) docker(ctx context.Context) []Check {
	stacks := w.built()
	if len(stacks) == 0 {
		return nil
	}
	why := "needed by the build: of " + strings.Join(stacks, ", ")
	version, err := w.ask(ctx, "docker", "version", "--format", "{{.Server.Version}}")
	switch {
	case absent(err):
		return []Check{problem("docker", "install Docker, with buildx", "docker is not on PATH, and is %s", why)}
	case err != nil:
		return []Check{problem("docker", "docker version", "its daemon does not answer (%s), and is %s", said(err), why)}
	}
	checks := []Check{fine("docker", "%s", firstLine(version))}
	if buildx, err := w.ask(ctx, "docker", "buildx", "version"); err != nil {
		return append(checks, problem("buildx", "install docker-buildx", "docker buildx does not run (%s), and is %s", said(err), why))
	} else {
		return append(checks, fine("buildx", "%s", firstLine(buildx)))
	}
}

// maxCompose bounds a Compose file that is looked through, in bytes.
const maxCompose = 1 << 20

var buildKey = regexp.MustCompile(`(?m)^\s+["']?build["']?\s*:`)

// built lists the stacks of the hosts whose Compose files have a build:. It looks,
// and loads nothing: a stack with mistakes counts as well.
func (w Workstation) built() []string {
	var found []string
	for _, h := range w.Hosts {
		for _, stack := range h.Stacks {
			files, _ := filepath.Glob(filepath.Join(w.Fleet.Root, "stacks", stack, "compose*.yaml"))
			if !slices.Contains(found, stack) && slices.ContainsFunc(files, builds) {
				found = append(found, stack)
			}
		}
	}
	slices.Sort(found)
	return found
}

func builds(file string) bool {
	info, err := os.Stat(file)
	if err != nil || info.Size() > maxCompose {
		return false
	}
	text, err := os.ReadFile(file)
	return err == nil && buildKey.Match(text)
}

// git: a deploy from a dirty work tree is one that nobody can repeat.
func (w Workstation) git(ctx context.Context) []Check {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	state, err := git.ReadState(ctx, w.Fleet.Root)
	switch {
	case absent(err):
		return []Check{problem("git", "install Git", "git is not on PATH")}
	case err != nil:
		return []Check{problem("git", "flakes see only what Git tracks: git init && git add .", "%s", said(err))}
	case state.Commit == "":
		return []Check{warning("git", "git add . && git commit", "nothing is committed yet")}
	case state.Dirty:
		return []Check{warning("git", "git commit", "the work tree has changes that are in no commit: what is deployed can be found in no history")}
	}
	return []Check{fine("git", "the work tree is clean, at %s", state.Commit[:min(12, len(state.Commit))])}
}

// operator: can this user read secrets?
func (w Workstation) operator(context.Context) []Check {
	const name = "operator key"
	if len(w.Fleet.Operators) == 0 {
		return []Check{warning(name, "pisec operators add KEY", "fleet.toml names no operator: nobody can read or rekey a secret")}
	}
	recipients, err := w.recipients()
	if err != nil {
		return []Check{warning(name, "name your private key with PISEC_IDENTITY", "%s: %v: secrets cannot be read or rekeyed here", w.Key, err)}
	}
	if len(recipients) == 0 {
		return []Check{fine(name, "%s can be read; whose it is cannot be told", w.Key)}
	}
	for _, o := range w.Fleet.Operators {
		for _, r := range recipients {
			if sameRecipient(o, r) {
				return []Check{fine(name, "%s is an operator's", w.Key)}
			}
		}
	}
	return []Check{warning(name, fmt.Sprintf("an operator can add it: pisec operators add %s", run.Quote(recipients[0])), "%s is no operator's: it cannot read secrets", w.Key)}
}

// recipients are the public halves of the operator's key; none when they cannot be
// told, as those of a plugin.
func (w Workstation) recipients() ([]string, error) {
	if w.Key == "" {
		return nil, errors.New("there is no home folder")
	}
	data, err := readKey(w.Key)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if !strings.Contains(string(data), "AGE-SECRET-KEY-") {
		if public, _ := publicKey(w.Key); public != "" {
			return []string{public}, nil
		}
		return nil, nil
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		if identity, err := age.ParseX25519Identity(strings.TrimSpace(line)); err == nil {
			all = append(all, identity.Recipient().String())
		}
	}
	return all, nil
}

// sameRecipient compares two recipients without the comments of ssh keys.
func sameRecipient(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	return len(x) > 0 && slices.Equal(x[:min(2, len(x))], y[:min(2, len(y))])
}
