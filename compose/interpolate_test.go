package compose

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/rogpeppe/go-internal/txtar"
)

// loadBoth loads a file as compose-go does by itself, and with what quickly leaves
// out. ok tells whether it loads; the models have to be the same.
func loadBoth(t *testing.T, content []byte) (ok bool) {
	t.Helper()
	configs := []types.ConfigFile{{Filename: "compose.yaml", Content: content}}
	load := func(options func(*loader.Options)) (model map[string]any, err error) {
		defer func() {
			if recover() != nil {
				model, err = nil, os.ErrInvalid // compose-go's own; see modelOf
			}
		}()
		details := types.ConfigDetails{WorkingDir: "/", ConfigFiles: configs, Environment: types.Mapping{"A": "1", "B": "true", "C": ""}}
		return loader.LoadModelWithContext(context.Background(), details, options)
	}
	whole, err1 := load(partOptions)
	quick, err2 := load(quickly(configs, partOptions))
	if (err1 == nil) != (err2 == nil) || err1 == nil && !reflect.DeepEqual(whole, quick) {
		t.Fatalf("%q:\n%v, %v\n%v, %v", content, whole, err1, quick, err2)
	}
	return err1 == nil
}

// TestQuickly: every feature loads to the same model.
func TestQuickly(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	loaded := 0
	for _, name := range files {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if filepath.Ext(f.Name) == ".yaml" && loadBoth(t, f.Data) {
				loaded++
			}
		}
	}
	if loaded < 20 {
		t.Errorf("only %d files could be loaded: this test proves little", loaded)
	}
}

func FuzzQuickly(f *testing.F) {
	f.Add([]byte("services: {a: {image: x, \"p\\x6frts\": [\"${A}:80\"], init: \"${B}\", mem_limit: \"$A\", deploy: {replicas: '${A}'}}}"))
	f.Add([]byte("x-a: &a {privileged: \"${B:-false}\"}\nservices: {a: {<<: *a, image: $$x}}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if problem, _ := newDocuments("compose.yaml", content).excess(); len(content) > 2000 || problem != "" {
			return
		}
		loadBoth(t, content)
	})
}
