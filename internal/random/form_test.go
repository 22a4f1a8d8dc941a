package random_test

import (
	"bytes"
	"regexp"
	"testing"

	"pistack/internal/random"
)

func TestRandom(t *testing.T) {
	for form, want := range map[string]string{
		"":          `^[A-Za-z0-9]{32}$`,
		"alnum:20":  `^[A-Za-z0-9]{20}$`,
		"hex:32":    `^[0-9a-f]{64}$`,
		"base64:32": `^[A-Za-z0-9+/]{43}=$`,
		"words:8":   `^([a-z-]{3,}-){7}[a-z-]{3,}$`,
	} {
		f, err := random.ParseForm(form)
		if err != nil {
			t.Fatal(err)
		}
		one, err1 := f.Value()
		two, err2 := f.Value()
		if err1 != nil || err2 != nil || bytes.Equal(one, two) {
			t.Fatalf("%q: %v %v, twice the same: %t", form, err1, err2, bytes.Equal(one, two))
		}
		if !regexp.MustCompile(want).Match(one) {
			t.Errorf("%q gives %q", form, one)
		}
	}
}

func TestRandomFormsThatAreRefused(t *testing.T) {
	for _, form := range []string{"alnum", "alnum:", "alnum:x", "alnum:-1", "alnum:15", "hex:11", "hex:5000", "words:7", "words:", ":32", "hex:32:1"} {
		if _, err := random.ParseForm(form); err == nil {
			t.Errorf("%q was accepted", form)
		}
	}
}
