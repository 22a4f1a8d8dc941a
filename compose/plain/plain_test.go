package plain_test

import (
	"slices"
	"strings"
	"testing"

	"pistack/compose/plain"
)

const github = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"

func TestHide(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"T", "", ""},
		{"T", "plain text: of no interest", "plain text: of no interest"},
		{"T", github, "(hidden)"},
		{"T", "a " + github + " b " + github, "a (hidden) b (hidden)"},
		{"T", "-----BEGIN RSA PRIVATE KEY-----\ncanary\n", "(hidden)"},
		{"T", "pg://u:canary@db/x", "pg://u:***@db/x"},
		{"T", "https://x/?a=1&token=canary", "https://x/?a=1&token=(hidden)"},
		{"T", "-Xmx1g -Ddb.password=canary", "-Xmx1g -Ddb.password=(hidden)"},
		{"T", "app --token canary --level info", "app --token (hidden) --level info"},
		{"T", "app --env=DB_PASS=canary", "app --env=DB_PASS=(hidden)"},
		{"T", `app --password="can ary" x`, `app --password=(hidden) x`},
		{"T", `{"password": "canary", "a": 1}`, `{"password": (hidden) "a": 1}`},
		{"T", `{"password":"canary"}`, `{"password":(hidden)`},
		{"T", "Authorization: Bearer canary", "Authorization: Bearer (hidden)"},
		{"T", "--password=(secret DB)", "--password=(secret DB)"},
		{"T", "--password=(secret DB)canary", "--password=(hidden)"},
		{"T", "--token-file=/run/secrets/t", "--token-file=/run/secrets/t"},
		{"T", "registry.example/secret-app:1.2", "registry.example/secret-app:1.2"},
		{"api_token", "canary", "(hidden)"},
		{"app.api-key", "canary", "(hidden)"},
		{"DB_PASS", "canary", "(hidden)"},
		{"DB_PASSWORD", "(secret DB)", "(secret DB)"},
		{"DB_PASSWORD_FILE", "/run/secrets/db", "/run/secrets/db"},
		{"DB_PASSWORD_FILE", "canary", "(hidden)"},
	} {
		if got := plain.Hide(c.name, c.value); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestHideWords(t *testing.T) {
	got := plain.HideWords("command", []string{"app", "--token", "canary", "-e", "API_KEY=canary", "--password=canary", "--level", "info", github})
	want := []string{"app", "--token", "(hidden)", "-e", "API_KEY=(hidden)", "--password=(hidden)", "--level", "info", "(hidden)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := plain.HideWords("api_tokens", []string{"canary"}); !slices.Equal(got, []string{"(hidden)"}) {
		t.Errorf("got %q", got)
	}
}

// FuzzHide: whatever stands around a token, it is not shown; and hiding twice
// hides nothing more.
func FuzzHide(f *testing.F) {
	for _, text := range []string{"", "--token=", "a: ", `{"password": "`, "pg://u:", "(secret A)", "-----BEGIN PRIVATE KEY-----"} {
		f.Add("T", text, " b")
	}
	f.Fuzz(func(t *testing.T, name, before, after string) {
		text := before + " " + github + " " + after
		if got := plain.Hide(name, text); strings.Contains(got, github) {
			t.Errorf("%q is shown as %q", text, got)
		}
		if once := plain.Mask(text); plain.Mask(once) != once {
			t.Errorf("%q: %q, then %q", text, once, plain.Mask(once))
		}
	})
}
