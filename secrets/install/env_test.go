package install

import (
	"bytes"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

// FuzzQuoteEnv proves the encoder against the parser that will read it: what
// Docker Compose makes of the file is the very value.
func FuzzQuoteEnv(f *testing.F) {
	for _, s := range []string{"", "plain", "a b", `back\slash`, `"quoted"`, "$HOME ${X} $$", "line\nbreak\r\n", "#no comment", "'single'", "\t tab ", "ü€😀", "\xff\xfe", `\n`, "=", "`cmd`"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if bytes.IndexByte(value, 0) >= 0 {
			t.Skip("no environment variable holds a NUL byte")
		}
		file, err := envFile([]string{"A", "SECRET", "Z"}, values{"A": []byte("1"), "SECRET": value, "Z": []byte("2")})
		if err != nil {
			t.Fatal(err)
		}
		got, err := dotenv.ParseWithLookup(bytes.NewReader(file), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatalf("Compose cannot read %q: %v", file, err)
		}
		if got["SECRET"] != string(value) || got["A"] != "1" || got["Z"] != "2" || len(got) != 3 {
			t.Fatalf("wrote %q, Compose reads %q", value, got)
		}
	})
}

func TestEnvFileRefusesNUL(t *testing.T) {
	_, err := envFile([]string{"S"}, values{"S": []byte("poison\x00rest")})
	if err == nil || bytes.Contains([]byte(err.Error()), []byte("poison")) {
		t.Fatalf("want a refusal that does not quote the value, got %v", err)
	}
}

// FuzzEnvFile: whatever names and values a manifest asks for, Compose reads
// those very pairs, or nothing is written.
func FuzzEnvFile(f *testing.F) {
	f.Add("A", "B", []byte("one"), []byte("two\n# three"))
	f.Add("A=1\nB", "C", []byte("x"), []byte(`\"`))
	f.Add("export A", "_", []byte("$"), []byte("'"))
	f.Fuzz(func(t *testing.T, a, b string, first, second []byte) {
		want := values{a: first, b: second}
		file, err := envFile([]string{a, b}, want)
		if err != nil {
			return
		}
		got, err := dotenv.ParseWithLookup(bytes.NewReader(file), func(string) (string, bool) { return "", false })
		if err != nil || len(got) != len(want) {
			t.Fatalf("wrote %q, Compose reads %q, %v", file, got, err)
		}
		for name, value := range want {
			if got[name] != string(value) {
				t.Fatalf("%s: wrote %q, Compose reads %q", name, value, got[name])
			}
		}
	})
}

func TestEnvFileRefusesNames(t *testing.T) {
	for _, name := range []string{"", "A=1\nB", "A B", "1A", "export A"} {
		if _, err := envFile([]string{name}, values{name: []byte("x")}); err == nil {
			t.Errorf("%q became a line of an env file", name)
		}
	}
}
