package sdimage

import "fmt"

// Types of inodes, and numbers of those that hold metadata.
const (
	typeMask    = 0xf000
	typeFolder  = 0x4000
	typeSymlink = 0xa000
	resizeInode = 7
	journal     = 8

	flagExtents    = 0x80000
	flagInlineData = 0x10000000
	maxDepth       = 5 // of an extent tree
)

// copyInode copies the blocks of an inode that are metadata. Of an ordinary file
// these are its extent tree and its attributes.
func (c *copier) copyInode(number int64, inode []byte) error {
	mode, flags := le16(inode, 0x00), le32(inode, 0x20)
	if mode == 0 && number != resizeInode || le16(inode, 0x1a) == 0 && number >= 11 {
		return nil
	}
	attributes := int64(le32(inode, 0x68)) | int64(le16(inode, 0x76))<<32
	if attributes != 0 {
		if _, err := c.copyBlock(attributes); err != nil {
			return err
		}
	}
	kind := mode & typeMask
	fast := kind == typeSymlink && flags&flagExtents == 0 && le32(inode, 0x04) < 60
	if fast || flags&flagInlineData != 0 {
		return nil
	}
	content := kind == typeFolder || kind == typeSymlink || number == resizeInode || number == journal || number == c.orphanFile
	if flags&flagExtents != 0 {
		return c.copyExtents(inode[0x28:0x64], maxDepth, content)
	}
	if number >= 11 && kind != typeFolder && kind != typeSymlink && kind != 0x8000 {
		return nil // a device, a pipe or a socket has no blocks
	}
	return c.copyMapped(inode[0x28:0x64], content)
}

// copyExtents copies the blocks of an extent tree, and with content those that it
// tells of.
func (c *copier) copyExtents(node []byte, depth int, content bool) error {
	if le16(node, 0) != 0xf30a {
		return fmt.Errorf("has a damaged extent tree")
	}
	entries, level := int(le16(node, 2)), int(le16(node, 6))
	if 12+12*entries > len(node) || level > depth {
		return fmt.Errorf("has a damaged extent tree")
	}
	for n := range entries {
		entry := node[12+12*n:][:12]
		if level == 0 {
			if !content {
				continue
			}
			length := int64(le16(entry, 4))
			if length > 32768 {
				length -= 32768 // reserved, and not written yet
			}
			if err := c.copyBlocks(int64(le32(entry, 8))|int64(le16(entry, 6))<<32, length); err != nil {
				return err
			}
			continue
		}
		if err := c.copyBranch(int64(le32(entry, 4))|int64(le16(entry, 8))<<32, level-1, content); err != nil {
			return err
		}
	}
	return nil
}

// copyBranch copies a block of an extent tree and goes into it.
func (c *copier) copyBranch(block int64, depth int, content bool) error {
	if first, err := c.copyBlock(block); err != nil || !first {
		return err
	}
	node := make([]byte, c.blockSize)
	if err := c.readBlock(block, node); err != nil {
		return err
	}
	return c.copyExtents(node, depth, content)
}

// copyMapped does the same for the block map of ext2: twelve blocks, then one
// block with numbers of blocks, one with numbers of such blocks, and so on.
func (c *copier) copyMapped(numbers []byte, content bool) error {
	for n := range 15 {
		block := int64(le32(numbers, 4*n))
		if block == 0 {
			continue
		}
		if err := c.copyIndirect(block, max(0, n-11), content); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) copyIndirect(block int64, level int, content bool) error {
	if level == 0 && !content {
		return nil
	}
	if first, err := c.copyBlock(block); err != nil || !first || level == 0 {
		return err
	}
	numbers := make([]byte, c.blockSize)
	if err := c.readBlock(block, numbers); err != nil {
		return err
	}
	for at := 0; at < len(numbers); at += 4 {
		if n := int64(le32(numbers, at)); n != 0 {
			if err := c.copyIndirect(n, level-1, content); err != nil {
				return err
			}
		}
	}
	return nil
}
