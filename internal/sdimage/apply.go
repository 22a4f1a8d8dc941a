package sdimage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"pistack/secrets/durable"
)

// Apply writes a prepared key into its image, durably. Afterwards the image has
// mode 0600.
//
// The order of the steps is the safety argument. While the image is neither what
// it was nor sealed, it does not have its name:
//
//  1. make the image durable as it is, then the undo file: what the blocks held
//  2. rename the image to NAME.sealing
//  3. write the blocks, sync, and read them back
//  4. rename it back: from here on it is sealed
//  5. remove the undo file
//
// After a crash before step 2 or behind step 4 the undo file means nothing and is
// removed. Between them it is put back by whoever opens the image next; see
// Recover. A draft needs none of that: it gets its name when it is done.
func (s *Seal) Apply() error {
	i := s.image
	if err := s.stillFits(); err != nil {
		return err
	}
	if err := i.file.Chmod(0o600); err != nil {
		return err
	}
	if i.final != "" {
		return s.finish()
	}
	if err := s.saveUndo(); err != nil {
		return errors.Join(err, removeIfThere(i.Path+undoSuffix))
	}
	if err := s.rename("set aside", i.Path, i.Path+asideSuffix); err != nil {
		return errors.Join(err, removeIfThere(i.Path+undoSuffix))
	}
	if err := s.write(); err != nil {
		return errors.Join(&Error{File: i.Path, Message: "was not sealed", Err: err}, restore(i.file, i.Path))
	}
	if err := s.rename("commit", i.Path+asideSuffix, i.Path); err != nil {
		return err
	}
	s.step("remove undo")
	return removeIfThere(i.Path + undoSuffix)
}

// stillFits tells whether the image is what the key was prepared for. Somebody may
// have taken his time to say yes.
func (s *Seal) stillFits() error {
	for _, b := range s.blocks {
		now := make([]byte, len(b.old))
		if _, err := s.image.file.ReadAt(now, b.offset); err != nil || !bytes.Equal(now, b.old) {
			return &Error{File: s.image.Path, Message: "has changed meanwhile", Err: err, Fix: "nothing was written; run this again"}
		}
	}
	return nil
}

// saveUndo makes the image durable as it is, and then what undoes the change.
func (s *Seal) saveUndo() error {
	s.step("sync image")
	if err := s.image.file.Sync(); err != nil {
		return err
	}
	s.step("save undo")
	return writeUndo(s.image.Path+undoSuffix, s.image.Size, s.blocks)
}

func (s *Seal) rename(step, from, to string) error {
	s.step(step)
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return &Error{File: to, Message: "is there, and belongs to another run", Fix: "remove it if you do not know it"}
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(to))
}

// write writes the blocks, makes them durable and reads them back from the disk.
func (s *Seal) write() error {
	file := s.image.file
	for n, b := range s.blocks {
		s.step(fmt.Sprintf("write block %d", n))
		if _, err := file.WriteAt(b.new, b.offset); err != nil {
			return err
		}
	}
	s.step("sync blocks")
	if err := file.Sync(); err != nil {
		return err
	}
	for _, b := range s.blocks {
		forgetCached(file, b.offset, int64(len(b.new)))
		got := make([]byte, len(b.new))
		if _, err := file.ReadAt(got, b.offset); err != nil || !bytes.Equal(got, b.new) {
			return errors.Join(fmt.Errorf("block at %d did not arrive", b.offset), err)
		}
	}
	return nil
}

// finish seals a draft, and gives it its name. It must not take that of an image which
// was being sealed when it was killed: that could not be put back any more.
func (s *Seal) finish() error {
	if Unfinished(s.image.final) {
		return &Error{File: s.image.final, Message: "a killed run left one half sealed", Fix: "put it back: pistack image inspect " + s.image.final}
	}
	if err := s.write(); err != nil {
		return err
	}
	s.step("name")
	if err := os.Rename(s.image.Path, s.image.final); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(s.image.final))
}

// Keep gives a draft its name as it is, durably, with mode 0600: the key was in it
// already. It does nothing to another image.
func (i *Image) Keep() error {
	if i.final == "" {
		return nil
	}
	return (&Seal{image: i, step: func(string) {}}).Apply()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
