package disk

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kernel is a machine as sysfs and proc tell of it.
type kernel struct {
	t    *testing.T
	root string
}

// device adds a disk, or with a slash in its name a partition of one ("sda/sda1").
func (k kernel) device(path, number, bus string, attributes map[string]string) {
	k.t.Helper()
	name := filepath.Base(path)
	dir := filepath.Join(k.root, "sys/devices", bus, "block", path)
	k.link("sys/class/block/"+name, dir)
	k.link("sys/dev/block/"+number, dir)
	for file, text := range attributes {
		k.write(filepath.Join(dir, file), text)
	}
}

func (k kernel) link(path, to string) {
	k.t.Helper()
	path = filepath.Join(k.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		k.t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		k.t.Fatal(err)
	}
}

func (k kernel) write(path, text string) {
	k.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		k.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
		k.t.Fatal(err)
	}
}

// laptop has an NVMe disk, a stick, a card, and what the test mounts.
func laptop(t *testing.T, mounts, swaps string) Machine {
	k := kernel{t, t.TempDir()}
	disk := func(size string, more ...string) map[string]string {
		a := map[string]string{"size": size, "removable": "0", "ro": "0"}
		for n := 0; n < len(more); n += 2 {
			a[more[n]] = more[n+1]
		}
		return a
	}
	k.device("nvme0n1", "259:0", "pci0/nvme", disk("2000000", "device/model", "Fast Disk   "))
	k.device("nvme0n1/nvme0n1p1", "259:1", "pci0/nvme", disk("1000", "partition", "1"))
	k.device("nvme0n1/nvme0n1p2", "259:2", "pci0/nvme", disk("1000", "partition", "2", "holders/dm-0/x", ""))
	k.device("dm-0", "253:0", "virtual", disk("1000", "slaves/nvme0n1p2/x", "", "holders/dm-1/x", ""))
	k.device("dm-1", "253:1", "virtual", disk("1000", "slaves/dm-0/x", ""))
	k.device("sda", "8:0", "pci0/usb1/host0", disk("62333952", "device/vendor", "Generic ", "device/model", "Stick"))
	k.device("sda/sda1", "8:1", "pci0/usb1/host0", disk("1000", "partition", "1"))
	k.device("mmcblk0", "179:0", "pci0/mmc0", disk("62333952", "device/type", "SD", "device/name", "SC32G"))
	k.device("mmcblk0/mmcblk0p1", "179:1", "pci0/mmc0", disk("1000", "partition", "1"))
	k.device("mmcblk1", "179:8", "pci0/mmc1", disk("62333952", "device/type", "MMC", "device/name", "BJTD4R"))
	k.device("sdb", "8:16", "pci0/ata1", disk("62333952", "removable", "1", "ro", "1"))
	k.device("sdc", "8:32", "pci0/ata2", disk("62333952", "device/model", "Old Disk"))
	k.device("sdc/sdc1", "8:33", "pci0/ata2", disk("1000", "partition", "1"))
	k.device("sdd", "8:48", "pci0/usb2/host1", disk("0", "removable", "1"))
	k.device("loop0", "7:0", "virtual", disk("62333952", "loop/backing_file", "/live/nix-store.squashfs"))
	k.device("loop1", "7:8", "virtual", disk("62333952", "loop/backing_file", "/loops/all.img"))
	k.write(filepath.Join(k.root, "sys/fs/btrfs/some-uuid/devices/sdc1"), "")
	k.write(filepath.Join(k.root, "sys/fs/btrfs/some-uuid/devices/sda1"), "")
	k.write(filepath.Join(k.root, "proc/self/mountinfo"), mounts)
	k.write(filepath.Join(k.root, "proc/swaps"), "Filename Type Size Used Priority\n"+swaps)
	return Machine{Root: k.root}
}

const (
	rootOnLVM   = "27 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n28 27 259:1 / /boot/efi rw - vfat /dev/nvme0n1p1 rw\n"
	homeOnCard  = "29 27 179:1 / /home/me/My\\040Card rw - ext4 /dev/mmcblk0p1 rw\n"
	rootOnBtrfs = "27 1 0:30 /@ / rw shared:1 - btrfs /dev/sdc1 rw,subvol=/@\n"
	liveStick   = "27 1 0:20 / / rw - tmpfs tmpfs rw\n28 27 8:1 / /live ro - iso9660 /dev/sda1 ro\n29 27 7:0 / /nix/.ro-store ro - squashfs /dev/loop0 ro\n" +
		"30 27 0:31 / /nix/store rw - overlay overlay rw,lowerdir=/nix/.ro-store,upperdir=/rw/store,workdir=/rw/work\n"
	rootOnLoop = "27 1 7:8 / / rw - ext4 /dev/loop1 rw\n28 27 8:33 / /loops rw - ext4 /dev/sdc1 rw\n"
	boundHome  = "27 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n28 27 8:33 /nix /nix rw - ext4 /dev/sdc1 rw\n"
)

