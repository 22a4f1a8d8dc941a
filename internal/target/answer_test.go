package target

import (
	"strings"
	"testing"
)

const whole = "pistack\t1\nhostname\tpi\narch\taarch64\nkernel\t6.12\nboot_id\tx\nnow\t1\nuptime\t2\nrunning\t/a\nbooted\t/b\nbooted_kernel\t/k\nreboot\tno\n" +
	"profile\t/p\ngeneration\t3\nstore_free\t4\ndocker_free\t5\nundo\t\nundo_id\t\nfailed\tb\nfailed\ta\nend\t\n"

// TestAnswers: what is not exactly an answer is none.
func TestAnswers(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"as it should be", "", "", ""},
		{"cut off", "end\t\n", "", "its end is missing"},
		{"cut off in the middle", "\nend\t\n", "", "its end is missing"},
		{"something before it", "pistack\t1", "Welcome!\npistack\t1", "does not begin"},
		{"another version", "pistack\t1", "pistack\t2", "does not begin"},
		{"a line without a tab", "now\t1\n", "now 1\n", `line "now 1\n"`},
		{"a key that is none", "now\t1", "Now\t1", "line"},
		{"a key that nobody knows", "now\t1", "now\t1\nmore\t1", `key "more"`},
		{"a key twice", "now\t1", "now\t1\nnow\t1", `2 values of "now"`},
		{"a key too few", "now\t1\n", "", `0 values of "now"`},
		{"no number", "now\t1", "now\tx", `now "x" is no number`},
		{"a negative number", "store_free\t4", "store_free\t-4", "is no number"},
		{"a number too large", "store_free\t4", "store_free\t99999999999999999999", "is no number"},
		{"no path", "running\t/a", "running\ta", `running "a" is no path`},
		{"neither yes nor no", "reboot\tno", "reboot\tmaybe", "neither yes nor no"},
		{"an undo state that is none", "undo\t\n", "undo\tlater\n", `undo "later"`},
		{"not UTF-8", "kernel\t6.12", "kernel\t\xff", "not UTF-8"},
		{"a receipt that is not base64", "end\t\n", "receipt\t!\nend\t\n", "receipt"},
		{"half an owner", "end\t\n", "lock.id\tx\nend\t\n", `values of "lock.user"`},
		{"endless", "now\t1\n", strings.Repeat("failed\tx\n", maxLines+1), "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := parse([]byte(strings.Replace(whole, c.old, c.new, 1)))
			if err == nil {
				a.state()
				err = a.finish()
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// FuzzAnswers: whatever a machine says, it is read without harm; what is read
// whole is read the same again.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(strings.Replace(whole, "end\t\n", "lock.id\ta\nlock.user\tb\nlock.from\tc\nlock.revision\td\nlock.dirty\tno\nlock.since\t5\nreceipt\te30=\nend\t\n", 1)))
	f.Add([]byte("pistack\t1\ncontainer\ta\tb\tc\td\te\tf\tg\t1\t2\ncurrent\tsystem-1-link\ngeneration\tsystem-1-link\t5\t/x\nend\t\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		a, err := parse(out)
		if err != nil {
			return
		}
		var b strings.Builder
		b.WriteString("pistack\t1\n")
		for key, values := range a.values {
			for _, v := range values {
				b.WriteString(key + "\t" + v + "\n")
			}
		}
		b.WriteString("end\t\n")
		if len(b.String()) != len(out) {
			t.Fatalf("%d bytes were read as %d", len(out), b.Len())
		}
		again, err := parse([]byte(b.String()))
		if err != nil || len(again.values) != len(a.values) {
			t.Fatalf("not the same again: %v", err)
		}
		for _, value := range a.list("container") {
			a.stackContainer(value)
		}
		if len(a.values["current"]) == 1 {
			a.generations()
		}
		s := a.state()
		if a.finish() == nil && (s.StoreFree < 0 || s.Generation < 0 || s.Running != "" && s.Running[0] != '/') {
			t.Fatalf("taken: %+v", s)
		}
	})
}

// FuzzPlain: what goes into the lock is one line that the machine gives back.
func FuzzPlain(f *testing.F) {
	f.Add("ada\tlovelace\n")
	f.Add("\xff\x00ö")
	f.Fuzz(func(t *testing.T, text string) {
		got := plain(text)
		if strings.ContainsAny(got, "\t\n\x00") || plain(got) != got || len([]rune(got)) > 200 {
			t.Errorf("%q became %q", text, got)
		}
		if _, err := parse([]byte("pistack\t1\nuser\t" + got + "\nend\t\n")); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	})
}
