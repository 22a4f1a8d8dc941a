package view

import (
	"io"
	"strings"
	"time"

	"pistack/internal/target"
)

// LockText writes who has a machine's lock, and what its undo timer will do.
func LockText(w io.Writer, host string, s target.State) error {
	p := &page{}
	if o := s.Lock; o == nil {
		p.line("%s: is not locked", clean(host))
	} else {
		by := clean(o.User)
		if o.From != "" {
			by += " from " + clean(o.From)
		}
		p.line("%s: locked by %s, since %s", clean(host), by, instant(o.Since).Format(time.RFC3339))
		p.line("  run %s, %s", clean(o.ID), strings.TrimSpace("at "+deployedRevision(o.Revision, o.Dirty)))
	}
	switch s.Undo {
	case "armed":
		p.line("  an undo timer is armed (run %s): unless that run renews it, the machine soon goes back to what it ran before", clean(s.UndoID))
	case "fired":
		p.line("  an undo is at work (run %s): the machine is going back to what it ran before", clean(s.UndoID))
	case "failed":
		p.line("  the undo of run %s failed: deploy again", clean(s.UndoID))
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}
