package contexts_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pistack/internal/dockerlab"
)

// TestBuildKitAgrees: the files that count are those that the real BuildKit gets
// to see, whatever .dockerignore says: a file's content changes the hash exactly
// when the file is in an image of all that there is.
func TestBuildKitAgrees(t *testing.T) {
	engine := dockerlab.NewEngine(t)
	engine.HasBuildx()
	for name, ignore := range map[string]string{
		"nothing":               "",
		"comments and blanks":   "# a\n\n  b  \n",
		"a name":                "a",
		"a folder":              "dir",
		"a folder with a slash": "dir/",
		"from the root":         "/dir/b",
		"with a dot":            "./dir/b",
		"a star":                "*.log",
		"a star in a folder":    "*/b",
		"two stars":             "**/*.log",
		"two stars below":       "dir/**",
		"one character":         "?",
		"a class":               "[ab]",
		"all but one":           "*\n!a",
		"all but one below":     "*\n!dir/sub/deep",
		"a folder but one":      "dir\n!dir/b",
		"a folder but a star":   "dir\n!dir/*.log",
		"all but logs":          "**\n!**/*.log",
		"taken back twice":      "dir\n!dir/sub\ndir/sub/deep",
		"last wins":             "!a\na",
		"the Dockerfile":        "Dockerfile\n.dockerignore",
		"the folder above":      "../a",
		"a symlink":             "link",
		"escaped":               "\\#odd\n",
		"the Dockerfile's own":  "a beside Dockerfile: b",
	} {
		t.Run(name, func(t *testing.T) {
			f := base().with(files{
				"s/.dockerignore": ignore + "\n", "s/b": "b", "s/x.log": "l", "s/dir/x.log": "l", "s/dir/sub/deep": "d", "s/dir/sub/other": "o", "s/#odd": "o",
			})
			if own, text, is := strings.Cut(ignore, " beside Dockerfile: "); is {
				f = f.with(files{"s/.dockerignore": own + "\n", "s/Dockerfile.dockerignore": text + "\n"})
			}
			root := t.TempDir()
			f.write(t, root)
			seen := imageOf(t, engine, filepath.Join(root, "s"))
			before := mustHash(t, f, recipe())
			for file := range f {
				inside, ok := strings.CutPrefix(file, "s/")
				if !ok || strings.HasPrefix(inside, "Dockerfile") || inside == ".dockerignore" {
					continue
				}
				changed := f.with(files{file: "another"})
				if strings.HasPrefix(f[file], "-> ") {
					changed = f.with(files{file: "-> another"})
				}
				counts := mustHash(t, changed, recipe()) != before
				if counts != slices.Contains(seen, inside) {
					t.Errorf("%s: counts %t, in the image %t", file, counts, !counts)
				}
			}
		})
	}
}

// imageOf lists what a builder sees of a folder, whose Dockerfile copies all.
func imageOf(t *testing.T, engine *dockerlab.Engine, dir string) []string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "image.tar")
	engine.Docker("buildx", "build", "--output", "type=tar,dest="+out, dir)
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for in := tar.NewReader(f); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}
