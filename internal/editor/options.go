package editor

import (
	"fmt"
	"path/filepath"
	"strings"
)

// vimSettings turn off what vim would write beside the file, after the user's
// vimrc has been read. Each part stands alone: a small vim lacks some options.
const vimSettings = "silent! set nobackup nowritebackup noswapfile | silent! set noundofile | silent! set nofixendofline | " +
	"silent! set viminfo= | silent! set viminfofile=NONE | silent! set shadafile=NONE"

// emacsSettings do the same for emacs, after the user's init file.
const emacsSettings = `(progn (setq make-backup-files nil auto-save-default nil auto-save-list-file-prefix nil` +
	` create-lockfiles nil undo-tree-auto-save-history nil)` +
	` (when (fboundp 'savehist-mode) (savehist-mode -1)))`

// optionsOf gives the arguments that keep a program from leaving copies. The
// folder is one in memory that it may use. Programs that cannot be kept from it
// are refused; of others nothing is known.
func optionsOf(program, folder string) (options []string, known bool, refused *Refusal) {
	switch kind, _, _ := strings.Cut(program, "."); kind {
	case "vim", "vi", "vimx", "nvim":
		// No swap file, no history, and no bytes changed on the way (-b).
		return []string{"-n", "-i", "NONE", "-b", "-c", vimSettings}, true, nil
	case "gvim", "mvim":
		return []string{"-f", "-n", "-i", "NONE", "-b", "-c", vimSettings}, true, nil
	case "nano", "rnano":
		// Restricted: no backups, no histories, no saving under another name.
		return []string{"--restricted", "--nonewlines"}, true, nil
	case "emacs", "emacs-nox", "emacs-gtk", "emacs-lucid", "emacs-pgtk":
		return []string{"--eval", emacsSettings}, true, nil
	case "micro":
		return []string{"-backup", "false", "-permbackup", "false", "-saveundo", "false", "-savehistory", "false", "-savecursor", "false", "-eofnewline", "false"}, true, nil
	case "hx", "helix", "kak", "busybox", "ed":
		return nil, true, nil // what they write, they write beside the file
	case "code", "code-insiders", "codium", "vscodium":
		// Local history and unsaved text go to its data folder; extensions see everything.
		return []string{"--wait", "--disable-extensions", "--user-data-dir", filepath.Join(folder, temporary)}, true, nil
	case "nvi", "nex", "nview":
		return nil, true, refuse(program, "keeps a copy on the disk to recover from (/var/tmp/vi.recover)")
	case "emacsclient":
		return nil, true, refuse(program, "hands the file to an Emacs that runs already, with the backups and auto-saves of its own")
	case "subl", "sublime_text", "zed", "zeditor", "mate", "atom":
		return nil, true, refuse(program, "keeps unsaved text on the disk, and cannot be told not to")
	}
	return nil, false, nil
}

// refuse makes an error without a hint: Prepare knows which variable counts.
func refuse(program, why string) *Refusal {
	return &Refusal{Message: fmt.Sprintf("%s %s", program, why)}
}

// nameOf is the name that says what a program is: its own, or for names that any
// editor can have (vi, editor), that of the file behind the symlinks.
func nameOf(path string, resolve func(string) (string, error)) string {
	name := filepath.Base(path)
	_, known, _ := optionsOf(name, "")
	if known && name != "vi" {
		return name
	}
	if real, err := resolve(path); err == nil {
		if _, known, _ := optionsOf(filepath.Base(real), ""); known {
			return filepath.Base(real)
		}
	}
	return name
}
