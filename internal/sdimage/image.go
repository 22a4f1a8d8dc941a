// Package sdimage puts a host's private key into an SD image, and looks into
// such images, without mounting anything and without root.
//
// # The image
//
// NixOS's SD image has a master boot record, a FAT file system FIRMWARE and an
// ext4 file system NIXOS_SD behind it. /etc is empty there: sshd makes a host key
// when it first starts, unless there is one. Sealing puts one there.
//
// # Sealing
//
// Nothing is written into the image before the result is known to be good:
//
//  1. the file system's metadata are copied into a file in memory (a memfd), which
//     has no name on any disk and is gone with the process; see metadata.go
//  2. debugfs of e2fsprogs writes the key there, from another file in memory.
//     Its exit status is 0 even when every command failed, so files are read back,
//     and e2fsck looks at the whole
//  3. the blocks that this changed, some sixty kilobytes, are written into the
//     image, with what they held before in a file beside it; see undo.go
//
// An image that is sealed holds a private key: whoever has the file, or the card,
// is the host. It has mode 0600, and is to be removed when the card is written.
package sdimage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// RootLabel is the label of the ext4 file system of NixOS's SD images,
// FirmwareLabel that of the FAT file system.
const (
	RootLabel     = "NIXOS_SD"
	FirmwareLabel = "FIRMWARE"
)

// Image is an SD image, open and locked. Close it after use.
type Image struct {
	Path     string
	Size     int64 // bytes
	Firmware Partition
	Root     Partition
	file     *os.File
	super    superblock
	final    string // name that a draft gets when it is sealed; "" for any other
}

// Error is an image that cannot be used, or a device.
type Error struct {
	File    string // the image
	Message string
	Fix     string // what to type or do next; may be empty
	Err     error  // cause, or nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.File + ": " + e.Message + ": " + e.Err.Error()
	}
	return e.File + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next; the command line prints it below the error.
func (e *Error) Hint() string { return e.Fix }

// Open reads the layout of an image, after it has put back what a killed run left
// unfinished. Only one process at a time has an image open to seal it.
func Open(path string, seal bool) (*Image, error) {
	path = resolve(path)
	if _, err := Recover(path); err != nil {
		return nil, err
	}
	flag, lock := os.O_RDONLY, syscall.LOCK_SH
	if seal {
		flag, lock = os.O_RDWR, syscall.LOCK_EX
	}
	file, err := openRegular(path, flag)
	if err != nil {
		return nil, missing(path, err, seal)
	}
	img := &Image{Path: path, file: file}
	err = img.read(lock)
	if err == nil && seal {
		err = img.refuseLinked()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return img, nil
}

// openRegular opens a file, and waits for nobody: a pipe would have to have another
// end. What is no regular file is an *Error.
func openRegular(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &Error{File: path, Message: "is not a regular file", Fix: "name a file; pistack image write HOST DEVICE writes an image to a card"}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// resolve follows symlinks, also to what is not there just now: the image is renamed
// while it is sealed, and not the link.
func resolve(path string) string {
	for range 40 {
		target, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return path
}

// refuseLinked refuses a file with two names: by the other one it could be seen half
// sealed, and the key by somebody else.
func (i *Image) refuseLinked() error {
	info, err := i.file.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && uint64(st.Nlink) > 1 {
		return i.wrong("has another name, by a hard link", "seal a copy: --out FILE")
	}
	return nil
}

// missing explains an image that cannot be opened.
func missing(path string, err error, seal bool) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	fix := "name an image, such as pistack image build writes"
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case seal:
		fix = "seal a copy: --out FILE"
	default:
		fix = "see whose it is: a sealed image can be read by its owner alone"
	}
	return &Error{File: path, Message: "cannot be opened", Err: err, Fix: fix}
}

// File is the image, open to be read. It is closed with the image.
func (i *Image) File() *os.File { return i.file }

// Close releases the image.
func (i *Image) Close() error { return i.file.Close() }

func (i *Image) read(lock int) error {
	info, err := i.file.Stat()
	if err != nil {
		return err
	}
	err = syscall.Flock(int(i.file.Fd()), lock|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return i.wrong("another process has it open to seal or to write it", "wait for it to end")
	}
	if err != nil {
		return &Error{File: i.Path, Message: "cannot be locked", Err: err, Fix: "use a disk of this machine"}
	}
	i.Size = info.Size()
	if err := i.refuseCompressed(); err != nil {
		return err
	}
	partitions, err := readPartitions(i.file, i.Size)
	if err != nil {
		return i.wrong(err.Error(), "is it an image of NixOS's sd-image modules, and complete?")
	}
	return i.find(partitions)
}

// find looks for the two file systems by their labels.
func (i *Image) find(partitions []Partition) error {
	var labels []string
	for _, p := range partitions {
		if label, ok := fatLabel(i.file, p); ok && label == FirmwareLabel {
			i.Firmware = p
		}
		super, ok := readSuperblock(i.file, p)
		if !ok {
			continue
		}
		labels = append(labels, fmt.Sprintf("%q", super.label))
		if super.label == RootLabel {
			i.Root, i.super = p, super
		}
	}
	if i.Root.Size == 0 {
		return i.wrong(fmt.Sprintf("no partition holds an ext4 file system labelled %s (ext4 labels: %v)", RootLabel, labels),
			"NixOS's sd-image makes one; sdImage.rootVolumeLabel in your configuration would change it")
	}
	if err := i.super.check(i.Root); err != nil {
		return i.wrong("the file system "+RootLabel+" "+err.Error(), "build the image anew, or copy it again")
	}
	return nil
}

// refuseCompressed tells an image as NixOS's build leaves it from a raw one.
func (i *Image) refuseCompressed() error {
	magic := make([]byte, 4)
	if _, err := i.file.ReadAt(magic, 0); err == nil && string(magic) == zstdMagic {
		return i.wrong("is compressed", "pistack image seal HOST FILE.img.zst --out FILE.img decompresses it")
	}
	return nil
}

func (i *Image) wrong(message, fix string) error {
	return &Error{File: i.Path, Message: message, Fix: fix}
}

// Name is what the image is called when it is done: a draft has another path yet.
func (i *Image) Name() string {
	if i.final != "" {
		return i.final
	}
	return i.Path
}
