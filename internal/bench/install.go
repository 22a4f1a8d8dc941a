package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"pistack/secrets/manifest"
)

const (
	installed     = 200
	installedMany = 2000
	installedPeak = 1000
	mostMemory    = 20 << 10 // KiB
)

// install measures the installer on a device's first run: nothing is there yet.
func (b *bench) install() error {
	ours, _, err := b.installPisec(installed)
	if err != nil {
		return err
	}
	loop, err := b.installLoop()
	if err != nil {
		return err
	}
	const what = "install of 200 secrets"
	b.rows = append(b.rows, beside(what, ours, "shell loop over age -d", loop, 10))
	for _, layout := range []struct {
		name   string
		single bool
	}{{"a file each", false}, {"all in one file", true}} {
		peer := "sops-install-secrets, " + layout.name
		if b.sopsInstall == "" || b.memory == "" {
			b.rows = append(b.rows, missing(what, peer, b.noSops))
			continue
		}
		theirs, err := b.installSops(layout.single)
		if err != nil {
			return err
		}
		b.rows = append(b.rows, beside(what, ours, peer, theirs, 10))
	}
	many, _, err := b.installPisec(installedMany)
	if err != nil {
		return err
	}
	growth := many.Seconds() / ours.Seconds()
	b.rows = append(b.rows, row{"install of 2,000 secrets", show(many), "pisec, 200: " + show(ours), fmt.Sprintf("%.1f times as long", growth), "10 times as long: linear", verdict(growth < 12)})
	_, memory, err := b.installPisec(installedPeak)
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{"peak memory of install, 1,000 secrets", fmt.Sprintf("%.1f MiB", float64(memory)/1024), "-", "-", "under 20 MiB", verdict(memory < mostMemory)})
	return nil
}

// installFleet is a fleet with one host that has n secrets.
func (b *bench) installFleet(n int) (fleet, map[string]string, error) {
	root := filepath.Join(b.dir, fmt.Sprintf("install-%d", n))
	if err := os.RemoveAll(root); err != nil {
		return fleet{}, nil, err
	}
	f, err := newFleet(root, 1)
	if err != nil {
		return f, nil, err
	}
	versions, err := f.fill(hostName(0), n)
	return f, versions, err
}

// installPisec tells also the peak of memory, in KiB.
func (b *bench) installPisec(n int) (took time.Duration, memory int64, err error) {
	f, versions, err := b.installFleet(n)
	if err != nil {
		return 0, 0, err
	}
	root := b.memory
	args := []string{"install"}
	if root == "" {
		root = "/dev/shm/pisec-bench"
		args = append(args, "--try", root)
	}
	m := manifest.Manifest{Schema: manifest.Schema, Host: hostName(0), HostKeys: []string{f.hostKey(hostName(0))}, Root: root}
	for name, version := range versions {
		m.Secrets = append(m.Secrets, manifest.Secret{Name: name, File: filepath.Join(f.root, "hosts", hostName(0), "secrets", name+".age"), Version: version})
		m.Files = append(m.Files, manifest.File{Secret: name, Path: "secrets/" + name, Mode: 0o400})
	}
	file, err := writeJSON(f.root, m)
	if err != nil {
		return 0, 0, err
	}
	took, err = best(5, func() (time.Duration, error) {
		if err := empty(root); err != nil {
			return 0, err
		}
		cmd := exec.Command(b.pisec, append(args, file)...)
		took, err := timed(cmd)
		memory = max(memory, peak(cmd))
		return took, err
	})
	return took, memory, errors.Join(err, empty(root))
}

func writeJSON(dir string, value any) (file string, err error) {
	data, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "manifest.json")
	return file, os.WriteFile(file, data, 0o644)
}

