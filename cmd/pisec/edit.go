package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"filippo.io/age"
	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/editor"
	"pistack/internal/fleet"
	"pistack/internal/run"
	"pistack/internal/term"
	"pistack/secrets"
)

func editCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "edit",
		Usage:     "decrypt a secret, edit it, and encrypt it again",
		ArgsUsage: "HOST NAME [-- EDITOR-ARGUMENT…]",
		Description: `Starts VISUAL, EDITOR or vi, which may hold arguments, in a new folder that only
you can enter, on a ramfs or tmpfs; without one nothing is decrypted. Swap, undo,
backup and history files of vim, neovim, nano, emacs, micro and VS Code are turned
off; helix and kakoune have none. The folder is the editor's current folder and its
TMPDIR, and is removed with everything in it; if pisec is killed with SIGKILL, by
the next "pisec edit". An editor's plugins can do anything with the text, and a tmpfs
without noswap can be swapped out: a ramfs or noswap comes first where there is one;
elsewhere encrypt the swap space, or have none.

Nothing is written for a text that did not change, and when the editor failed (:cq
in vim) or somebody else gave the secret a new value meanwhile. A value without a line
break at its end gets none from an editor that adds one; two would leave it one.

Examples:
  pisec edit rpi-box-01 OPENAI_KEY
  VISUAL='emacs -nw' pisec edit rpi-box-01 OPENAI_KEY
  pisec edit rpi-box-01 CONFIG -- +12
  pisec edit rpi-box-01 CONFIG --dry-run      shows the editor's command line`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			identityFlag(),
			cli.DryRunFlag(),
		},
		BashComplete: completeSecrets,
		Action:       edit,
	}
}

// editing is one secret on its way through an editor.
type editing struct {
	c          *ucli.Context
	fleet      *fleet.Fleet
	host       fleet.Host
	name       string
	readers    []secrets.Reader
	identities []age.Identity
	store      secrets.Store
	base       secrets.Opened // what the new value is made from
	folder     *editor.Folder
	command    run.Command
	known      bool // the editor, and that it leaves no copies
}

func edit(c *ucli.Context) error {
	e, extra, err := newEditing(c)
	if err != nil {
		return err
	}
	program, err := editor.FromEnvironment(os.Getenv)
	if err != nil {
		return err
	}
	if e.folder, err = editor.NewFolder(editor.Parents(os.Getenv, os.Getuid())); err != nil {
		return err
	}
	e.command, e.known, err = program.Prepare(e.folder.Path, e.name, extra)
	if err == nil && c.Bool("dry-run") {
		e.show()
	} else if err == nil {
		err = e.run()
	}
	return errors.Join(err, e.folder.Remove())
}

// newEditing refuses what could not be written before an editor is opened.
func newEditing(c *ucli.Context) (*editing, []string, error) {
	f, host, err := cli.LoadHost(c, 2, -1)
	if err != nil {
		return nil, nil, err
	}
	extra := c.Args().Slice()[2:]
	if len(extra) > 0 && extra[0] != "--" {
		return nil, nil, cli.Arguments(c, 2, 2)
	}
	if err := checkNames(c.Args().Get(1)); err != nil {
		return nil, nil, err
	}
	e := &editing{c: c, fleet: f, host: host, name: c.Args().Get(1), store: secrets.Store{Root: f.Root}}
	if err := e.store.CheckPresent(host.Name, e.name); err != nil {
		return nil, nil, err
	}
	e.readers, err = readersOf(c, f, host)
	return e, extra[min(1, len(extra)):], err
}

func (e *editing) show() {
	fmt.Fprintf(e.c.App.Writer, "would edit %s with: %s\n", secrets.File(e.host.Name, e.name), e.command)
	for _, r := range e.readers {
		fmt.Fprintf(e.c.App.Writer, "  reader: %s\n", r.Source)
	}
}

// run opens the editor until the text can be written, or the user gives up.
func (e *editing) run() error {
	var err error
	if e.identities, err = loadIdentities(e.c, e.fleet); err != nil {
		return err
	}
	if e.base, err = e.store.Open(e.host.Name, e.name, e.identities...); err != nil {
		return err
	}
	defer func() { clear(e.base.Value) }()
	if !e.known {
		fmt.Fprintf(e.c.App.ErrWriter, "note: pisec does not know %s: see to it that it keeps no copies\n", e.command.Argv[0])
	}
	if err := e.folder.Write(e.name, e.base.Value); err != nil {
		return err
	}
	for {
		err := e.once()
		var refused *rejected
		if !errors.As(err, &refused) {
			return err
		}
		if err := e.again(refused); err != nil {
			return err
		}
	}
}

