package audit_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"pistack/internal/audit"
	"pistack/secrets"
)

// The history of BenchmarkAudit: every secret gets a new value in every round,
// and every host its commit.
const (
	benchHosts   = 20
	benchSecrets = 20 // of each host
	benchRounds  = 10
)

// BenchmarkAudit audits a history of 4,000 ciphertexts with 3 readers each: two
// processes of Git, all headers, and the work tree of 400 secrets. Half of the
// hosts had another key in the first half of the rounds.
//
//	go test -run '^$' -bench '^BenchmarkAudit$' -benchtime 5x ./internal/audit
func BenchmarkAudit(b *testing.B) {
	w := newWorld(b)
	f := w.grow()
	b.ResetTimer()
	for b.Loop() {
		a, err := audit.Of(b.Context(), f.load(), false)
		if err != nil {
			b.Fatal(err)
		}
		keys, values := audit.Alarms(a.View(audit.Query{}))
		if a.Files != benchHosts*benchSecrets*benchRounds || keys != 0 || values != 0 {
			b.Fatalf("%d files, %d keys, %d values", a.Files, keys, values)
		}
	}
	b.ReportMetric(float64(benchHosts*benchSecrets*benchRounds), "ciphertexts")
}

// grow writes the benchmark's history with git fast-import.
func (w *world) grow() *world {
	w.t.Helper()
	w.operators("op", "op2")
	var stream bytes.Buffer
	commits := 0
	commit := func(files map[string][]byte) {
		commits++
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter Ann <ann@example.org> %d +0000\ndata 0\n", 1_700_000_000+60*commits)
		for name, content := range files {
			fmt.Fprintf(&stream, "M 100644 inline %s\ndata %d\n%s\n", name, len(content), content)
		}
	}
	commit(map[string][]byte{"fleet.toml": []byte(fmt.Sprintf("operators = [%q, %q]\n", w.people["op"].text, w.people["op2"].text))})
	for round := range benchRounds {
		for i := range benchHosts {
			host, key := fmt.Sprintf("host-%02d", i), w.people["pi"]
			if i%2 == 0 && round < benchRounds/2 {
				key = w.people["pi2"]
			}
			files := map[string][]byte{
				"hosts/" + host + "/host.toml":                []byte("address = \"a.local\"\nsystem = \"aarch64-linux\"\n"),
				"hosts/" + host + "/ssh_host_ed25519_key.pub": []byte(key.text + "\n"),
			}
			for n := range benchSecrets {
				label := secrets.Label{Host: host, Name: fmt.Sprintf("SECRET_%02d", n), Version: fmt.Sprintf("20260101T0000%02dZ-%04x%04x", round, i, n)}
				files[secrets.File(host, label.Name)] = w.seal(label, key, w.people["op"], w.people["op2"])
			}
			commit(files)
		}
	}
	cmd := exec.Command("git", "-C", w.root, "fast-import", "--quiet")
	cmd.Stdin = &stream
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	w.git("reset", "--quiet", "--hard", "main")
	w.git("clean", "--quiet", "-fdx")
	return w
}

// seal encrypts a value of 40 bytes, as add does.
func (w *world) seal(label secrets.Label, readers ...person) []byte {
	w.t.Helper()
	recipients := []age.Recipient{label}
	for _, p := range readers {
		r, err := secrets.ParseReader("reader", p.text, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		recipients = append(recipients, r.Recipient)
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	plain, err := age.Encrypt(armored, recipients...)
	if err == nil {
		_, err = plain.Write([]byte(strings.Repeat("v", 40)))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if err := plain.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err := armored.Close(); err != nil {
		w.t.Fatal(err)
	}
	return out.Bytes()
}

// TestSeal: what the benchmark encrypts is a secret with those readers.
func TestSeal(t *testing.T) {
	w := newWorld(t)
	label := secrets.Label{Host: "pi", Name: "A", Version: "20260101T000000Z-00000000"}
	w.write(secrets.File("pi", "A"), string(w.seal(label, w.people["pi"], w.people["op"])))
	a := w.audit(false)
	if len(a.Values) != 1 || a.Values[0].Version != label.Version || len(a.Values[0].Access) != 2 || a.Problems != nil {
		t.Errorf("%+v", a)
	}
}
