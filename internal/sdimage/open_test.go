package sdimage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// patch overwrites a part of a file.
func patch(t *testing.T, path string, at int64, data ...byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, at); err != nil {
		t.Fatal(err)
	}
}

// TestRefused: what is no image of ours stays as it is, and the error says why.
func TestRefused(t *testing.T) {
	original := makeImage(t, 24, system(t, "pi"))
	held := open(t, original)
	root := held.Root.Start
	super := func(at int64) int64 { return root + 1024 + at }
	for _, c := range []struct {
		name, want string
		change     func(path string) error
	}{
		{"truncated", "is truncated: partition 2 ends at byte 25165824, the file at 25165823", func(path string) error { return os.Truncate(path, 24<<20-1) }},
		{"truncated in the table", "too short", func(path string) error { return os.Truncate(path, 300) }},
		{"empty", "too short", func(path string) error { return os.Truncate(path, 0) }},
		{"no table", "has no partition table", func(path string) error { patch(t, path, 510, 0, 0); return nil }},
		{"GPT", "has a GPT", func(path string) error { patch(t, path, 446+4, 0xee); return nil }},
		{"overlap", "overlap", func(path string) error { patch(t, path, 446+8, 0, 0x48); return nil }},
		{"over the table", "covers the partition table", func(path string) error { patch(t, path, 446+8, 0, 0, 0, 0); return nil }},
		{"no partitions", "has no partitions", func(path string) error { patch(t, path, 446, make([]byte, 64)...); return nil }},
		{"another label", `no partition holds an ext4 file system labelled NIXOS_SD (ext4 labels: ["NIXOS_XX"])`, func(path string) error { patch(t, path, super(0x78), []byte("NIXOS_XX")...); return nil }},
		{"no ext4", "(ext4 labels: [])", func(path string) error { patch(t, path, super(0x38), 0, 0); return nil }},
		{"unknown feature", "has features that cannot be sealed (bits 0x80000 of", func(path string) error { patch(t, path, super(0x62), 0x08); return nil }},
		{"encryption", "has features that cannot be sealed (bits 0x10000 of", func(path string) error { patch(t, path, super(0x62), 0x01); return nil }},
		{"not unmounted", "was not unmounted", func(path string) error { patch(t, path, super(0x60), 0xc6); return nil }},
		{"errors", "has errors", func(path string) error { patch(t, path, super(0x3a), 3); return nil }},
		{"too many blocks", "is larger than its partition", func(path string) error { patch(t, path, super(0x04), 0, 0, 1, 0); return nil }},
		{"no sense", "makes no sense", func(path string) error { patch(t, path, super(0x28), 0, 0, 0, 0); return nil }},
		{"large blocks", "is larger than its partition", func(path string) error { patch(t, path, super(0x18), 6); return nil }},
		{"descriptors", "cannot be read", func(path string) error { patch(t, path, root+2048, bytes.Repeat([]byte{0xff}, 64)...); return nil }},
		{"compressed", "is compressed", func(path string) error { patch(t, path, 0, []byte(zstdMagic)...); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pi.img")
			data, err := os.ReadFile(original)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := c.change(path); err != nil {
				t.Fatal(err)
			}
			unchanged(t, path, func() error { return seal(t, path, newKey(t)) }, c.want)
		})
	}
	t.Run("a folder", func(t *testing.T) {
		if _, err := Open(t.TempDir(), false); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("two names", func(t *testing.T) {
		path := makeImage(t, 24, system(t, "pi"))
		if err := os.Link(path, filepath.Join(t.TempDir(), "other")); err != nil {
			t.Skip(err)
		}
		unchanged(t, path, func() error { return seal(t, path, newKey(t)) }, "has another name")
	})
	t.Run("changed meanwhile", func(t *testing.T) {
		path := makeImage(t, 24, system(t, "pi"))
		img := open(t, path)
		s, err := img.Prepare(t.Context(), newKey(t), Marker{Host: "pi"})
		if err != nil {
			t.Fatal(err)
		}
		patch(t, path, s.blocks[0].offset+5, s.blocks[0].old[5]+1)
		unchanged(t, path, s.Apply, "has changed meanwhile")
	})
	t.Run("by a symlink", func(t *testing.T) {
		path := makeImage(t, 24, system(t, "pi"))
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		key := newKey(t)
		if err := seal(t, link, key); err != nil {
			t.Fatal(err)
		}
		assertSealed(t, path, key)
		if target, err := os.Readlink(link); err != nil || target != path {
			t.Errorf("the link is to %q (%v)", target, err)
		}
	})
	t.Run("sealed already", func(t *testing.T) {
		path := makeImage(t, 24, system(t, "pi"))
		if err := seal(t, path, newKey(t)); err != nil {
			t.Fatal(err)
		}
		unchanged(t, path, func() error { return seal(t, path, newKey(t)) }, "has a host key already")
	})
	t.Run("in use", func(t *testing.T) {
		defer held.Close()
		if _, err := Open(original, true); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("error %v", err)
		}
	})
}

// TestUnpack: a compressed image, a raw one, and what is wrong with one.
func TestUnpack(t *testing.T) {
	raw := makeImage(t, 24, system(t, "pi"))
	data, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(packed.Bytes())
	damaged[len(damaged)/2] ^= 0xff
	for _, c := range []struct {
		name, want string
		content    []byte
	}{
		{"zstd", "", packed.Bytes()},
		{"raw", "", data},
		{"zstd, truncated", "is truncated or damaged", packed.Bytes()[:packed.Len()-5]},
		{"zstd, half", "is truncated or damaged", packed.Bytes()[:packed.Len()/2]},
		{"zstd, damaged", "is truncated or damaged", damaged},
		{"raw, truncated", "is truncated", data[:len(data)-1]},
		{"nothing", "too short", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			source, out := filepath.Join(t.TempDir(), "source"), filepath.Join(t.TempDir(), "pi.img")
			if err := os.WriteFile(source, c.content, 0o644); err != nil {
				t.Fatal(err)
			}
			last := int64(0)
			img, err := Unpack(t.Context(), source, out, func(done, _ int64) { last = done })
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), source) {
					t.Errorf("error %v", err)
				}
				if rest := left(t, out); rest != nil {
					t.Errorf("left: %q", rest)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(img.Path)
			if err != nil || !bytes.Equal(got, data) || last != int64(len(c.content)) {
				t.Errorf("not what it was made from (%v), %d bytes read", err, last)
			}
			key := newKey(t)
			s, err := img.Prepare(t.Context(), key, Marker{Host: "pi"})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Apply(); err != nil {
				t.Fatal(err)
			}
			if err := img.Discard(); err != nil {
				t.Fatal(err)
			}
			assertSealed(t, out, key)
			clean(t, out)
			if rest := left(t, out); rest != nil {
				t.Errorf("left: %q", rest)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		out := filepath.Join(t.TempDir(), "pi.img")
		if _, err := Unpack(ctx, raw, out, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if rest := left(t, out); rest != nil {
			t.Errorf("left: %q", rest)
		}
	})
}

// TestHostKey: which keys can be a host's. No error quotes one.
func TestHostKey(t *testing.T) {
	key := newKey(t)
	file := filepath.Join(t.TempDir(), "key")
	for _, c := range []struct{ name, text, want string }{
		{"good", string(key.private), ""},
		{"public", string(key.Line()), "is not an ssh private key"},
		{"nothing", "", "is not an ssh private key"},
		{"cut", string(key.private[:200]), "is not an ssh private key"},
		{"large", string(key.private) + strings.Repeat("x", 70<<10), "is too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := ReadHostKey(file)
			switch {
			case c.want == "":
				if err != nil || !got.Is(key.Public) || got.Fingerprint() != key.Fingerprint() {
					t.Error(err)
				}
			case err == nil || !strings.Contains(err.Error(), c.want) || len(c.text) > 9 && strings.Contains(err.Error(), c.text[30:39]):
				t.Errorf("error %v", err)
			}
		})
	}
	key.Forget()
	if !allZero(key.private) {
		t.Error("the private half is still there")
	}
}

// TestOf: whether a system is a host's.
func TestOf(t *testing.T) {
	for _, c := range []struct {
		system, host string
		want         bool
	}{
		{"pi-26.05.20260901.abc", "pi", true},
		{"pi-1-26.05.20260901.abc", "pi-1", true},
		{"pi-two-26.05", "pi", false},
		{"pi2-26.05", "pi", false},
		{"", "pi", true},
		{"pi-", "pi", false},
		{"pi-01-26.05.20260901.abc", "pi", false},
		{"pi-01-26.05.20260901.abc", "pi-01", true},
		{"pi-26.05-26.05", "pi", true},
		{"pi-26.05pre-git", "pi", true},
	} {
		if got := (Content{NixOS: c.system}).Of(c.host); got != c.want {
			t.Errorf("%q of %s: %v", c.system, c.host, got)
		}
	}
}

// FuzzPartitions: what is accepted is inside the image, and does not overlap.
func FuzzPartitions(f *testing.F) {
	record := make([]byte, sector)
	record[510], record[511] = 0x55, 0xaa
	binary.LittleEndian.PutUint32(record[446+8:], 16384)
	binary.LittleEndian.PutUint32(record[446+12:], 100)
	record[446+4] = 0x83
	f.Add(record, int64(64<<20))
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		found, err := readPartitions(bytes.NewReader(data), size)
		for n, p := range found {
			if p.Start < sector || p.Size <= 0 || p.Start+p.Size > size {
				t.Errorf("%+v in %d bytes", p, size)
			}
			for _, q := range found[:n] {
				if p.Start < q.Start+q.Size && q.Start < p.Start+p.Size {
					t.Errorf("%+v and %+v overlap", p, q)
				}
			}
		}
		if (err == nil) != (len(found) > 0) {
			t.Errorf("%d partitions and %v", len(found), err)
		}
	})
}

