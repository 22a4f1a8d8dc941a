package sdimage

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"pistack/secrets/durable"
)

// Beside an image, while it is being sealed.
const (
	asideSuffix = ".sealing" // the image itself
	undoSuffix  = ".undo"    // what its blocks held before
	newSuffix   = ".new"     // behind undoSuffix: that file, while it is being written
	draftSuffix = ".partial" // an image that is being made
)

// maxUndo bounds an undo file, in bytes: maxChanges as base64.
const maxUndo = 2 * maxChanges

// undoFile is what blocks of an image held before it was sealed. It holds no key.
type undoFile struct {
	Schema int         `json:"schema"`
	Size   int64       `json:"size"` // of the image
	Blocks []undoBlock `json:"blocks"`
}

type undoBlock struct {
	Offset int64  `json:"offset"`
	Old    []byte `json:"old"`
}

// writeUndo writes the file as a whole, by way of one that the next run replaces or
// removes if this one is killed.
func writeUndo(path string, size int64, blocks []block) error {
	u := undoFile{Schema: 1, Size: size}
	for _, b := range blocks {
		u.Blocks = append(u.Blocks, undoBlock{b.offset, b.old})
	}
	data, err := json.Marshal(u)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path+newSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, removeIfThere(path+newSuffix))
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// parseUndo refuses what does not fit an image of that size.
func parseUndo(data []byte, size int64) (undoFile, error) {
	var u undoFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&u); err != nil || u.Schema != 1 || u.Size != size {
		return u, errors.New("is damaged, or of another image")
	}
	for _, b := range u.Blocks {
		if b.Offset < 0 || b.Offset > size-int64(len(b.Old)) {
			return u, errors.New("names blocks outside of the image")
		}
	}
	return u, nil
}

// Recover puts back an image that a killed run was sealing, and removes what it
// left. It tells whether there was such an image.
func Recover(path string) (bool, error) {
	path = resolve(path)
	file, err := openRegular(path+asideSuffix, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return false, stale(path)
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return false, &Error{File: path, Message: "another process is sealing it", Fix: "wait for it to end"}
	}
	return true, restore(file, path)
}

// Unfinished tells whether a killed run left an image half sealed: then it does not
// have its name.
func Unfinished(path string) bool {
	_, err := os.Lstat(resolve(path) + asideSuffix)
	return err == nil
}

// stale removes undo files that mean nothing any more. Those of an image that is
// being sealed right now are left alone: that process holds a lock.
func stale(path string) error {
	undo, half := path+undoSuffix, path+undoSuffix+newSuffix
	_, err1 := os.Lstat(undo)
	_, err2 := os.Lstat(half)
	if err1 != nil && err2 != nil {
		return nil
	}
	file, err := openRegular(path, os.O_RDONLY)
	if err != nil {
		return nil // the caller says what is wrong with it
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil
	}
	if _, err := os.Lstat(path + asideSuffix); err == nil {
		return nil
	}
	return errors.Join(removeIfThere(undo), removeIfThere(half))
}

// restore writes back what the blocks held, and gives the image its name.
func restore(file *os.File, path string) error {
	refuse := func(message string, err error) error {
		return &Error{File: path + asideSuffix, Message: message, Err: err, Fix: "build the image anew, and remove this file: it may hold a private key"}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return refuse("a killed run left it half sealed, and "+filepath.Base(path)+" is there again", nil)
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	data, err := readSmall(path+undoSuffix, maxUndo)
	if err != nil {
		return refuse("a killed run left it half sealed, and how to undo that cannot be read", err)
	}
	u, err := parseUndo(data, info.Size())
	if err != nil {
		return refuse("a killed run left it half sealed, and "+filepath.Base(path)+undoSuffix, err)
	}
	if err := putBack(file, u.Blocks); err != nil {
		return refuse("cannot be put back", err)
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(path+asideSuffix, path); err != nil {
		return err
	}
	if err := durable.SyncDir(filepath.Dir(path)); err != nil {
		return err
	}
	return removeIfThere(path + undoSuffix)
}

// putBack writes what blocks held. Those that still do are left alone: a hole would
// need room, and the disk may be full.
func putBack(file *os.File, blocks []undoBlock) error {
	for _, b := range blocks {
		now := make([]byte, len(b.Old))
		if _, err := file.ReadAt(now, b.Offset); err == nil && bytes.Equal(now, b.Old) {
			continue
		}
		if _, err := file.WriteAt(b.Old, b.Offset); err != nil {
			return err
		}
	}
	return nil
}

func readSmall(path string, most int64) ([]byte, error) {
	file, err := openRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(data)) > most {
		err = errors.New("it is too large")
	}
	return data, err
}
