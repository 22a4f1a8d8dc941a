package holes_test

import (
	"os"
	"path/filepath"
	"testing"

	"pistack/internal/holes"
)

// TestEachData: everything that was written is handed over, in order, in pieces
// that do not overlap, and little else.
func TestEachData(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name string
		size int64
		data [][2]int64 // start and end
	}{
		{"empty", 0, nil},
		{"a hole", 5 * mib, nil},
		{"all", 3*mib + 5, [][2]int64{{0, 3*mib + 5}}},
		{"begins with data", 9 * mib, [][2]int64{{0, 4096}}},
		{"ends with data", 9*mib + 7, [][2]int64{{9 * mib, 9*mib + 7}}},
		{"two parts", 64 * mib, [][2]int64{{8 * mib, 8*mib + 4096}, {20 * mib, 23 * mib}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := os.Create(filepath.Join(t.TempDir(), "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if err := file.Truncate(c.size); err != nil {
				t.Fatal(err)
			}
			written := int64(0)
			for _, d := range c.data {
				if _, err := file.WriteAt(make([]byte, d[1]-d[0]), d[0]); err != nil {
					t.Fatal(err)
				}
				written += d[1] - d[0]
			}
			last, total := int64(0), int64(0)
			covered := make([]bool, len(c.data))
			err = holes.EachData(file, c.size, func(start, end int64) error {
				if start < last || end <= start || end > c.size || end-start > mib {
					t.Errorf("%d to %d, behind %d", start, end, last)
				}
				for n, d := range c.data {
					covered[n] = covered[n] || start <= d[1]-1 && d[1] <= end
				}
				last, total = end, total+end-start
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for n, ok := range covered {
				if !ok {
					t.Errorf("%v was left out", c.data[n])
				}
			}
			if total < written {
				t.Errorf("%d of %d bytes", total, written)
			}
		})
	}
}
