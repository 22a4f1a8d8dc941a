package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"runtime"
	"sync"

	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/secrets"
)

// maxSmall bounds a version of a key file or of fleet.toml, in bytes.
const maxSmall = 1 << 20

// objects are the versions of the files that matter, by Git's name of their
// content. Secrets are parsed as they come; of the others the text is kept.
type objects struct {
	order   []string // as they were asked for
	kinds   map[string]map[kind]bool
	secrets map[string]*secrets.Ciphertext
	bySum   map[[sha256.Size]byte]*secrets.Ciphertext
	texts   map[string][]byte
	skipped int // no age file where a secret should be
	absent  int // not in this clone, or too large
	listed  map[string][]secrets.Recipient
}

func newObjects() *objects {
	return &objects{
		kinds: map[string]map[kind]bool{}, secrets: map[string]*secrets.Ciphertext{}, texts: map[string][]byte{},
		bySum: map[[sha256.Size]byte]*secrets.Ciphertext{}, listed: map[string][]secrets.Recipient{},
	}
}

// want asks for the version of a file; object is "" for none.
func (o *objects) want(file, object string) {
	if object == "" {
		return
	}
	if o.kinds[object] == nil {
		o.kinds[object], o.order = map[kind]bool{}, append(o.order, object)
	}
	o.kinds[object][kindOf(file)] = true
}

// job is one object on its way through a parser.
type job struct {
	object  string
	content []byte
}

// read reads all that were asked for. Parsing a header is about as much work as
// finding it, so that each core has a parser.
func (o *objects) read(ctx context.Context, root string) error {
	jobs := make(chan job, 64)
	var parsers sync.WaitGroup
	var mu sync.Mutex
	for range runtime.GOMAXPROCS(0) {
		parsers.Go(func() {
			for j := range jobs {
				c, err := secrets.ReadCiphertext(j.content)
				mu.Lock()
				if err != nil {
					o.skipped++
				} else {
					o.secrets[j.object] = c
				}
				mu.Unlock()
			}
		})
	}
	err := git.Blobs(ctx, root, o.order, secrets.MaxFile, func(i int, content []byte, problem error) error {
		object := o.order[i]
		if errors.Is(problem, git.ErrMissing) || errors.Is(problem, git.ErrTooLarge) {
			o.absent++
			return nil
		}
		if o.kinds[object][secretFile] {
			jobs <- job{object, content}
		}
		if (o.kinds[object][keyFile] || o.kinds[object][settingsFile]) && len(content) <= maxSmall {
			o.texts[object] = content
		}
		return nil
	})
	close(jobs)
	parsers.Wait()
	o.settle()
	return err
}

// settle makes objects that say the same, armored differently, one version.
func (o *objects) settle() {
	for _, object := range o.order {
		c := o.secrets[object]
		if c == nil {
			continue
		}
		if first, ok := o.bySum[c.Sum]; ok {
			o.secrets[object] = first
			continue
		}
		o.bySum[c.Sum] = c
	}
}

// known is the version of the history that is the same as c, or else c.
func (o *objects) known(c *secrets.Ciphertext) *secrets.Ciphertext {
	if c == nil {
		return nil
	}
	if v, ok := o.bySum[c.Sum]; ok {
		return v
	}
	return c
}

// sources finds the keys in a version of a file.
func (o *objects) sources(file, object string) []source {
	text, ok := o.texts[object]
	if !ok {
		return nil
	}
	return sourcesIn(file, text)
}

// recipients are those of a version of fleet.toml that no header names.
func (o *objects) recipients(object string) []secrets.Recipient {
	listed, ok := o.listed[object]
	if !ok {
		for _, operator := range fleet.OperatorsIn(o.texts[object]) {
			if r, ok := secrets.AnonymousRecipient(operator); ok {
				listed = append(listed, r)
			}
		}
		o.listed[object] = listed
	}
	return listed
}
