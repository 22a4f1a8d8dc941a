package nixgen_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pistack/nixgen"
)

// TestNixfmtLeavesIt: the official formatter finds nothing to change in what
// Print writes, neither in random values nor in whole generated files.
func TestNixfmtLeavesIt(t *testing.T) {
	nixfmt, err := exec.LookPath("nixfmt")
	if err != nil {
		t.Skip("nixfmt not on PATH")
	}
	dir := t.TempDir()
	s := sample{rand.New(rand.NewPCG(5, 6))}
	for i := range 300 {
		v, _ := s.value(3)
		if i%3 == 0 { // about as long as a line
			long := strings.Repeat("ä", 70+s.IntN(35))
			v = nixgen.Attrs{"a": nixgen.List{nixgen.Str(long)}, "b": nixgen.Path("../" + long), "c": nixgen.List{nixgen.List{nixgen.Path("./" + long)}}, "d": v}
		}
		printed, err := nixgen.Print(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.nix", i)), []byte(printed+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	goldens, err := filepath.Glob("testdata/*/default.nix.golden")
	if err != nil || len(goldens) == 0 {
		t.Fatalf("no generated files in testdata (%v)", err)
	}
	for i, golden := range goldens {
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("golden-%d.nix", i)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.nix"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if out, err := exec.Command(nixfmt, "--check", file).CombinedOutput(); err != nil {
			text, _ := os.ReadFile(file)
			t.Errorf("%s\n%s", out, text)
		}
	}
}
