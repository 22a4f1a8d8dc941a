package images

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"pistack/compose"
)

// The findings of this package.
const (
	CodeInvalid  compose.Code = "invalid-lock"
	CodeUnlocked compose.Code = "unlocked-image"
	CodePlatform compose.Code = "wrong-platform"
	CodeUnused   compose.Code = "unused-lock"
	CodeConflict compose.Code = "lock-conflict"

	CodeUnbuilt     compose.Code = "unbuilt-image"
	CodeStale       compose.Code = "stale-image"
	CodeUnbuildable compose.Code = "unbuildable"
)

// maxFile bounds a lock file, in bytes: some 5,000 images. The other two bound
// lines and brackets left open: the parser's stack and time grow with these.
const (
	maxFile  = 1 << 20
	maxLine  = 16 << 10
	maxDepth = 64
)

// What an entry can hold. None of these needs escaping in TOML, YAML or JSON.
var (
	referenceForm = regexp.MustCompile(`^[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*$`)
	digestForm    = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	buildForm     = regexp.MustCompile(`^[0-9a-f]{16}$`)
	platformForm  = regexp.MustCompile(`^[a-z0-9]{1,32}/[a-z0-9_]{1,32}(/[a-z0-9._]{1,32})?$`)
)

// Valid tells whether a text can be the reference of an entry.
func Valid(reference string) bool {
	return len(reference) <= 1024 && referenceForm.MatchString(reference)
}

// ValidPlatform tells whether a text can be a platform of an entry.
func ValidPlatform(platform string) bool { return platformForm.MatchString(platform) }

type lockFile struct {
	Image []imageTable `toml:"image"`
}

type imageTable struct {
	Reference string   `toml:"reference"`
	Digest    string   `toml:"digest"`
	Platforms []string `toml:"platforms"`
	Date      string   `toml:"date"`
	Build     string   `toml:"build"`
	IDs       []string `toml:"ids"`
}

// Read reads a stack's lock file; a stack without one has an empty lock. The
// findings are errors, and the lock is empty when there are any.
func Read(repository fs.FS, stack string) (Lock, []compose.Finding) {
	data, err := compose.ReadFile(repository, Path(stack))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		p := parsing{stack: stack}
		p.report(place{}, "%v", err)
		return nil, p.findings
	}
	return Parse(stack, data)
}

// Parse reads the text of a stack's lock file.
func Parse(stack string, data []byte) (Lock, []compose.Finding) {
	p := parsing{stack: stack, text: string(data)}
	p.layout = layoutOf(p.text)
	lock := p.lock()
	if len(p.findings) > 0 {
		return nil, compose.SortFindings(p.findings)
	}
	return sorted(lock), nil
}

type parsing struct {
	stack, text string
	layout      layout
	findings    []compose.Finding
}

func (p *parsing) report(at place, format string, args ...any) {
	f := compose.Finding{
		Code: CodeInvalid, Severity: compose.Error, Message: fmt.Sprintf(format, args...),
		Fix: fmt.Sprintf("restore it from Git, or remove it and run: pistack lock %s", p.stack),
	}
	p.findings = append(p.findings, f.At(compose.Position{File: Path(p.stack), Line: at.line, Column: at.column}))
}

func (p *parsing) lock() Lock {
	if len(p.text) > maxFile {
		p.report(place{1, 1}, "is larger than 1 MiB")
		return nil
	}
	if line := p.layout.tooLong; line > 0 {
		p.report(place{line, 1}, "the line is longer than 16 KiB")
		return nil
	}
	if line := p.layout.tooDeep; line > 0 {
		p.report(place{line, 1}, "is nested more than %d levels deep", maxDepth)
		return nil
	}
	var file lockFile
	meta, err := toml.Decode(p.text, &file)
	if err != nil {
		p.syntax(err)
		return nil
	}
	for _, key := range meta.Undecoded() {
		p.report(p.layout.unknown(key[len(key)-1]), "unknown key %q", key.String())
	}
	p.layout.expect(len(file.Image))
	var lock Lock
	for i, t := range file.Image {
		entry := Entry{Reference: t.Reference, Digest: t.Digest, Platforms: t.Platforms, Date: t.Date, Build: t.Build, IDs: orNil(t.IDs), Line: p.layout.table(i).line}
		p.validate(i, entry, lock)
		lock = append(lock, entry)
	}
	return lock
}

// orNil makes no ids one thing, however they are written.
func orNil(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// wrongType is how the library reports a value of another type than ours.
var wrongType = regexp.MustCompile(`^toml: line (\d+) \(last key "(?:.*\.)?(.*)"\): (.*)$`)

func (p *parsing) syntax(err error) {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		p.report(place{max(parse.Position.Line, 1), max(parse.Position.Col, 1)}, "%s", parse.Message)
		return
	}
	if m := wrongType.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		p.report(place{max(line, 1), 1}, "%s: %s", m[2], m[3])
		return
	}
	p.report(place{1, 1}, "%s", strings.TrimPrefix(err.Error(), "toml: "))
}

// validate reports what is wrong with entry i; before are those above it.
func (p *parsing) validate(i int, e Entry, before Lock) {
	at := func(key string) place { return p.layout.key(i, key) }
	if !Valid(e.Reference) {
		p.report(at("reference"), "%q is not the name of an image", e.Reference)
	} else if other, twice := before.Find(e.Reference); twice {
		p.report(at("reference"), "%s is already on line %d", e.Reference, other.Line)
	}
	p.validateContent(i, e)
	if len(e.Platforms) == 0 {
		p.report(at("platforms"), "no platforms")
	}
	for n, platform := range e.Platforms {
		if !ValidPlatform(platform) {
			p.report(at("platforms"), "%q is not a platform, like linux/arm64", platform)
		}
		if slices.Contains(e.Platforms[:n], platform) {
			p.report(at("platforms"), "%s stands there twice", platform)
		}
	}
	if date, err := time.Parse(time.RFC3339, e.Date); err != nil || date.UTC().Format(time.RFC3339) != e.Date {
		p.report(at("date"), "%q is not a date in UTC, like 2026-01-31T23:59:59Z", e.Date)
	}
}

// validateContent reports what is wrong with digest, ids and build of entry i.
func (p *parsing) validateContent(i int, e Entry) {
	at := func(key string) place { return p.layout.key(i, key) }
	if (len(e.IDs) == 0 || e.Digest != "") && !digestForm.MatchString(e.Digest) {
		p.report(at("digest"), "%q is not a digest: sha256: and 64 hex digits", e.Digest)
	}
	if len(e.IDs) > 0 && (e.Digest != "" || e.Build == "" || len(e.IDs) != len(e.Platforms)) {
		p.report(at("ids"), "ids are for a built image without a digest, one for each platform")
	}
	for _, id := range e.IDs {
		if !digestForm.MatchString(id) {
			p.report(at("ids"), "%q is not an id: sha256: and 64 hex digits", id)
		}
	}
	if e.Build != "" && !buildForm.MatchString(e.Build) {
		p.report(at("build"), "%q is not 16 hex digits", e.Build)
	}
}