// empty makes a folder that has nothing in it.
func empty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// installLoop decrypts the very files of pisec.
func (b *bench) installLoop() (time.Duration, error) {
	f, _, err := b.installFleet(installed)
	if err != nil {
		return 0, err
	}
	root := b.memory
	if root == "" {
		root = "/dev/shm/pisec-bench"
	}
	const script = `umask 077; for f in "$1"/hosts/` + `*/secrets/*.age; do
  "$2" -d -i "$3" -o "$4/${f##*/}" "$f" || exit 1
done; chmod 400 "$4"/*.age`
	took, err := best(2, func() (time.Duration, error) {
		if err := empty(root); err != nil {
			return 0, err
		}
		return timed(exec.Command("sh", "-c", script, "sh", f.root, b.age, f.hostKey(hostName(0)), root))
	})
	return took, errors.Join(err, empty(root))
}

// sopsManifest is what sops-install-secrets reads, as far as it is needed here.
type sopsManifest struct {
	Secrets           []sopsSecret `json:"secrets"`
	SecretsMountPoint string       `json:"secretsMountPoint"`
	SymlinkPath       string       `json:"symlinkPath"`
	KeepGenerations   int          `json:"keepGenerations"`
	AgeKeyFile        string       `json:"ageKeyFile"`
}

type sopsSecret struct {
	Name     string `json:"name"`
	Key      string `json:"key"`
	Path     string `json:"path"`
	SopsFile string `json:"sopsFile"`
	Format   string `json:"format"`
	Mode     string `json:"mode"`
}

// installSops installs as many secrets of the same size, for as many readers,
// from one YAML file or from a file each.
func (b *bench) installSops(single bool) (time.Duration, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("sops-%t", single))
	key, err := b.sopsFiles(dir, single)
	if err != nil {
		return 0, err
	}
	mount := filepath.Join(dir, "mounted") // it mounts a ramfs of its own there
	m := sopsManifest{SecretsMountPoint: mount, SymlinkPath: filepath.Join(dir, "current"), KeepGenerations: 1, AgeKeyFile: key}
	for i := range installed {
		name := secretName(i)
		s := sopsSecret{Name: name, Path: filepath.Join(m.SymlinkPath, name), SopsFile: filepath.Join(dir, name), Format: "binary", Mode: "0400"}
		if single {
			s.SopsFile, s.Format, s.Key = filepath.Join(dir, "all.yaml"), "yaml", name
		}
		m.Secrets = append(m.Secrets, s)
	}
	file, err := writeJSON(dir, m)
	if err != nil {
		return 0, err
	}
	took, err := best(2, func() (time.Duration, error) {
		// Every run writes a new generation.
		return timed(exec.Command(b.sopsInstall, "-ignore-passwd", file))
	})
	if err != nil {
		return 0, err
	}
	_, err = os.Stat(filepath.Join(m.SymlinkPath, secretName(installed-1)))
	return took, err
}

// sopsFiles writes the encrypted files, and tells where the private key is.
func (b *bench) sopsFiles(dir string, single bool) (key string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	var recipients []string
	for i := range 3 {
		file, public, err := ageKey(dir, i)
		if err != nil {
			return "", err
		}
		recipients = append(recipients, public)
		key = file
	}
	plain, kind := "a value of some 32 characters, "+secretName(0), "binary"
	if single {
		plain, kind = "", "yaml"
		for i := range installed {
			plain += secretName(i) + ": a value of some 32 characters, " + secretName(i) + "\n"
		}
	}
	cmd := exec.Command(b.sops, "encrypt", "--input-type", kind, "--output-type", kind, "--age", strings.Join(recipients, ","), "/dev/stdin")
	cmd.Stdin = strings.NewReader(plain)
	encrypted, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	if single {
		return key, os.WriteFile(filepath.Join(dir, "all.yaml"), encrypted, 0o644)
	}
	for i := range installed {
		if err := os.WriteFile(filepath.Join(dir, secretName(i)), encrypted, 0o644); err != nil {
			return "", err
		}
	}
	return key, nil
}
