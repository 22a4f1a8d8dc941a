// Package editor lets a user edit a text that must not reach a disk: in a
// folder in memory that nobody else can enter, with an editor whose swap, undo
// and backup files are turned off.
//
// What it cannot do: keep an editor's own plugins from copying the text, or the
// system from swapping a tmpfs out. A ramfs, or a tmpfs with noswap, is taken
// before any other.
package editor

import (
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/mattn/go-shellwords"

	"pistack/internal/run"
)

// maxVariable bounds $VISUAL and $EDITOR, in bytes.
const maxVariable = 4096

// Command is an editor as the user's environment names it.
type Command struct {
	Words  []string // program and arguments
	Source string   // "VISUAL", "EDITOR", or "" for the default
}

// Refusal is an error that says what to do instead.
type Refusal struct{ Message, Fix string }

func (r *Refusal) Error() string { return r.Message }

// Hint says what to do next; the command line prints it below the error.
func (r *Refusal) Hint() string { return r.Fix }

// FromEnvironment takes the editor from VISUAL, else EDITOR, else vi; on a dumb
// terminal EDITOR comes first, as with Git. The variable is cut into words as a shell
// does it, with quotes and backslashes, but no shell is started: variables stay
// as they stand there, and pipes and the like are refused.
func FromEnvironment(getenv func(string) string) (Command, error) {
	sources := []string{"VISUAL", "EDITOR"}
	if term := getenv("TERM"); term == "" || term == "dumb" {
		sources = []string{"EDITOR", "VISUAL"}
	}
	for _, source := range sources {
		if text := getenv(source); text != "" {
			words, err := split(source, text)
			return Command{Words: words, Source: source}, err
		}
	}
	return Command{Words: []string{"vi"}}, nil
}

func split(source, text string) ([]string, error) {
	parser := shellwords.Parser{}
	if len(text) > maxVariable {
		return nil, &Refusal{Message: fmt.Sprintf("%s is longer than %d bytes", source, maxVariable), Fix: fmt.Sprintf("put the command into a script, and its path into %s", source)}
	}
	words, err := parser.Parse(text)
	if err != nil || parser.Position != -1 || len(words) == 0 {
		return nil, &Refusal{
			Message: fmt.Sprintf("%s cannot be read as a program and its arguments: %s", source, text),
			Fix:     fmt.Sprintf("no shell reads it; put the command into a script, and its path into %s", source),
		}
	}
	return words, nil
}

// Prepare makes the command that edits a file of a folder. Extra arguments of the
// user stand after ours, and can overrule them. Not known is an editor of which
// nobody can say whether it leaves copies.
func (c Command) Prepare(folder, file string, extra []string) (command run.Command, known bool, err error) {
	program, err := exec.LookPath(c.Words[0])
	if err != nil {
		return run.Command{}, false, c.missing()
	}
	if program, err = filepath.Abs(program); err != nil {
		return run.Command{}, false, err
	}
	options, known, refused := optionsOf(nameOf(program, filepath.EvalSymlinks), folder)
	if refused != nil {
		refused.Fix = fmt.Sprintf("edit with another program: %s=vim pisec edit …, or nano, emacs, micro, hx", c.variable())
		return run.Command{}, known, refused
	}
	argv := append([]string{program}, c.Words[1:]...)
	argv = append(append(append(argv, options...), extra...), filepath.Join(folder, file))
	return run.Command{
		Argv: argv,
		// What an editor or its filters drop beside or in TMPDIR stays in memory.
		Dir: folder,
		Env: []string{"TMPDIR=" + filepath.Join(folder, temporary)},
		// The "code" of a remote terminal would hand the file to another machine.
		Unset: []string{"VSCODE_IPC_HOOK_CLI"},
	}, known, nil
}

// variable is the one that names the editor: another would not be heeded.
func (c Command) variable() string {
	if c.Source == "" {
		return "EDITOR"
	}
	return c.Source
}

func (c Command) missing() error {
	if c.Source == "" {
		return &Refusal{Message: "there is no editor: neither VISUAL nor EDITOR is set, and vi is not on PATH", Fix: "name one: EDITOR=nano pisec edit …"}
	}
	return &Refusal{Message: fmt.Sprintf("%s names %s, which is not on PATH", c.Source, c.Words[0]), Fix: fmt.Sprintf("name another: %s=nano pisec edit …", c.Source)}
}
