// Package disk writes an image to an SD card or another removable disk, and knows
// which disks it must leave alone.
//
// What stands on a disk is followed from the other end: from every mounted file
// system, through LVM, encryption, RAID, loop devices and overlays, down to the
// disks below. Whatever is below /, /nix, /usr, /boot, /etc, /var or swap is a disk
// that the machine runs on, and is never written, however it is asked for.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Machine is where the kernel tells of its disks; the zero Machine is this one.
type Machine struct {
	Root string // folder that has proc and sys; "" for /
}

// Device is a whole disk.
type Device struct {
	Path      string // as it was named, /dev/sdb
	Name      string // the kernel's, sdb
	Model     string // "" when unknown
	Size      int64  // bytes
	Removable bool   // a card, a stick, or anything on USB
	ReadOnly  bool
	Mounts    []string // where file systems on it are mounted
	Above     []string // devices that stand on it: LVM, RAID, encryption
	number    string   // the kernel's, "8:16"
	System    string   // for what the machine itself needs it, "/" or "swap"; "" when it does not
}

// Error is a device that is not written.
type Error struct {
	Device  string
	Message string
	Fix     string
	Err     error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Device + ": " + e.Message + ": " + e.Err.Error()
	}
	return e.Device + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next; the command line prints it below the error.
func (e *Error) Hint() string { return e.Fix }

// Find looks a device up by its path, such as /dev/sdb or one of /dev/disk/by-id.
func (m Machine) Find(path string) (Device, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Device{}, &Error{Device: path, Message: "cannot be found", Err: reason(err), Fix: "lsblk lists the disks"}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&os.ModeDevice == 0 || info.Mode()&os.ModeCharDevice != 0 {
		return Device{}, &Error{Device: path, Message: "is not a disk", Fix: "lsblk lists the disks"}
	}
	d, err := m.describe(number(st))
	d.Path = path
	if err != nil {
		return d, &Error{Device: path, Message: "the kernel does not tell what it is", Err: err, Fix: "name a disk, such as lsblk lists"}
	}
	if whole := m.wholeOf(d.Name); whole != d.Name {
		return d, &Error{Device: path, Message: "is a partition, and an image has a partition table of its own", Fix: "name the whole disk, /dev/" + whole}
	}
	return d, nil
}

func reason(err error) error {
	var cause *os.PathError
	if errors.As(err, &cause) {
		return cause.Err
	}
	return err
}

// describe looks a disk up by its number, "8:16".
func (m Machine) describe(number string) (Device, error) {
	name, err := m.nameOf(number)
	if err != nil {
		return Device{}, err
	}
	sectors, err := strconv.ParseInt(m.attribute(name, "size"), 10, 64)
	if err != nil {
		return Device{}, err
	}
	d := Device{
		Name: name, number: number, Size: sectors * 512, // whatever the sectors of the disk are
		Model:     strings.TrimSpace(m.attribute(name, "device/vendor") + " " + m.attribute(name, "device/model") + m.attribute(name, "device/name")),
		Removable: m.removable(name),
		ReadOnly:  m.attribute(name, "ro") == "1",
	}
	if file := m.attribute(name, "loop/backing_file"); file != "" {
		d.Model = "loop device of " + file
	}
	return d, m.use(&d)
}

// removable tells what can be pulled out: card readers inside of laptops and disks
// on USB do not say so themselves.
func (m Machine) removable(name string) bool {
	real, err := filepath.EvalSymlinks(m.block(name))
	return m.attribute(name, "removable") == "1" || m.attribute(name, "device/type") == "SD" ||
		err == nil && strings.Contains(real, "/usb")
}

// Check refuses a device that must not be written, or without force one that may be
// a mistake. size is that of the image, in bytes.
func (d Device) Check(size int64, force bool) error {
	refuse := func(message, fix string) error { return &Error{Device: d.Path, Message: message, Fix: fix} }
	switch {
	case d.System != "":
		return refuse(fmt.Sprintf("this machine runs on it (%s)", d.System), "name the card; lsblk lists the disks. --force does not help here")
	case d.ReadOnly:
		return refuse("is write-protected", "see the switch of the card or its adapter")
	case d.Size == 0:
		return refuse("has no card in it", "put one in")
	case d.Size < size:
		return refuse(fmt.Sprintf("is too small: it has %s, the image %s", Bytes(d.Size), Bytes(size)), "use a larger card")
	case force:
		return nil
	case len(d.Mounts) > 0:
		return refuse("is mounted at "+strings.Join(d.Mounts, ", "), "umount "+strings.Join(d.Mounts, " ")+", or say --force")
	case len(d.Above) > 0:
		return refuse("is in use by "+strings.Join(d.Above, ", "), "stop using it, or say --force")
	case !d.Removable:
		return refuse("is not removable", "be sure that it is the card, and say --force")
	}
	return nil
}

// Bytes writes a size as the makers of disks do: "31.9 GB".
func Bytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	value := float64(n)
	for len(units) > 1 && value >= 1000 {
		value, units = value/1000, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}
