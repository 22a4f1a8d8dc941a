package scaffold_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"pistack/internal/scaffold"
)

func TestPlaces(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	const other = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg="
	ageFile := "# created: today\n" + identity.String() + "\n"
	recipient := identity.Recipient().String()
	for _, c := range []struct {
		name            string
		files           map[string]string
		operator, login string
	}{
		{"nothing", nil, "", ""},
		{"ssh first", map[string]string{".ssh/id_ed25519.pub": key + "\n", ".config/age/keys.txt": ageFile}, key, key},
		{"age", map[string]string{".config/age/keys.txt": ageFile}, recipient, ""},
		{"sops", map[string]string{"elsewhere/sops/age/keys.txt": ageFile, ".ssh/id_ecdsa.pub": other}, recipient, other},
		{"said by sops", map[string]string{"sops-says": ageFile}, recipient, ""},
		{"no key in the files", map[string]string{".ssh/id_ed25519.pub": "junk", ".config/age/keys.txt": "junk", "sops-says": strings.Repeat("#", 70<<10)}, "", ""},
		{"another kind under the name", map[string]string{".ssh/id_ed25519.pub": other}, "", other},
	} {
		home := t.TempDir()
		for name, text := range c.files {
			path := filepath.Join(home, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p := scaffold.Places{Home: home, Config: filepath.Join(home, "elsewhere"), AgeFile: filepath.Join(home, "sops-says")}
		operator, found := p.Operator()
		if operator.Text != c.operator || found != (c.operator != "") {
			t.Errorf("%s: operator %+v, want %q", c.name, operator, c.operator)
		}
		if login, _ := p.Login(); login.Text != c.login {
			t.Errorf("%s: login %+v, want %q", c.name, login, c.login)
		}
	}
}

func TestAuthorizedKey(t *testing.T) {
	if line, err := scaffold.AuthorizedKey("  command=\"x\" " + key + "\n"); err != nil || line != key {
		t.Errorf("%q, %v", line, err)
	}
	for _, text := range []string{"", "age1x", key + "\n" + key, "-----BEGIN"} {
		if line, err := scaffold.AuthorizedKey(text); err == nil {
			t.Errorf("%q gives %q", text, line)
		}
	}
}