// TestCheck: what is written, what only with --force, and what never.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, mounts, swaps, number string
		size                        int64
		want, forced                string // begin of the error's message; "" for none
	}{
		{"a card", rootOnLVM, "", "179:0", 1 << 30, "", ""},
		{"a stick", rootOnLVM, "", "8:0", 1 << 30, "", ""},
		{"soldered memory", rootOnLVM, "", "179:8", 1 << 30, "is not removable", ""},
		{"another disk", rootOnLVM, "", "8:32", 1 << 30, "is not removable", ""},
		{"below LVM and encryption", rootOnLVM, "", "259:0", 1 << 20, "this machine runs on it (/)", "this machine runs on it (/)"},
		{"one layer above it", rootOnLVM, "", "253:0", 1 << 10, "this machine runs on it (/)", "this machine runs on it (/)"},
		{"a mounted card", rootOnLVM + homeOnCard, "", "179:0", 1 << 30, "is mounted at /home/me/My Card", ""},
		{"btrfs", rootOnBtrfs, "", "8:32", 1 << 30, "this machine runs on it (/)", "this machine runs on it (/)"},
		{"the other disk of a btrfs", rootOnBtrfs, "", "8:0", 1 << 30, "this machine runs on it (/)", "this machine runs on it (/)"},
		{"a live system's stick", liveStick, "", "8:0", 1 << 30, "this machine runs on it (/nix/store)", "this machine runs on it (/nix/store)"},
		{"a live system's card", liveStick, "", "179:0", 1 << 30, "", ""},
		{"root in a file", rootOnLoop, "", "8:32", 1 << 30, "this machine runs on it (/)", "this machine runs on it (/)"},
		{"the loop device of root", rootOnLoop, "", "7:8", 1 << 30, "this machine runs on it (/)", "this machine runs on it (/)"},
		{"the store", boundHome, "", "8:32", 1 << 30, "this machine runs on it (/nix)", "this machine runs on it (/nix)"},
		{"swap", rootOnLVM, "/dev/sdc1 partition 1000 0 -2", "8:32", 1 << 30, "this machine runs on it (swap)", "this machine runs on it (swap)"},
		{"swap in a file", rootOnLVM + homeOnCard, "/home/me/My\\040Card/swap file 1000 0 -2", "179:0", 1 << 30, "this machine runs on it (swap)", "this machine runs on it (swap)"},
		{"LVM that is not mounted", liveStick, "", "259:0", 1 << 20, "is in use by dm-0", ""},
		{"write-protected", rootOnLVM, "", "8:16", 1 << 30, "is write-protected", "is write-protected"},
		{"no card", rootOnLVM, "", "8:48", 1 << 30, "has no card", "has no card"},
		{"too small", rootOnLVM, "", "179:0", 32 << 30, "is too small: it has 31.9 GB, the image 34.4 GB", "is too small"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := laptop(t, c.mounts, c.swaps).describe(c.number)
			if err != nil {
				t.Fatal(err)
			}
			d.Path = "/dev/" + d.Name
			for force, want := range map[bool]string{false: c.want, true: c.forced} {
				err := d.Check(c.size, force)
				if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), d.Path+": "+want)) {
					t.Errorf("with --force %v: %v, want %q", force, err, want)
				}
			}
		})
	}
}

func TestModel(t *testing.T) {
	m := laptop(t, rootOnLVM, "")
	for number, want := range map[string]Device{
		"8:0":   {Name: "sda", Model: "Generic Stick", Size: 62333952 * 512, Removable: true},
		"179:0": {Name: "mmcblk0", Model: "SC32G", Size: 62333952 * 512, Removable: true},
		"7:0":   {Name: "loop0", Model: "loop device of /live/nix-store.squashfs", Size: 62333952 * 512},
	} {
		got, err := m.describe(number)
		if err != nil || got.Name != want.Name || got.Model != want.Model || got.Size != want.Size || got.Removable != want.Removable {
			t.Errorf("%s: %+v, %v", number, got, err)
		}
	}
	if got, err := m.describe("1:2"); err == nil {
		t.Errorf("%+v", got)
	}
	if got := m.wholeOf("nvme0n1p2"); got != "nvme0n1" {
		t.Errorf("a partition of %s", got)
	}
}

// TestFind: what is no disk, and whatever this machine runs on.
func TestFind(t *testing.T) {
	for path, want := range map[string]string{"/dev/null": "is not a disk", "/etc/passwd": "is not a disk", "/dev": "is not a disk", "/dev/no-such-disk": "cannot be found"} {
		if _, err := (Machine{}).Find(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// FuzzMounts: any text is read, and followed to an end.
func FuzzMounts(f *testing.F) {
	for _, text := range []string{rootOnLVM, homeOnCard, rootOnBtrfs, liveStick, rootOnLoop} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var mounts []mount
		for _, line := range strings.Split(text, "\n") {
			if m, ok := parseMount(line); ok {
				mounts = append(mounts, m)
			}
		}
		for _, m := range mounts {
			b := below{machine: Machine{Root: "/nonexistent"}, mounts: mounts, found: map[string]bool{}}
			b.mount(m)
			if !b.found["mount "+m.point+" "+m.number] {
				t.Errorf("%+v was not looked at", m)
			}
		}
	})
}

func TestLayers(t *testing.T) {
	got := layers(`rw,lowerdir=/a:/b\040c::/d,upperdir=/e,workdir=/f,lowerdir+=/g`)
	if want := []string{"/a", "/b c", "/d", "/e", "/g"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
