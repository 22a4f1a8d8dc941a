package secrets

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSweepLock: what a killed process left of its lock goes, and a lock that is
// held stays.
func TestSweepLock(t *testing.T) {
	s := Store{Root: t.TempDir()}
	path := filepath.Join(s.Root, lockFile)
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := s.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("a lock that is held is gone: %v", err)
	}
	unlock()
	if err := os.WriteFile(path, []byte("process 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("the lock of a dead process is still there (%v)", err)
	}
}
