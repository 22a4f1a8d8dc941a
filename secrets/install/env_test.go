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
