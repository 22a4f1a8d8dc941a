package manifest_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pistack/secrets/manifest"
)

const good = `{
  "schema": 2,
  "host": "rpi-box-01",
  "hostKeys": ["/etc/ssh/ssh_host_ed25519_key"],
  "root": "/run/pistack",
  "secrets": [
    {"name": "KEY", "file": "/nix/store/x-KEY.age", "version": "20260102T030405Z-00000001"},
    {"name": "PASSWORD", "file": "/nix/store/x-PASSWORD.age", "version": "20260102T030405Z-00000002"}
  ],
  "files": [
    {"secret": "KEY", "path": "secrets/KEY", "mode": "0400", "uid": 0, "gid": 0},
    {"secret": "PASSWORD", "path": "stacks/chat/PASSWORD", "mode": "444", "uid": 999, "gid": 998}
  ],
  "envFiles": [{"path": "env/chat.env", "secrets": ["KEY", "PASSWORD"]}],
  "logins": [{"registry": "docker.io", "secret": "KEY"}, {"registry": "registry.example.org:5000", "secret": "KEY"}]
}`

func TestRead(t *testing.T) {
	m, err := manifest.Read(strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	want := &manifest.Manifest{
		Schema: manifest.Schema, Host: "rpi-box-01", HostKeys: []string{"/etc/ssh/ssh_host_ed25519_key"}, Root: "/run/pistack",
		Secrets: []manifest.Secret{
			{Name: "KEY", File: "/nix/store/x-KEY.age", Version: "20260102T030405Z-00000001"},
			{Name: "PASSWORD", File: "/nix/store/x-PASSWORD.age", Version: "20260102T030405Z-00000002"},
		},
		Files: []manifest.File{
			{Secret: "KEY", Path: "secrets/KEY", Mode: 0o400},
			{Secret: "PASSWORD", Path: "stacks/chat/PASSWORD", Mode: 0o444, UID: 999, GID: 998},
		},
		EnvFiles: []manifest.EnvFile{{Path: "env/chat.env", Secrets: []string{"KEY", "PASSWORD"}}},
		Logins:   []manifest.Login{{Registry: "docker.io", Secret: "KEY"}, {Registry: "registry.example.org:5000", Secret: "KEY"}},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
	t.Run("a host without secrets", func(t *testing.T) {
		m, err := manifest.Read(strings.NewReader(`{"schema": 2, "host": "pi", "hostKeys": ["/k"], "root": "/run/pistack", "secrets": [], "files": [], "envFiles": [], "logins": []}`))
		if err != nil || len(m.Secrets) != 0 {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// TestReadRefuses changes the good manifest in one place each.
func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"newer schema", `"schema": 2`, `"schema": 3, "unheardOf": {}`, "the manifest has schema 3 and this pisec reads schema 2: system and pisec do not belong together"},
		{"no schema", `"schema": 2,`, ``, "the manifest has schema 0 and this pisec reads schema 2: system and pisec do not belong together"},
		{"schema as text", `"schema": 2`, `"schema": "2"`, "the manifest is not JSON: json: cannot unmarshal string into Go struct field .schema of type int"},
		{"not JSON", good, `schema = 2`, "the manifest is not JSON: invalid character 's' looking for beginning of value"},
		{"empty", good, ``, "the manifest is not JSON: unexpected end of JSON input"},
		{"cut short", `"env/chat.env"`, `"env/chat.env`, "the manifest is not JSON: "},
		{"more behind it", good, good + "{}", "the manifest is not JSON: invalid character '{' after top-level value"},
		{"unknown key", `"host":`, `"hosts": [], "host":`, `the manifest is not valid: json: unknown field "hosts"`},
		{"unknown key inside", `"uid": 999`, `"owner": "x", "uid": 999`, `the manifest is not valid: json: unknown field "owner"`},
		{"no host", `"rpi-box-01"`, `""`, "manifest: host is empty"},
		{"no host keys", `["/etc/ssh/ssh_host_ed25519_key"]`, `[]`, "manifest: hostKeys is empty"},
		{"relative host key", `"/etc/ssh/`, `"ssh/`, `manifest: host key "ssh/ssh_host_ed25519_key" is not an absolute path`},
		{"relative root", `"/run/pistack"`, `"run/pistack"`, `manifest: root "run/pistack" is not a clean absolute path`},
		{"root is /", `"/run/pistack"`, `"/"`, `manifest: root "/" is not a clean absolute path`},
		{"root climbs", `"/run/pistack"`, `"/run/../etc"`, `manifest: root "/run/../etc" is not a clean absolute path`},
		{"root ends in a slash", `"/run/pistack"`, `"/run/pistack/"`, `manifest: root "/run/pistack/" is not a clean absolute path`},
		{"secret twice", `"name": "PASSWORD"`, `"name": "KEY"`, "manifest: secret KEY is declared twice\nmanifest: stacks/chat/PASSWORD: secret \"PASSWORD\" is not declared\nmanifest: env/chat.env: secret \"PASSWORD\" is not declared"},
		{"secret without a version", `"20260102T030405Z-00000001"`, `""`, `manifest: secret "KEY" has no name or version`},
		{"relative secret file", `"/nix/store/x-KEY.age"`, `"x-KEY.age"`, `manifest: secret KEY: file "x-KEY.age" is not an absolute path`},
		{"file of an unknown secret", `"secret": "KEY"`, `"secret": "NOPE"`, `manifest: secrets/KEY: secret "NOPE" is not declared`},
		{"env file of an unknown secret", `["KEY", "PASSWORD"]`, `["KEY", "NOPE"]`, `manifest: env/chat.env: secret "NOPE" is not declared`},
		{"file outside", `"secrets/KEY"`, `"../KEY"`, `manifest: path "../KEY" is not a clean path below secrets/ or stacks/`},
		{"file climbs", `"secrets/KEY"`, `"secrets/../../etc/passwd"`, `manifest: path "secrets/../../etc/passwd" is not a clean path below secrets/ or stacks/`},
		{"file absolute", `"secrets/KEY"`, `"/secrets/KEY"`, `manifest: path "/secrets/KEY" is not a clean path below secrets/ or stacks/`},
		{"file in env/", `"secrets/KEY"`, `"env/KEY"`, `manifest: path "env/KEY" is not a clean path below secrets/ or stacks/`},
		{"file is the folder", `"secrets/KEY"`, `"secrets/"`, `manifest: path "secrets/" is not a clean path below secrets/ or stacks/`},
		{"file with two slashes", `"secrets/KEY"`, `"secrets//KEY"`, `manifest: path "secrets//KEY" is not a clean path below secrets/ or stacks/`},
		{"file with a NUL", `"secrets/KEY"`, `"secrets/K\u0000"`, `manifest: path "secrets/K\x00" is not a clean path below secrets/ or stacks/`},
		{"file twice", `"stacks/chat/PASSWORD"`, `"secrets/KEY"`, `manifest: path "secrets/KEY" stands there twice`},
		{"file in another's place", `"stacks/chat/PASSWORD"`, `"secrets/KEY/PASSWORD"`, `manifest: path "secrets/KEY/PASSWORD" is below the file "secrets/KEY"`},
		{"env file in stacks/", `"env/chat.env"`, `"stacks/chat.env"`, `manifest: path "stacks/chat.env" is not a clean path below env/`},
		{"login with an unknown secret", `"docker.io", "secret": "KEY"`, `"docker.io", "secret": "NOPE"`, `manifest: logins: registry docker.io: secret "NOPE" is not declared`},
		{"registry twice", `"registry.example.org:5000"`, `"docker.io"`, `manifest: logins: registry docker.io stands there twice`},
		{"registry is a URL", `"docker.io"`, `"https://docker.io"`, `manifest: logins: "https://docker.io" is not the host, or host:port, of a registry`},
		{"registry with a path", `"docker.io"`, `"docker.io/library"`, `manifest: logins: "docker.io/library" is not the host, or host:port, of a registry`},
		{"no registry", `"docker.io"`, `""`, `manifest: logins: "" is not the host, or host:port, of a registry`},
		{"negative owner", `"uid": 999`, `"uid": -1`, "manifest: stacks/chat/PASSWORD: uid and gid must not be negative"},
		{"mode with a special bit", `"0400"`, `"4400"`, `the manifest is not valid: mode "4400" is not of the form "0400"`},
		{"mode of five digits", `"0400"`, `"00400"`, `the manifest is not valid: mode "00400" is not of the form "0400"`},
		{"mode in decimal", `"0400"`, `"0800"`, `the manifest is not valid: mode "0800" is not of the form "0400"`},
		{"mode as a number", `"0400"`, `256`, `the manifest is not valid: mode 256 is not a string`},
		{"mode null", `"0400"`, `null`, `the manifest is not valid: mode "" is not of the form "0400"`},
		{"mode signed", `"0400"`, `"+400"`, `the manifest is not valid: mode "+400" is not of the form "0400"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatal("nothing was replaced")
			}
			if _, err := manifest.Read(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error:\n%v\nwant:\n%s", err, c.want)
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		_, err := manifest.Read(bytes.NewReader(bytes.Repeat([]byte{' '}, manifest.MaxSize+1)))
		if err == nil || err.Error() != "the manifest is larger than 16 MiB" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("several at once", func(t *testing.T) {
		text := strings.NewReplacer(`"rpi-box-01"`, `""`, `"/run/pistack"`, `""`, `"uid": 999`, `"uid": -1`).Replace(good)
		_, err := manifest.Read(strings.NewReader(text))
		if err == nil || strings.Count(err.Error(), "\n") != 2 {
			t.Errorf("error:\n%v\nwant three lines", err)
		}
	})
}

// FuzzRead: what Read accepts is written as something that reads the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"schema": 2, "host": "pi", "hostKeys": ["/k"], "root": "/r", "secrets": null, "files": null, "envFiles": null}`))
	f.Add([]byte(`{"schema": 2, "Host": "pi", "hostKeys": ["/k"], "root": "/r", "secrets": [{"name":"A","file":"/a","version":"v"}], "files": [{"secret":"A","path":"secrets/a/b","mode":"0000","uid":1,"gid":2}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := manifest.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		written, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := manifest.Read(bytes.NewReader(written))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%+v\nis written as %s\nand reads back as %+v, %v", m, written, again, err)
		}
		for _, file := range m.Files {
			if strings.Contains(file.Path, "..") || strings.HasPrefix(file.Path, "/") || file.Mode > 0o777 || file.UID < 0 {
				t.Errorf("accepted %+v", file)
			}
		}
	})
}
