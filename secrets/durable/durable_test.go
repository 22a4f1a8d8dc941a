package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"pistack/secrets/durable"
)

func TestMkdirAll(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b")
	for range 2 {
		if err := durable.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Errorf("%v, %v", info, err)
	}
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := durable.MkdirAll(filepath.Join(file, "below")); err == nil {
		t.Error("a folder was made below a file")
	}
	if err := durable.Sync(root, []string{file}); err != nil {
		t.Error(err)
	}
	if durable.Sync(filepath.Join(root, "none"), nil) == nil || durable.SyncDir(filepath.Join(root, "none")) == nil {
		t.Error("what is not there was synced")
	}
}
