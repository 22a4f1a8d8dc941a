package install_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pistack/secrets"
	"pistack/secrets/install"
	"pistack/secrets/manifest"
)

// TestWorkGrowsLinearly counts allocations, which are the same on every machine:
// four times the secrets may cost little more than four times the work, in a
// first run, in one that changes nothing, and in a check.
func TestWorkGrowsLinearly(t *testing.T) {
	const few, many, most = 50, 200, 4.5
	small, large := work(t, few), work(t, many)
	for kind, n := range small {
		if ratio := large[kind] / n; ratio > most {
			t.Errorf("%s: %.0f allocations for %d secrets, %.0f for %d: %.1f times as many", kind, n, few, large[kind], many, ratio)
		}
	}
}

// BenchmarkInstall200 is a first run with 200 secrets.
func BenchmarkInstall200(b *testing.B) {
	d := newDevice(b)
	m := d.manifest(d.addMany(200)...)
	for b.Loop() {
		os.RemoveAll(d.root)
		os.Mkdir(d.root, 0o700)
		d.mustInstall(m)
	}
}

func work(t *testing.T, n int) map[string]float64 {
	d := newDevice(t)
	data := mustJSON(t, d.manifest(d.addMany(n)...))
	read := func() *manifest.Manifest {
		m, err := manifest.Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	return map[string]float64{
		"first run": testing.AllocsPerRun(1, func() {
			os.RemoveAll(d.root)
			os.Mkdir(d.root, 0o700)
			d.mustInstall(read())
		}),
		"same again": testing.AllocsPerRun(1, func() { d.mustInstall(read()) }),
		"check": testing.AllocsPerRun(1, func() {
			if err := install.Check(read()); err != nil {
				t.Fatal(err)
			}
		}),
	}
}

// addMany encrypts n values in one transaction, and tells the secrets' names.
func (d *device) addMany(n int) (names []string) {
	d.t.Helper()
	store := secrets.Store{Root: filepath.Join(d.dir, "many")}
	var all []*secrets.Addition
	for i := range n {
		name := fmt.Sprintf("SECRET_%d", i)
		a, err := store.Plan(host, name, []byte("value of "+name), d.readers, true, time.Now())
		if err != nil {
			d.t.Fatal(err)
		}
		d.files[name], d.version[name] = filepath.Join(store.Root, a.File), a.Label.Version
		all, names = append(all, a), append(names, name)
	}
	if err := store.Apply(all...); err != nil {
		d.t.Fatal(err)
	}
	return names
}
