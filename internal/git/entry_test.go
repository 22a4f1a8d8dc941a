package git

import (
	"strings"
	"testing"
)

// FuzzParseEntry: any record is an entry with a name and an object, or none.
func FuzzParseEntry(f *testing.F) {
	for _, record := range []string{
		"", "100644 blob 3b18e512dba79e4c8300dd08aeb37f8e728b8dad\tfile", "120000 blob 3b18\ta\tb", "160000 commit 3b18\tsub", "100755 blob 3b18\t", "\t", "a b c\td",
	} {
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record string) {
		name, e, ok := parseEntry(record)
		if ok && (e.blob == "" || !strings.HasSuffix(record, "\t"+name)) || !ok && (name != "" || e != entry{}) {
			t.Errorf("%q: %q, %+v, %t", record, name, e, ok)
		}
	})
}
