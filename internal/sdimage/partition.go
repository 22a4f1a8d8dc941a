package sdimage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

const sector = 512

// Partition is a part of an image, in bytes.
type Partition struct {
	Number int // from 1, as in the partition table
	Type   byte
	Start  int64
	Size   int64
}

// Types of partitions that are no place for a file system of ours.
const (
	typeEmpty = 0x00
	typeGPT   = 0xee
)

// readPartitions reads the four primary entries of a master boot record. Each has
// to be inside the image, and none may overlap another.
func readPartitions(r io.ReaderAt, size int64) ([]Partition, error) {
	record := make([]byte, sector)
	if _, err := r.ReadAt(record, 0); err != nil {
		return nil, errors.New("is too short for a partition table")
	}
	if record[510] != 0x55 || record[511] != 0xaa {
		return nil, errors.New("has no partition table")
	}
	var found []Partition
	for n := range 4 {
		p := entry(n+1, record[446+16*n:][:16])
		switch {
		case p.Type == typeEmpty || p.Size == 0:
			continue
		case p.Type == typeGPT:
			return nil, errors.New("has a GPT, and NixOS's SD images have a master boot record")
		case p.Start < sector:
			return nil, fmt.Errorf("partition %d covers the partition table", p.Number)
		case p.Start+p.Size > size:
			return nil, fmt.Errorf("is truncated: partition %d ends at byte %d, the file at %d", p.Number, p.Start+p.Size, size)
		}
		for _, other := range found {
			if p.Start < other.Start+other.Size && other.Start < p.Start+p.Size {
				return nil, fmt.Errorf("partitions %d and %d overlap", other.Number, p.Number)
			}
		}
		found = append(found, p)
	}
	if len(found) == 0 {
		return nil, errors.New("has no partitions")
	}
	return found, nil
}

// entry decodes one entry. Numbers of sectors have 32 bits: no sum overflows.
func entry(number int, b []byte) Partition {
	return Partition{
		Number: number, Type: b[4],
		Start: int64(binary.LittleEndian.Uint32(b[8:])) * sector,
		Size:  int64(binary.LittleEndian.Uint32(b[12:])) * sector,
	}
}

// fatLabel is the label in the boot sector of a FAT file system.
func fatLabel(r io.ReaderAt, p Partition) (string, bool) {
	boot := make([]byte, sector)
	if _, err := r.ReadAt(boot, p.Start); err != nil || boot[510] != 0x55 || boot[511] != 0xaa {
		return "", false
	}
	for _, at := range []struct{ kind, label int }{{54, 43}, {82, 71}} { // FAT12 and FAT16, FAT32
		if strings.HasPrefix(string(boot[at.kind:at.kind+8]), "FAT") {
			return strings.TrimRight(string(boot[at.label:at.label+11]), " \x00"), true
		}
	}
	return "", false
}
