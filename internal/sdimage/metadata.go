package sdimage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// copier copies the metadata of an ext4 file system into a file of the same size,
// where the content of files is a hole: superblocks, descriptors, bitmaps, inode
// tables, and the blocks of folders, symlinks, extent trees, attributes and the orphan file. What
// it does not know, such as a feature that is newer, e2fsck misses in the copy.
type copier struct {
	superblock
	from  io.ReaderAt // the partition
	to    *os.File
	block []byte // of one block; see copyBlock
	seen  []bool // blocks that were copied
	left  int64  // how many blocks may still be asked for: a damaged tree has no end
}

// copyMetadata copies what debugfs and e2fsck look at, and tells which blocks that
// was.
func copyMetadata(s superblock, from io.ReaderAt, to *os.File) (copied []bool, err error) {
	if err := to.Truncate(s.blocks * s.blockSize); err != nil {
		return nil, err
	}
	c := &copier{superblock: s, from: from, to: to, block: make([]byte, s.blockSize), seen: make([]bool, s.blocks), left: 4*s.blocks + 1000}
	return c.seen, c.copyAll()
}

func (c *copier) copyAll() error {
	descriptors := (c.groups()*c.descriptorSize + c.blockSize - 1) / c.blockSize
	if err := c.copyBlocks(0, c.firstBlock+1+descriptors); err != nil {
		return err
	}
	table := make([]byte, c.groups()*c.descriptorSize)
	if _, err := c.from.ReadAt(table, (c.firstBlock+1)*c.blockSize); err != nil {
		return err
	}
	for g := range c.groups() {
		if err := c.copyGroup(g, table[g*c.descriptorSize:][:c.descriptorSize]); err != nil {
			return fmt.Errorf("group %d of the file system: %w", g, err)
		}
	}
	return nil
}

// copyGroup copies a group's own metadata, then those of its inodes.
func (c *copier) copyGroup(group int64, descriptor []byte) error {
	start := c.firstBlock + group*c.blocksPerGroup
	tableBlocks := (c.inodesPerGroup*c.inodeSize + c.blockSize - 1) / c.blockSize
	table := c.address(descriptor, 0x08, 0x28)
	for _, part := range []struct{ start, count int64 }{
		{start, 1}, // a copy of the superblock, in some groups
		{c.address(descriptor, 0x00, 0x20), 1},
		{c.address(descriptor, 0x04, 0x24), 1},
		{table, tableBlocks},
	} {
		if err := c.copyBlocks(part.start, part.count); err != nil {
			return err
		}
	}
	inodes := make([]byte, c.inodesPerGroup*c.inodeSize)
	if _, err := c.from.ReadAt(inodes, table*c.blockSize); err != nil {
		return err
	}
	for n := range c.inodesPerGroup {
		if err := c.copyInode(group*c.inodesPerGroup+n+1, inodes[n*c.inodeSize:][:c.inodeSize]); err != nil {
			return fmt.Errorf("inode %d: %w", group*c.inodesPerGroup+n+1, err)
		}
	}
	return nil
}

// address joins the two halves of a block's number in a descriptor.
func (c *copier) address(descriptor []byte, low, high int) int64 {
	n := int64(le32(descriptor, low))
	if c.descriptorSize >= 64 {
		n |= int64(le32(descriptor, high)) << 32
	}
	return n
}

// copyBlocks copies blocks, but for those that are zero.
func (c *copier) copyBlocks(start, count int64) error {
	for n := start; n < start+count; n++ {
		if _, err := c.copyBlock(n); err != nil {
			return err
		}
	}
	return nil
}

// copyBlock tells whether the block was not copied before.
func (c *copier) copyBlock(n int64) (first bool, err error) {
	if c.left--; c.left < 0 {
		return false, errors.New("its metadata have no end")
	}
	if n < 0 || n >= c.blocks {
		return false, fmt.Errorf("block %d is outside of the file system", n)
	}
	if c.seen[n] {
		return false, nil
	}
	c.seen[n] = true
	if err := c.readBlock(n, c.block); err != nil || allZero(c.block) {
		return true, err
	}
	_, err = c.to.WriteAt(c.block, n*c.blockSize)
	return true, err
}

func (c *copier) readBlock(n int64, into []byte) error {
	_, err := c.from.ReadAt(into, n*c.blockSize)
	return err
}

// allZero compares a text with itself, one byte further: as fast as memory is.
func allZero(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}