// FuzzUndo: what is accepted stays inside the image.
func FuzzUndo(f *testing.F) {
	f.Add([]byte(`{"schema":1,"size":8,"blocks":[{"offset":4,"old":"AAAA"}]}`), int64(8))
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		u, err := parseUndo(data, size)
		if err != nil {
			return
		}
		for _, b := range u.Blocks {
			if b.Offset < 0 || b.Offset+int64(len(b.Old)) > size {
				t.Errorf("%+v in %d bytes", b, size)
			}
		}
	})
}

// FuzzMetadata: any file system is copied, or refused, in bounded time; the copy
// holds nothing that the original does not.
func FuzzMetadata(f *testing.F) {
	f.Add(make([]byte, 4096))
	f.Add(smallSystem())
	f.Fuzz(func(t *testing.T, data []byte) {
		p := Partition{Size: int64(len(data))}
		s, ok := readSuperblock(bytes.NewReader(data), p)
		if !ok || s.check(p) != nil {
			return
		}
		to, err := inMemory("fuzz")
		if err != nil {
			t.Skip(err)
		}
		defer to.Close()
		if _, err := copyMetadata(s, bytes.NewReader(data), to); err != nil {
			return
		}
		got := make([]byte, s.blocks*s.blockSize)
		if _, err := to.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		for n := range got {
			if got[n] != 0 && got[n] != data[n] {
				t.Fatalf("byte %d is %d instead of %d", n, got[n], data[n])
			}
		}
	})
}

// smallSystem is an ext2 of 16 blocks with one folder.
func smallSystem() []byte {
	b := make([]byte, 16<<10)
	put := func(at int, n uint32) { binary.LittleEndian.PutUint32(b[at:], n) }
	put(1024, 16)                             // inodes
	put(1024+4, 16)                           // blocks
	put(1024+0x14, 1)                         // first block
	put(1024+0x20, 8192)                      // blocks of a group
	put(1024+0x28, 16)                        // its inodes
	put(1024+0x38, 0x1ef53)                   // magic, and clean
	put(1024+0x58, 128)                       // size of an inode
	put(2048, 3)                              // block bitmap
	put(2048+4, 4)                            // inode bitmap
	put(2048+8, 5)                            // inode table
	put(5<<10+128, 0x41ed)                    // the root: a folder
	put(5<<10+128+0x1a, 2)                    // its links
	put(5<<10+128+0x28, 8)                    // its block
	put(5<<10+128+0x28+4*12, 9)               // and an indirect one
	put(9<<10, 10)                            // which names another
	copy(b[8<<10:], "a folder's first block") // and the content
	copy(b[10<<10:], "and its second")
	return b
}
