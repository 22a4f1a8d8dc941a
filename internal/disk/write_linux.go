package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"pistack/internal/holes"
)

const (
	chunk  = 4 << 20  // bytes that are written or read at once
	ahead  = 32 << 20 // bytes that are on their way: what an interrupt waits for
	sector = 4096     // the largest that disks have: what direct reads are aligned to
)

// Write writes an image to a card and makes it durable. progress is told how many
// bytes are done. What is a hole in the image is zero on the card.
func (c *Card) Write(ctx context.Context, image *os.File, size int64, progress func(done int64)) error {
	device := c.file
	w := &writer{ctx: ctx, image: image, device: device, buffer: make([]byte, chunk), progress: progress}
	err := holes.EachData(image, size, w.data)
	if err == nil {
		err = w.zero(size)
	}
	if err == nil {
		err = device.Sync()
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &Error{Device: c.Path, Message: "cannot be written: it holds a part of the image", Err: reason(err), Fix: "try another card or reader"}
	}
	_ = unix.IoctlSetInt(int(device.Fd()), unix.BLKRRPART, 0) // fails while it is mounted; pulling it out does the same
	return nil
}

// Card is a device that is open to be written. Close it after use.
type Card struct {
	Device
	file *os.File
}

// Open opens a device that Find found, for what Check allowed. Until somebody has
// said yes its path may name another one: what is open is compared with what was
// shown, and checked again. A device that something else has open for itself is
// refused, unless it is known to be mounted.
func (m Machine) Open(d Device, size int64, force bool) (*Card, error) {
	flags := os.O_WRONLY
	if len(d.Mounts) == 0 {
		flags |= unix.O_EXCL // refused by the kernel when anything uses a part of it
	}
	file, err := os.OpenFile(d.Path, flags, 0)
	if err != nil {
		return nil, openError(d, err)
	}
	if err := m.recheck(file, d, size, force); err != nil {
		file.Close()
		return nil, err
	}
	return &Card{d, file}, nil
}

// Close releases the device.
func (c *Card) Close() error { return c.file.Close() }

// recheck refuses an open device that is not the one that was found, or that must
// not be written any more.
func (m Machine) recheck(file *os.File, d Device, size int64, force bool) error {
	another := &Error{Device: d.Path, Message: "is not the device any more that was shown", Fix: "nothing was written; run this again"}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || info.Mode()&os.ModeDevice == 0 || number(st) != d.number {
		return another
	}
	now, err := m.describe(d.number)
	if err != nil || now.Name != d.Name || now.Size != d.Size || now.Model != d.Model {
		return another
	}
	now.Path = d.Path
	return now.Check(size, force)
}

func openError(d Device, err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return &Error{Device: d.Path, Message: "you may not write it", Fix: "run the same with sudo, or as a member of the group disk"}
	case errors.Is(err, unix.EBUSY):
		return &Error{Device: d.Path, Message: "is in use", Fix: "unmount what is on it, and close what has it open"}
	}
	return &Error{Device: d.Path, Message: "cannot be opened", Err: reason(err)}
}

// writer copies an image from its start to its end.
type writer struct {
	ctx           context.Context
	image, device *os.File
	buffer        []byte
	at            int64 // what was written
	progress      func(done int64)
}

// data copies a part that is no hole, after zeros for the hole in front of it.
func (w *writer) data(start, end int64) error {
	if err := w.zero(start); err != nil {
		return err
	}
	for w.at < end {
		n := min(chunk, end-w.at)
		if _, err := w.image.ReadAt(w.buffer[:n], w.at); err != nil {
			return err
		}
		if err := w.put(w.buffer[:n]); err != nil {
			return err
		}
	}
	return nil
}

// put writes, and has the kernel begin to write it out: what is on its way is
// bounded, and progress is that of the disk.
func (w *writer) put(b []byte) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if _, err := w.device.WriteAt(b, w.at); err != nil {
		return err
	}
	fd := int(w.device.Fd())
	_ = unix.SyncFileRange(fd, w.at, int64(len(b)), unix.SYNC_FILE_RANGE_WRITE) // an error comes from the sync at the end, too
	if old := w.at - ahead; old >= 0 {
		_ = unix.SyncFileRange(fd, old, int64(len(b)), unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
	}
	w.at += int64(len(b))
	w.progress(w.at)
	return nil
}

// zero fills a device with zeros up to a place. Where the disk can do that by
// itself, it is asked to.
func (w *writer) zero(until int64) error {
	const large = 64 << 20
	for w.at < until {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		n := min(large, until-w.at)
		if w.at%sector == 0 && n%sector == 0 && zeroOut(w.device, w.at, n) == nil {
			w.at += n
			w.progress(w.at)
			continue
		}
		n = min(chunk, until-w.at)
		clear(w.buffer[:n])
		if err := w.put(w.buffer[:n]); err != nil {
			return err
		}
	}
	return nil
}

// Requests of linux/fs.h.
const (
	blkZeroOut  = 0x127f
	blkFlushBuf = 0x1261
)

func zeroOut(device *os.File, at, length int64) error {
	part := [2]uint64{uint64(at), uint64(length)}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, device.Fd(), blkZeroOut, uintptr(unsafe.Pointer(&part)))
	if errno != 0 {
		return errno
	}
	return nil
}

// Verify reads a card back, from the disk and not from memory, and compares it with
// the image.
func (c *Card) Verify(ctx context.Context, image *os.File, size int64, progress func(done int64)) error {
	d := c.Device
	device, err := openDirect(fmt.Sprintf("/proc/self/fd/%d", c.file.Fd())) // whatever its path names now
	if err != nil {
		return openError(d, err)
	}
	defer device.Close()
	got, err := unix.Mmap(-1, 0, chunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE) // aligned to pages
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	defer unix.Munmap(got)
	want := make([]byte, chunk)
	for at := int64(0); at < size; at += chunk {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(chunk, size-at)
		if _, err := image.ReadAt(want[:n], at); err != nil {
			return err
		}
		whole := min((n+sector-1)/sector*sector, d.Size-at)
		if _, err := device.ReadAt(got[:whole], at); err != nil {
			return &Error{Device: d.Path, Message: fmt.Sprintf("cannot be read back at byte %d", at), Err: reason(err), Fix: "try another card or reader"}
		}
		if !bytes.Equal(got[:n], want[:n]) {
			return &Error{Device: d.Path, Message: fmt.Sprintf("does not hold what was written, at or behind byte %d", at), Fix: "the card or its reader is broken, or it is smaller than it says: use another"}
		}
		progress(at + n)
	}
	return nil
}

// openDirect opens a device for reads that come from the disk.
func openDirect(path string) (*os.File, error) {
	device, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if !errors.Is(err, unix.EINVAL) {
		return device, err
	}
	if device, err = os.Open(path); err == nil {
		_ = unix.IoctlSetInt(int(device.Fd()), blkFlushBuf, 0) // only root may; then it comes from memory
	}
	return device, err
}
