package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
)

const rekeyed = 1000 // secrets of the one host

// rekey gives a host a new key and rekeys its secrets for it: by pisec, by a
// shell loop over age, and by age in this process, without files.
func (b *bench) rekey() error {
	f, err := newFleet(filepath.Join(b.dir, "rekey"), 1)
	if err != nil {
		return err
	}
	host := hostName(0)
	if _, err := f.fill(host, rekeyed); err != nil {
		return err
	}
	took, err := takeTurns(3, []contestant{
		{"pisec", func() (cost, error) {
			if err := f.pin(host); err != nil {
				return cost{}, err
			}
			return timed(exec.Command(b.pisec, "rekey", "--fleet", f.root, "--identity", f.identity, "--yes"))
		}},
		{"shell loop over age, 1,000 decrypt and encrypt, no sync", func() (cost, error) { return b.rekeyLoop(f, host) }},
		{"age in one process on one core, in memory", func() (cost, error) { return f.rekeyInProcess(host, 1) }},
		{"the same on all cores", func() (cost, error) { return f.rekeyInProcess(host, runtime.GOMAXPROCS(0)) }},
	})
	if err != nil {
		return err
	}
	const what = "rekey of 1,000 secrets with 3 readers, durable"
	b.rows = append(b.rows,
		beside(what, took[0], "shell loop over age, 1,000 decrypt and encrypt, no sync", took[1], 20),
		beside(what, took[0], "age in one process on one core, in memory", took[2], 1.0/3),
		beside(what, took[0], "the same on all cores", took[3], 1.0/3))
	return nil
}

// rekeyLoop is what one would write by hand. It syncs nothing.
func (b *bench) rekeyLoop(f fleet, host string) (cost, error) {
	readers, err := f.readers(host)
	if err != nil {
		return cost{}, err
	}
	var list []string
	for _, r := range readers {
		list = append(list, r.Text)
	}
	if err := f.write("readers", strings.Join(list, "\n")+"\n"); err != nil {
		return cost{}, err
	}
	const script = `cd "$1" && rm -rf loop && mkdir loop && for f in hosts/` + `*/secrets/*.age; do
  "$2" -d -i operator "$f" | "$2" -a -R readers -o "loop/${f##*/}" || exit 1
done && test $(ls loop | wc -l) = "$3"`
	return timed(exec.Command("sh", "-c", script, "sh", f.root, b.age, "1000"))
}

// rekeyInProcess decrypts and encrypts every secret in memory, by age alone, on
// some cores.
func (f fleet) rekeyInProcess(host string, cores int) (cost, error) {
	key, err := os.ReadFile(f.identity)
	if err != nil {
		return cost{}, err
	}
	identity, err := agessh.ParseIdentity(key)
	if err != nil {
		return cost{}, err
	}
	readers, err := f.readers(host)
	if err != nil {
		return cost{}, err
	}
	var recipients []age.Recipient
	for _, r := range readers {
		recipients = append(recipients, r.Recipient)
	}
	names, err := filepath.Glob(filepath.Join(f.root, "hosts", host, "secrets", "*.age"))
	if err != nil {
		return cost{}, err
	}
	var files [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return cost{}, err
		}
		files = append(files, data)
	}
	start, before := time.Now(), ownProcessors()
	var all sync.WaitGroup
	problems := make([]error, cores)
	for core := range cores {
		all.Go(func() {
			for i := core; i < len(files); i += cores {
				problems[core] = errors.Join(problems[core], reencrypt(files[i], identity, recipients))
			}
		})
	}
	all.Wait()
	return cost{wall: time.Since(start), cpu: ownProcessors() - before}, errors.Join(problems...)
}

func reencrypt(data []byte, identity age.Identity, recipients []age.Recipient) error {
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(data)), identity)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, recipients...)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, plain)
	return errors.Join(err, w.Close(), armored.Close())
}
