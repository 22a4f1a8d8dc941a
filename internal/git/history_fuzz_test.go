package git

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const objectA, objectB = "0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"

func logText(lines ...string) []byte {
	return []byte(strings.NewReplacer("A", objectA, "B", objectB, "0000", strings.Repeat("0", 40), "|", "\x00").Replace(strings.Join(lines, "")))
}

func TestReadLogErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no commit", "hello|", `git: unexpected output: "hello" in place of a commit`},
		{"ends in a commit", "A||1|", "unexpected EOF"},
		{"no NUL at the end", "A||1|me|A", "unexpected EOF"},
		{"change before a commit", ":100644 100644 A B M|p|", "git: unexpected output: \"100644 100644 " + objectA + " " + objectB + " M\" in place of a change"},
		{"change without path", "A||1|me|\n:100644 100644 A B M|", "unexpected EOF"},
		{"empty path", "A||1|me|\n:100644 100644 A B M||", "git: unexpected output: \"100644 100644 " + objectA + " " + objectB + " M\" in place of a change"},
		{"combined change", "A||1|me|\n::100644 100644 100644 A A B MM|p|", "git: unexpected output: \":100644 100644 100644 " + objectA + " " + objectA + " " + objectB[:13] + "\" in place of a change"},
		{"a field without end", strings.Repeat("x", 2*maxField), "git: unexpected output: a field of more than 65536 bytes"},
	} {
		err := readLog(bytes.NewReader(logText(c.text)), "", func(Commit, []Change) error { return nil })
		if err == nil || !strings.HasPrefix(err.Error(), c.want[:min(60, len(c.want))]) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

// FuzzReadLog: whatever Git would write, what is handed on has the promised form,
// and what was read reads back the same when it is written again.
func FuzzReadLog(f *testing.F) {
	f.Add(logText("A||1700000000|me|\n:000000 100644 0000 B A|p|:100644 000000 B 0000 D|q|"))
	f.Add(logText("A||x|me|B|A|1|you|B|A|1|you|\n:120000 100755 A B T|p|"))
	f.Add(logText("A||"))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := records(text)
		if err != nil {
			return
		}
		second, err := records([]byte(first))
		if err != nil || first != second {
			t.Fatalf("%q reads back as %q, %v", first, second, err)
		}
	})
}

// records reads a log and writes it again.
func records(text []byte) (string, error) {
	var out strings.Builder
	err := readLog(bytes.NewReader(text), "", func(c Commit, changes []Change) error {
		if !isObject(c.Hash) || len([]rune(c.Author)) > maxAuthor {
			return fmt.Errorf("commit %+v", c)
		}
		fmt.Fprintf(&out, "%s\x00%s\x00%d\x00%s\x00", c.Hash, strings.Join(c.Parents, " "), c.At.Unix(), c.Author)
		for _, change := range changes {
			fmt.Fprintf(&out, "\n:%s %s M\x00%s\x00", mode(change.Before, change.After), names(change.Before, change.After), change.Path)
		}
		return nil
	})
	return out.String(), err
}

func mode(objects ...string) string {
	var modes []string
	for _, o := range objects {
		modes = append(modes, map[bool]string{true: "000000", false: "100644"}[o == ""])
	}
	return strings.Join(modes, " ")
}

func names(objects ...string) string {
	for i, o := range objects {
		if o == "" {
			objects[i] = strings.Repeat("0", 40)
		}
	}
	return strings.Join(objects, " ")
}

// FuzzReadBatch: content comes whole and within bounds, or there is an error.
func FuzzReadBatch(f *testing.F) {
	f.Add([]byte(objectA + " blob 3\na\nb\n" + objectB + " missing\n"))
	f.Add([]byte(objectA + " tree 2\nab\n" + objectB + " blob 0\n\n"))
	f.Add([]byte(objectA + " blob 99999999999\nx"))
	f.Add([]byte(objectA + " blob -1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		const max = 64
		calls := 0
		err := readBatch(bytes.NewReader(text), []string{objectA, objectB}, max, func(i int, content []byte, problem error) error {
			if i != calls || len(content) > max || problem != nil && content != nil || problem == nil && !bytes.Contains(text, content) {
				t.Fatalf("object %d: %q, %v", i, content, problem)
			}
			calls++
			return nil
		})
		if err == nil && calls != 2 {
			t.Fatalf("%d objects without an error", calls)
		}
		var malformed *Malformed
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &malformed) {
			t.Fatalf("error %v", err)
		}
	})
}

// FuzzReadTree: only regular files with a path come out.
func FuzzReadTree(f *testing.F) {
	f.Add([]byte("100644 blob " + objectA + "\thosts/pi\x00120000 blob " + objectB + "\tlink\x00"))
	f.Add([]byte("100644 blob\tx\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		files := map[string]string{}
		if err := readTree(bytes.NewReader(text), files); err != nil {
			return
		}
		for path, object := range files {
			if path == "" || !isObject(object) || !bytes.Contains(text, []byte(object+"\t"+path+"\x00")) {
				t.Fatalf("%q: %q", path, object)
			}
		}
	})
}
