package main

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"pistack/secrets"
)

// fleet is a fleet repository on a disk, and the private keys of who is in it.
type fleet struct {
	root      string
	operators [2]string // public keys: of ssh, and of age
	identity  string    // file of the first operator's private key
}

const stacksEach = 3 // of a host, of a fleet with as many stacks as a third of its hosts

// newFleet writes a fleet of n hosts with stacks, modules and pinned keys, and
// without secrets.
func newFleet(root string, n int) (fleet, error) {
	f := fleet{root: root, identity: filepath.Join(root, "operator")}
	var err error
	if f.operators[0], err = sshKey(f.identity); err != nil {
		return f, err
	}
	second, err := age.GenerateX25519Identity()
	if err != nil {
		return f, err
	}
	f.operators[1] = second.Recipient().String()
	problems := []error{f.write("fleet.toml", fmt.Sprintf("operators = [%q, %q]\n", f.operators[0], f.operators[1]))}
	for i := range 20 {
		problems = append(problems, f.write(fmt.Sprintf("modules/roles/role%d.nix", i), nixModule))
	}
	stacks := max(n/3, stacksEach)
	for i := range stacks {
		problems = append(problems, f.write(fmt.Sprintf("stacks/stack%d/compose.yaml", i), composeFile))
	}
	for i := range n {
		var names []string
		for s := range stacksEach {
			names = append(names, fmt.Sprintf("\"stack%d\"", (i+s)%stacks))
		}
		problems = append(problems, f.host(hostName(i), strings.Join(names, ", ")))
	}
	return f, errors.Join(problems...)
}

func hostName(i int) string   { return fmt.Sprintf("pi-%03d", i) }
func secretName(i int) string { return fmt.Sprintf("SECRET_%04d", i) }

func (f fleet) host(name, stacks string) error {
	return errors.Join(
		f.write("hosts/"+name+"/host.toml", fmt.Sprintf("address = \"%s.local\"\nsystem = \"aarch64-linux\"\nstacks = [%s]\n", name, stacks)),
		f.write("hosts/"+name+"/default.nix", nixModule),
		f.pin(name),
	)
}

// pin gives a host a new key, and keeps its private half beside the fleet.
func (f fleet) pin(host string) error {
	public, err := sshKey(f.hostKey(host))
	if err != nil {
		return err
	}
	return f.write("hosts/"+host+"/ssh_host_ed25519_key.pub", public+"\n")
}

func (f fleet) hostKey(host string) string { return filepath.Join(f.root, "keys", host) }

func (f fleet) write(file, text string) error {
	path := filepath.Join(f.root, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// readers are the host and both operators.
func (f fleet) readers(host string) ([]secrets.Reader, error) {
	key, err := os.ReadFile(filepath.Join(f.root, "hosts", host, "ssh_host_ed25519_key.pub"))
	if err != nil {
		return nil, err
	}
	var readers []secrets.Reader
	for _, text := range append([]string{string(key)}, f.operators[:]...) {
		r, err := secrets.ParseReader(text, text, nil)
		if err != nil {
			return nil, err
		}
		readers = append(readers, r)
	}
	return readers, nil
}

// fill gives a host n secrets, in one transaction, and tells their versions.
func (f fleet) fill(host string, n int) (map[string]string, error) {
	readers, err := f.readers(host)
	if err != nil {
		return nil, err
	}
	store := secrets.Store{Root: f.root}
	versions := map[string]string{}
	var all []*secrets.Addition
	for i := range n {
		a, err := store.Plan(host, secretName(i), []byte("a value of some 32 characters, "+secretName(i)), readers, false, time.Now())
		if err != nil {
			return nil, err
		}
		versions[a.Label.Name] = a.Label.Version
		all = append(all, a)
	}
	return versions, store.Apply(all...)
}

// sshKey writes a new ssh-ed25519 key to a file, and returns its public half.
func sshKey(file string) (public string, err error) {
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return "", err
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), os.WriteFile(file, pem.EncodeToMemory(block), 0o600)
}

const composeFile = `services:
  web:
    image: docker.io/library/nginx:1.29
    environment:
      KEY: ${SECRET_0001}
      OTHER: ${SECRET_0002:-none}
    secrets: [SECRET_0003, SECRET_0004]
    volumes: ["./data:/data"]
  db:
    image: docker.io/library/postgres:18
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/SECRET_0005}
    secrets: [SECRET_0005]
secrets:
  SECRET_0003: {environment: SECRET_0003}
  SECRET_0004: {environment: SECRET_0004}
  SECRET_0005: {environment: SECRET_0005}
`

// nixModule is of about the size of a real one.
var nixModule = "{ config, ... }:\n{\n" + strings.Repeat("  services.something.setting = config.pistack.secrets.SECRET_0006.path;\n", 60) + "}\n"

// ageKey writes a new age key into a folder.
func ageKey(dir string, n int) (file, public string, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", err
	}
	file = filepath.Join(dir, fmt.Sprintf("key-%d", n))
	return file, id.Recipient().String(), os.WriteFile(file, []byte(id.String()+"\n"), 0o600)
}
