package nix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"pistack/internal/run"
)

var storePathForm = regexp.MustCompile(`^/nix/store/[0-9a-z]{32}-[0-9A-Za-z+._?=-]{1,211}$`)

// IsStorePath tells whether a text is the path of a store object, and nothing else.
func IsStorePath(text string) bool { return storePathForm.MatchString(text) }

// Path is a store object and the bytes that it takes.
type Path struct {
	Path string
	Size int64
}

// Closure lists a built system and all that it needs.
func (t Tool) Closure(ctx context.Context, system string) ([]Path, error) {
	argv := append(append([]string{"nix"}, features[:]...), "path-info", "--recursive", "--size", system)
	out, err := run.Output(ctx, t.command(argv...))
	if err != nil {
		return nil, fmt.Errorf("size of %s: %w", system, err)
	}
	return parseClosure(string(out))
}

// parseClosure reads lines of a path, blanks and a number.
func parseClosure(text string) ([]Path, error) {
	var paths []Path
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 2 || !IsStorePath(fields[0]) {
			return nil, fmt.Errorf("nix path-info: unexpected line %.100q", line)
		}
		size, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("nix path-info: unexpected size in line %.100q", line)
		}
		paths = append(paths, Path{fields[0], size})
	}
	return paths, nil
}

// imagesFile is where the pistack module lists the images of a system's stacks.
const imagesFile = "etc/pistack/images"

// maxImages bounds that list, in bytes.
const maxImages = 1 << 20

// Images lists the container images of a built system, as the device refers to
// them, without duplicates and in the order of the list: lines of a stack, a tab
// and a reference.
func Images(system string) ([]string, error) {
	info, err := os.Stat(filepath.Join(system, imagesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a system without pistack, or of an older one
	}
	if err == nil && info.Size() > maxImages {
		err = fmt.Errorf("%s/%s: is larger than %d bytes", system, imagesFile, maxImages)
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(system, imagesFile))
	if err != nil {
		return nil, err
	}
	var images []string
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		_, reference, found := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !found || reference == "" || strings.HasPrefix(reference, "-") {
			return nil, fmt.Errorf("%s/%s: unexpected line %.100q", system, imagesFile, line)
		}
		if !seen[reference] {
			seen[reference] = true
			images = append(images, reference)
		}
	}
	return images, nil
}

// Images lists the container images of a built system; see the function.
func (t Tool) Images(system string) ([]string, error) { return Images(system) }

// Boots is the kernel that a built system boots, as a store path; "" for a
// system without one.
func (t Tool) Boots(system string) string {
	kernel, err := filepath.EvalSymlinks(filepath.Join(system, "kernel"))
	if err != nil {
		return ""
	}
	return kernel
}
