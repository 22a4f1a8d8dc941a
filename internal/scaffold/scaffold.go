// Package scaffold makes the files that a user starts from: a whole fleet, a
// host of one, a stack of one.
//
// The files of a fleet are those of the folder fleet, as they are: that folder is
// also what "nix flake init -t" copies. What is particular to a user replaces
// lines of them; hosts and stacks are printed, and a test holds the folder's
// host and stack to that printing.
//
// Making files is pure; Write puts them into place, all or none of them.
package scaffold

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

//go:embed all:fleet all:ci
var embedded embed.FS

// Source is the flake that a new fleet takes pistack from.
const Source = "github:pistack/pistack"

// CI is the forge that a fleet's workflow is for.
type CI string

// The forges. GitHub's workflow is in the folder fleet, those of the others in the
// folder ci.
const (
	NoCI    CI = "none"
	GitHub  CI = "github"
	Forgejo CI = "forgejo"
	GitLab  CI = "gitlab"
)

// CIs lists the forges, and none.
func CIs() []CI { return []CI{GitHub, Forgejo, GitLab, NoCI} }

// Workflow is the file of a forge's CI in a fleet.
func (c CI) Workflow() string {
	return map[CI]string{GitHub: ".github/workflows/fleet.yml", Forgejo: ".forgejo/workflows/fleet.yml", GitLab: ".gitlab-ci.yml"}[c]
}

// FirstStack is the stack of a new fleet.
const FirstStack = "hello"

// File is a file that is to be written.
type File struct {
	Path string // relative to the root of the fleet, with slashes
	Text string
}

// Fleet is what a new fleet is made of.
type Fleet struct {
	Source         string   // a flake reference to pistack, such as Source
	Operators      []string // recipients, as in fleet.toml; at least one
	AuthorizedKeys []string // who may log in: lines of authorized_keys
	BuildSystem    string   // as in fleet.toml
	CI             CI       // whose workflow it gets
	Host           Host     // the first one
}

// What of the folder's files is replaced.
const (
	noOperators = "operators = [\n]\n"
	buildSystem = `build_system = "x86_64-linux"`
	firstHost   = "hosts/pi-01/"
)

// sourceForm is what a flake reference can be, and cannot leave its Nix string.
var sourceForm = regexp.MustCompile(`^[A-Za-z0-9./][A-Za-z0-9./:?&=._+~@%-]*$`)

// Files are the fleet's files, sorted by path.
func (f Fleet) Files() ([]File, error) {
	if !sourceForm.MatchString(f.Source) {
		return nil, fmt.Errorf("%q is not a flake reference like %q", f.Source, Source)
	}
	operators := "operators = [\n"
	for _, o := range f.Operators {
		operators += "    " + quote(o) + ",\n"
	}
	replacer := strings.NewReplacer(
		noOperators, operators+"]\n",
		buildSystem, "build_system = "+quote(f.BuildSystem),
		`"`+Source+`"`, `"`+f.Source+`"`,
	)
	files, err := f.CI.templates()
	if err != nil {
		return nil, err
	}
	var all []File
	for _, file := range files {
		switch {
		case strings.HasPrefix(file.Path, firstHost), file.Path == GitHub.Workflow() && f.CI != GitHub:
			continue
		case file.Path == "authorized_keys":
			file.Text += strings.Join(append(slices.Clone(f.AuthorizedKeys), ""), "\n")
		case file.Path == "fleet.toml", file.Path == "flake.nix":
			file.Text = replacer.Replace(file.Text)
		}
		all = append(all, file)
	}
	host, err := f.Host.Files()
	if err != nil {
		return nil, err
	}
	return byPath(append(all, host...)), nil
}

// Template is the fleet without what is particular to a user.
func Template() (fs.FS, error) { return fs.Sub(embedded, "fleet") }

// templates are the files of the folder fleet and of the forge's.
func (c CI) templates() ([]File, error) {
	files, err := filesIn("fleet")
	if err != nil || c == NoCI || c == GitHub {
		return files, err
	}
	more, err := filesIn("ci/" + string(c))
	return append(files, more...), err
}

// filesIn are the files of an embedded folder.
func filesIn(dir string) ([]File, error) {
	folder, err := fs.Sub(embedded, dir)
	if err != nil {
		return nil, err
	}
	var files []File
	err = fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(folder, path)
		files = append(files, File{path, string(text)})
		return err
	})
	return files, err
}

func byPath(files []File) []File {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// quote is a text as a string of TOML.
func quote(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"', r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r < 0x20, r == 0x7f:
			fmt.Fprintf(&out, `\u%04X`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}