// rejected is a text that cannot become the value as it is.
type rejected struct {
	err      error
	question string          // what editing it again would mean
	restore  []byte          // text to go on with; nil for the edited one
	newer    *secrets.Opened // what somebody else has written meanwhile, or nil
}

func (r *rejected) Error() string { return r.err.Error() }

// once edits and writes; a *rejected keeps the text in the folder.
func (e *editing) once() error {
	if err := editor.Run(e.c.Context, e.command); err != nil {
		return err
	}
	edited, err := e.folder.Read(e.name, secrets.MaxValue+int64(len("\r\n")))
	if err != nil {
		return err
	}
	defer clear(edited)
	value, leftOut := editor.Settle(e.base.Value, edited)
	if bytes.Equal(value, e.base.Value) {
		e.unchanged()
		return nil
	}
	if err := e.check(value); err != nil {
		return err
	}
	if err := e.write(value); err != nil {
		return err
	}
	if leftOut {
		fmt.Fprintln(e.c.App.ErrWriter, "note: the line break at the end of the text was left out, since the value had none")
	}
	return nil
}

func (e *editing) unchanged() {
	fmt.Fprintf(e.c.App.Writer, "%s is unchanged; nothing was written\n", secrets.File(e.host.Name, e.name))
	if !e.known {
		fmt.Fprintln(e.c.App.ErrWriter, "note: an editor that returns at once needs its option to wait, such as --wait")
	}
}

// check tells why a text cannot be a value.
func (e *editing) check(value []byte) error {
	const again = "Edit it again? The text is thrown away otherwise."
	if len(bytes.Trim(value, "\r\n")) == 0 {
		return &rejected{question: "Edit the old value again?", restore: e.base.Value, err: &secrets.Error{
			Message: "the text is empty",
			Fix:     fmt.Sprintf("nothing was written; to remove the secret: pisec rm %s %s", e.host.Name, e.name),
		}}
	}
	if err := secrets.CheckValue(value); err != nil {
		return &rejected{question: again, err: err}
	}
	if err := checkNUL(e.c, e.fleet, []fleet.Host{e.host}, e.name, value); err != nil {
		return &rejected{question: again, err: err}
	}
	if err := checkLogin(e.host, e.name, value); err != nil {
		return &rejected{question: again, err: err}
	}
	return nil
}

// write replaces the version that was edited, and no other.
func (e *editing) write(value []byte) error {
	err := e.replace(value)
	if err == nil || e.c.Context.Err() != nil {
		return err
	}
	now, openErr := e.store.Open(e.host.Name, e.name, e.identities...)
	if openErr != nil || now.Label.Version == e.base.Label.Version {
		return &rejected{question: "Edit the text again, and then try to write it?", err: err}
	}
	return &rejected{question: fmt.Sprintf("Edit your text again, with the newer value beside it in %s.newer, and then replace that?", e.name), newer: &now, err: err}
}

// replace encrypts a value anew and writes it.
func (e *editing) replace(value []byte) error {
	readers, err := e.readersNow()
	if err != nil {
		return err
	}
	a, err := e.store.Plan(e.host.Name, e.name, value, readers, true, time.Now())
	if err != nil {
		return err
	}
	a.Replacing(e.base.Label.Version)
	return applyAdditions(e.c, e.fleet, e.store, []secrets.Wanted{{Host: e.host.Name, Readers: readers}}, []*secrets.Addition{a})
}

// readersNow are the readers after the editor was open for however long.
func (e *editing) readersNow() ([]secrets.Reader, error) {
	f, err := cli.LoadFleet(e.c)
	if err != nil {
		return nil, err
	}
	host, err := f.Host(e.host.Name)
	if err != nil {
		return nil, err
	}
	return readersOf(e.c, f, host)
}

// again asks whether to open the editor once more. Without a terminal, or a yes,
// the text is lost and its error remains.
func (e *editing) again(r *rejected) error {
	if !term.IsTerminal(os.Stdin) {
		return r.err
	}
	fmt.Fprintf(e.c.App.ErrWriter, "pisec: %v\n", r.err)
	yes, err := term.Confirm(e.c.Context, r.question)
	if err != nil {
		return err
	}
	if !yes {
		return errors.New("nothing was written")
	}
	if r.newer != nil {
		clear(e.base.Value)
		e.base = *r.newer
		return e.folder.Write(e.name+".newer", e.base.Value)
	}
	if r.restore != nil {
		return e.folder.Write(e.name, r.restore)
	}
	return nil
}
