package sdimage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// superblock is what has to be known of an ext4 file system to find its metadata
// (Linux, Documentation/filesystems/ext4/super.rst).
type superblock struct {
	label          string
	blockSize      int64
	blocks         int64
	firstBlock     int64 // 1 where blocks have 1 KiB, else 0
	blocksPerGroup int64
	inodesPerGroup int64
	inodeSize      int64
	descriptorSize int64
	incompatible   uint32
	orphanFile     int64 // inode of the list of deleted files that are in use still; 0 for none
	valid          uint16
}

// Features that a file system can have, and its metadata still be found: file
// types in folders, extents, 64 bit, flexible groups, a seed of checksums, large
// folders.
const (
	knownFeatures = 0x2 | 0x40 | 0x80 | 0x200 | 0x2000 | 0x4000
	needsRecovery = 0x4
	feature64bit  = 0x80

	compatOrphanFile = 0x1000 // of the compatible ones; the default of mke2fs since 1.47
)

// readSuperblock tells whether a partition holds ext2, 3 or 4.
func readSuperblock(r io.ReaderAt, p Partition) (superblock, bool) {
	b := make([]byte, 1024)
	if p.Size < 4096 {
		return superblock{}, false
	}
	if _, err := r.ReadAt(b, p.Start+1024); err != nil || le16(b, 0x38) != 0xef53 {
		return superblock{}, false
	}
	label, _, _ := bytes.Cut(b[0x78:0x88], []byte{0})
	s := superblock{
		label:          string(label),
		blocks:         int64(le32(b, 0x04)),
		firstBlock:     int64(le32(b, 0x14)),
		blocksPerGroup: int64(le32(b, 0x20)),
		inodesPerGroup: int64(le32(b, 0x28)),
		inodeSize:      int64(le16(b, 0x58)),
		descriptorSize: 32,
		incompatible:   le32(b, 0x60),
		valid:          le16(b, 0x3a),
	}
	if shift := le32(b, 0x18); shift <= 2 { // 4 KiB: larger ones Linux mounts on few machines
		s.blockSize = 1024 << shift
	}
	if le32(b, 0x5c)&compatOrphanFile != 0 {
		s.orphanFile = int64(le32(b, 0x280))
	}
	if s.incompatible&feature64bit != 0 {
		s.descriptorSize = int64(le16(b, 0xfe))
		s.blocks |= int64(le32(b, 0x150)) << 32
	}
	return s, true
}

// check refuses a file system that cannot be sealed, or is not all there.
func (s superblock) check(p Partition) error {
	switch {
	case s.incompatible&needsRecovery != 0, s.valid&1 == 0, s.valid&2 != 0:
		return fmt.Errorf("was not unmounted, or has errors")
	case s.incompatible&^knownFeatures != 0:
		return fmt.Errorf("has features that cannot be sealed (bits %#x of its incompatible ones)", s.incompatible&^knownFeatures)
	case s.blockSize == 0, s.blocks <= 0, s.blocks > p.Size/s.blockSize:
		return fmt.Errorf("is larger than its partition")
	case s.blocksPerGroup < 8, s.blocksPerGroup > 8*s.blockSize, s.inodesPerGroup < 1, s.inodesPerGroup > 8*s.blockSize,
		s.inodeSize < 128, s.inodeSize > s.blockSize, s.descriptorSize < 32, s.descriptorSize > 1024, s.firstBlock < 0, s.firstBlock > 1:
		return fmt.Errorf("is damaged: its superblock makes no sense")
	}
	return nil
}

func (s superblock) groups() int64 {
	return (s.blocks - s.firstBlock + s.blocksPerGroup - 1) / s.blocksPerGroup
}

func le16(b []byte, at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
func le32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
