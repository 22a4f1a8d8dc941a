package target

import (
	"context"
	"io"
	"strings"
	"time"
)

// pullLimit bounds the pull of all images of a machine, for some of the fleet's
// links are slow.
const pullLimit = 2 * time.Hour

// Missing tells which images the machine's Docker does not have.
func (m Machine) Missing(ctx context.Context, images []string) ([]string, error) {
	d, err := m.Compare(ctx, Wanted{Images: images})
	return d.Images, err
}

// Pull pulls images, with the credentials that the device's units use. It tries
// all of them; the error names those that did not come.
func (m Machine) Pull(ctx context.Context, images []string, line func(string)) error {
	stdin, err := perLine(images)
	if err != nil || len(images) == 0 {
		return err
	}
	_, err = m.run(ctx, step{script: "pull.sh", says: "pulling images", stdin: stdin, limit: pullLimit, line: orNobody(line)})
	return err
}

// perLine is what a script reads: a word a line.
func perLine(words []string) (io.Reader, error) {
	if err := plainWords(words); err != nil {
		return nil, err
	}
	return strings.NewReader(strings.Join(words, "\n") + "\n"), nil
}

// orNobody: output of any length is expected, so somebody takes its lines.
func orNobody(line func(string)) func(string) {
	if line == nil {
		return func(string) {}
	}
	return line
}
