package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"pistack/secrets/manifest"
)

const (
	installed     = 200
	installedMany = 2000
	installedPeak = 1000
	mostMemory    = 20 << 10 // KiB
)

// install measures the installer on a device's first run: nothing is there yet.
// The contestants take turns, so that what else the machine does hits all.
func (b *bench) install() error {
	few, err := b.newInstall(installed)
	if err != nil {
		return err
	}
	contestants := []contestant{
		{"pisec", func() (cost, error) { return few.pisec(b) }},
		{"shell loop over age -d", func() (cost, error) { return few.loop(b) }},
	}
	if b.sopsInstall != "" && b.memory != "" {
		for _, single := range []bool{true, false} {
			args, err := b.sopsFiles(single)
			if err != nil {
				return err
			}
			name := map[bool]string{false: "sops-install-secrets, a file each", true: "sops-install-secrets, all in one file"}[single]
			contestants = append(contestants, contestant{name, func() (cost, error) { return timed(exec.Command(b.sopsInstall, args...)) }})
		}
	}
	took, err := takeTurns(7, contestants)
	if err != nil {
		return err
	}
	const what = "install of 200 secrets"
	for i, c := range contestants[1:] {
		b.rows = append(b.rows, beside(what, took[0], c.name, took[i+1], 10))
	}
	if len(contestants) == 2 {
		b.rows = append(b.rows, missing(what, "sops-install-secrets", b.noSops))
	}
	return errors.Join(b.installGrowth(few), empty(few.root))
}

// installGrowth compares 2,000 secrets with the 200, and measures memory.
func (b *bench) installGrowth(few installRun) error {
	many, err := b.newInstall(installedMany)
	if err != nil {
		return err
	}
	took, err := takeTurns(7, []contestant{
		{"200", func() (cost, error) { return few.pisec(b) }},
		{"2,000", func() (cost, error) { return many.pisec(b) }},
	})
	if err != nil {
		return err
	}
	memory, err := b.installPeak()
	if err != nil {
		return err
	}
	growth := took[1].cpu.Seconds() / took[0].cpu.Seconds()
	b.rows = append(b.rows,
		row{"install of 2,000 secrets", took[1].String(), "pisec, 200: " + took[0].String(), fmt.Sprintf("%.1f times as long by processor time", growth), "10 times as long: linear", verdict(growth < 12)},
		row{"peak memory of install, 1,000 secrets", fmt.Sprintf("%.1f MiB", float64(memory)/1024), "-", "-", "under 20 MiB", verdict(memory < mostMemory)})
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

// installRun is a device with n secrets, ready to be installed.
type installRun struct {
	fleet fleet
	root  string   // to install below
	args  []string // of pisec
}

func (b *bench) newInstall(n int) (installRun, error) {
	f, versions, err := b.installFleet(n)
	if err != nil {
		return installRun{}, err
	}
	r := installRun{fleet: f, root: b.memory, args: []string{"install"}}
	if r.root == "" {
		r.root = "/dev/shm/pisec-bench"
		r.args = append(r.args, "--try", r.root)
	}
	m := manifest.Manifest{Schema: manifest.Schema, Host: hostName(0), HostKeys: []string{f.hostKey(hostName(0))}, Root: r.root}
	for name, version := range versions {
		m.Secrets = append(m.Secrets, manifest.Secret{Name: name, File: filepath.Join(f.root, "hosts", hostName(0), "secrets", name+".age"), Version: version})
		m.Files = append(m.Files, manifest.File{Secret: name, Path: "secrets/" + name, Mode: 0o400})
	}
	file, err := writeJSON(f.root, m)
	r.args = append(r.args, file)
	return r, err
}

// pisec measures one first run: nothing is there yet.
func (r installRun) pisec(b *bench) (cost, error) {
	if err := empty(r.root); err != nil {
		return cost{}, err
	}
	return timed(exec.Command(b.pisec, r.args...))
}

// loop decrypts the very files of pisec, by age.
func (r installRun) loop(b *bench) (cost, error) {
	const script = `umask 077; for f in "$1"/hosts/` + `*/secrets/*.age; do
  "$2" -d -i "$3" -o "$4/${f##*/}" "$f" || exit 1
done; chmod 400 "$4"/*.age`
	if err := empty(r.root); err != nil {
		return cost{}, err
	}
	return timed(exec.Command("sh", "-c", script, "sh", r.fleet.root, b.age, r.fleet.hostKey(hostName(0)), r.root))
}

func (b *bench) installPeak() (int64, error) {
	r, err := b.newInstall(installedPeak)
	if err != nil {
		return 0, err
	}
	if err := empty(r.root); err != nil {
		return 0, err
	}
	memory, err := peak(exec.Command(b.pisec, r.args...))
	return memory, errors.Join(err, empty(r.root))
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

// sopsFiles writes as many secrets of the same size, for as many readers, into
// one YAML file or a file each, and returns the arguments to install them. Every
// run writes a new generation on a ramfs that the first one mounts.
func (b *bench) sopsFiles(single bool) (args []string, err error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("sops-%t", single))
	key, err := b.sopsEncrypt(dir, single)
	if err != nil {
		return nil, err
	}
	m := sopsManifest{SecretsMountPoint: filepath.Join(dir, "mounted"), SymlinkPath: filepath.Join(dir, "current"), KeepGenerations: 1, AgeKeyFile: key}
	for i := range installed {
		name := secretName(i)
		s := sopsSecret{Name: name, Path: filepath.Join(m.SymlinkPath, name), SopsFile: filepath.Join(dir, name), Format: "binary", Mode: "0400"}
		if single {
			s.SopsFile, s.Format, s.Key = filepath.Join(dir, "all.yaml"), "yaml", name
		}
		m.Secrets = append(m.Secrets, s)
	}
	file, err := writeJSON(dir, m)
	return []string{"-ignore-passwd", file}, err
}

// sopsEncrypt writes the encrypted files, and tells where the private key is:
// that of the last of three readers, as the host's is in its documentation.
func (b *bench) sopsEncrypt(dir string, single bool) (key string, err error) {
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
