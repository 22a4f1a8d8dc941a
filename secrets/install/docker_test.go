package install

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"pistack/secrets"
	"pistack/secrets/manifest"
)

// resolve asks Docker's own reader of such files for the credentials of an image's
// registry.
func resolve(t *testing.T, config []byte, image string) *authn.AuthConfig {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", dir)
	reference, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	found, err := authn.DefaultKeychain.Resolve(reference.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := found.Authorization()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestDockerConfig(t *testing.T) {
	config, err := dockerConfig(
		[]manifest.Login{{Registry: "docker.io", Secret: "HUB"}, {Registry: "ghcr.io", Secret: "GHCR"}, {Registry: "nas.local:5000", Secret: "HUB"}},
		values{"HUB": []byte("me:a:b"), "GHCR": []byte("you:ghp_x")})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"auths":{"ghcr.io":{"auth":"eW91OmdocF94"},"https://index.docker.io/v1/":{"auth":"bWU6YTpi"},"nas.local:5000":{"auth":"bWU6YTpi"}}}`
	if string(config) != want {
		t.Errorf("got %s", config)
	}
	for image, user := range map[string]string{
		"nginx": "me", "docker.io/a/b:1": "me", "ghcr.io/a/b": "you", "nas.local:5000/x": "me", "nas.local:5001/x": "", "quay.io/a/b": "",
	} {
		if got := resolve(t, config, image); got.Username != user {
			t.Errorf("%s is pulled as %q, want %q", image, got.Username, user)
		}
	}
}

// TestDockerConfigRefuses: every culprit is named, and nothing of a value.
func TestDockerConfigRefuses(t *testing.T) {
	config, err := dockerConfig(
		[]manifest.Login{{Registry: "a.example", Secret: "GOOD"}, {Registry: "b.example", Secret: "TOKEN"}, {Registry: "c.example", Secret: "LINE"}},
		values{"GOOD": []byte("me:canary"), "TOKEN": []byte("canary"), "LINE": []byte("me:canary\n")})
	if err == nil || config != nil {
		t.Fatalf("%s, %v", config, err)
	}
	const want = "secret TOKEN is no login of the registry b.example: it has to be user:token, on one line\n" +
		"secret LINE is no login of the registry c.example: it has to be user:token, on one line"
	if err.Error() != want {
		t.Errorf("error:\n%v\nwant:\n%s", err, want)
	}
}

// FuzzDockerConfig: whatever a value is, Docker reads the very user and token from
// the file, or it is refused without being quoted.
func FuzzDockerConfig(f *testing.F) {
	f.Add("me:token")
	f.Add("a b:c:d")
	f.Add("<token>:\"\\")
	f.Add("\xff:ü")
	f.Add("\u2028:</script>")
	f.Fuzz(func(t *testing.T, value string) {
		config, err := dockerConfig([]manifest.Login{{Registry: "docker.io", Secret: "S"}}, values{"S": []byte(value)})
		if err != nil {
			if secrets.CheckLogin([]byte(value)) == nil || err.Error() != "secret S is no login of the registry docker.io: it has to be user:token, on one line" {
				t.Fatalf("%q: %v", value, err)
			}
			return
		}
		var read struct {
			Auths map[string]struct{ Auth []byte }
		}
		if err := json.Unmarshal(config, &read); err != nil || len(read.Auths) != 1 || string(read.Auths[hubKey].Auth) != value {
			t.Fatalf("%q is written as %s: %v", value, config, err)
		}
		user, token, _ := strings.Cut(value, ":")
		if got := resolve(t, config, "nginx"); got.Username != user || got.Password != token {
			t.Fatalf("%q: Docker reads %q and %q", value, got.Username, got.Password)
		}
	})
}
