package build

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSSH puts a program in the place of ssh that prints a text and keeps its
// arguments.
func fakeSSH(t *testing.T, script string) (arguments string) {
	t.Helper()
	dir := t.TempDir()
	arguments = filepath.Join(dir, "arguments")
	text := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$@\" >%s\n%s\n", arguments, script)
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return arguments
}

const (
	graph      = `[["Backing Filesystem","extfs"]]`
	containerd = `[["driver-type","io.containerd.snapshotter.v1"]]`
)

// TestMissing: by name, and by id where the engine's ids are those of images.
func TestMissing(t *testing.T) {
	a, b := "pistack.invalid/shop-web:"+one[7:], "pistack.invalid/shop-web:"+two[7:]
	for _, c := range []struct{ name, store, list, want string }{
		{"all there", graph, a + " " + one + "\n" + b + " " + two, "[]"},
		{"one there", graph, a + " " + one, "[" + b + "]"},
		{"none", graph, "", "[" + a + " " + b + "]"},
		{"another under its name", graph, a + " " + two + "\n" + b + " " + two, "[" + a + "]"},
		{"ids of containerd are others", containerd, a + " sha256:3\n" + b + " sha256:4", "[]"},
		{"none, with containerd", containerd, "<none>:<none> " + one, "[" + a + " " + b + "]"},
	} {
		arguments := fakeSSH(t, fmt.Sprintf("cat <<'END'\n%s\n%s\nEND", c.store, c.list))
		missing, err := Missing(t.Context(), Target{Config: "/state/ssh_config", Host: "pi"}, []string{a, b})
		if got := fmt.Sprint(missing); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
		if said, err := os.ReadFile(arguments); err != nil || !strings.HasPrefix(string(said), "-F\n/state/ssh_config\npi\ndocker info ") {
			t.Errorf("%s, %v", said, err)
		}
	}
	arguments := fakeSSH(t, "exit 255")
	if missing, err := Missing(t.Context(), Target{Host: "pi"}, nil); missing != nil || err != nil {
		t.Errorf("%v, %v", missing, err)
	}
	if _, err := os.Stat(arguments); err == nil {
		t.Error("a host was asked for nothing")
	}
	if _, err := Missing(t.Context(), Target{Host: "pi", Sudo: true}, []string{a}); err == nil || !strings.HasPrefix(err.Error(), "pi: its images cannot be listed: ssh: exit status 255") {
		t.Errorf("error %v", err)
	}
	if said, err := os.ReadFile(arguments); err != nil || strings.Count(string(said), "sudo -n docker ") != 2 {
		t.Errorf("%s, %v", said, err)
	}
}

// TestLayersOf: what a host with containerd is sent has to be complete.
func TestLayersOf(t *testing.T) {
	for store, want := range map[string]string{graph: `["a b" "c"]`, containerd: `[]`} {
		fakeSSH(t, fmt.Sprintf("cat <<'END'\n%s\n[\"a\",\"b\"]\nnull\n[\"c\"]\nEND", store))
		layers, err := layersOf(t.Context(), Target{Host: "pi"})
		var got []string
		for _, l := range layers {
			if l != "" {
				got = append(got, l)
			}
		}
		if text := fmt.Sprintf("%q", got); err != nil || text != want {
			t.Errorf("%s: %s, %v", store, text, err)
		}
	}
}
