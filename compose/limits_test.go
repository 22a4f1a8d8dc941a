package compose_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestLimits: what would take compose-go minutes is refused at once.
func TestLimits(t *testing.T) {
	bomb := "x-a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
	for _, c := range "bcdefghi" {
		bomb += "x-" + string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+" , ", 10), " , ") + "]\n"
	}
	nested := strings.Repeat("${A:-", 3000) + "x" + strings.Repeat("}", 3000)
	const values = "compose.yaml:1:1: error: has more than 10000 keys and values, with what its aliases stand for [syntax]\n"
	const many = ":1:1: error: has too many ${…} in one place to interpolate [syntax]\n"
	const deep = "compose.yaml:1:1: error: is nested more than 64 levels deep [syntax]\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"alias bomb", one(bomb + web), values},
		{"many variables of a service", one(web + "    environment:\n" + strings.Repeat("      - A=b\n", 10_000)), values},
		{"deep lists", one("x-a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n" + web), deep},
		{"deep mappings", one("x-a: " + strings.Repeat("{a: ", 100) + "1" + strings.Repeat("}", 100) + "\n" + web), deep},
		{"nested references", one("services:\n  web:\n    image: \"" + nested + "\"\n"), "compose.yaml" + many},
		{"references in a row", one("services:\n  web:\n    image: \"" + strings.Repeat("${A:-x}", 10_000) + "\"\n"), "compose.yaml" + many},
		{"references in .env", map[string]string{"compose.yaml": web, ".env": "A=" + strings.Repeat("${A:-x}", 10_000)}, ".env" + many},
		{"references in an env_file", map[string]string{"compose.yaml": web + "    env_file: a.env\n", "a.env": "A=" + nested}, "a.env" + many},
		{"NUL byte", one(web + "x-a: \"\x00\"\n"), "compose.yaml:4:7: error: has a NUL byte [syntax]\n"},
		{"not UTF-8", one(web + "x-a: \xff\n"), "compose.yaml:4:6: error: is not valid UTF-8 [syntax]\n"},
		{"10 MB", one(strings.Repeat("# comment\n", 1_000_000)), "compose.yaml: error: is larger than 1 MiB [unreadable]\n"},
		{"documents", one(web + strings.Repeat("---\nx-a: 1\n", 101)), "compose.yaml:1:1: error: has more than 100 YAML documents [syntax]\n"},
		{"included alias bomb", map[string]string{"compose.yaml": "include: [b.yaml]\n" + web, "b.yaml": bomb}, "b.yaml:1:1: error: has more than 10000 keys and values, with what its aliases stand for [syntax]\n"},
		{"extended 10 MB", map[string]string{"compose.yaml": web + "    extends: {file: b.yaml, service: b}\n", "b.yaml": strings.Repeat("# comment\n", 1_000_000)},
			"b.yaml: error: is larger than 1 MiB [unreadable]\n"},
		{"large together", map[string]string{"compose.yaml": "include: [b.yaml, c.yaml]\n" + web, "b.yaml": manyServices("b", 900), "c.yaml": manyServices("c", 900)},
			"compose.yaml:1:1: error: with what it includes, has more than 10000 keys and values, with what its aliases stand for [syntax]\n"},
		{"100 levels of includes", levels(100), "f19.yaml:1:11: error: files include each other more than 20 levels deep [invalid-compose]\n"},
		{"100 levels of extends", extendsLevels(100), "f20.yaml:3:21: error: services extend each other more than 20 levels deep [invalid-compose]\n"},
		{"a large file often", map[string]string{"compose.yaml": "include: [" + strings.Repeat("b.yaml, ", 50) + "b.yaml]\n" + web, "b.yaml": manyServices("b", 1000)},
			"compose.yaml:1:75: error: the files that the stack includes or extends have more than 50000 keys and values, each counted as often as it is named [invalid-compose]\n"},
		{"includes that double", doubling(15), "f15.yaml:1:11: error: the stack includes or extends more than 100 files [invalid-compose]\n"},
		{"a list in itself", one("&a [*a ]\n"), "compose.yaml:1:5: error: the anchor \"a\" holds itself [syntax]\n"},
		{"an anchor in itself", one("x-a: &a [*a ]\n" + web), "compose.yaml:1:10: error: the anchor \"a\" holds itself [syntax]\n"},
		{"an anchor merged into itself", one("x-a: &a\n  <<: *a\n" + web), "compose.yaml:2:7: error: the anchor \"a\" holds itself [syntax]\n"},
		{"in an included file", map[string]string{"compose.yaml": "include: [b.yaml]\n" + web, "b.yaml": "x-a: &a\n  b: {<<: [*a ]}\n"},
			"b.yaml:2:12: error: the anchor \"a\" holds itself [syntax]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, findings := stack{files: c.files}.load(t)
			if got := text(findings); got != c.want {
				t.Errorf("got %.500s\nwant %s", got, c.want)
			}
		})
	}
}

// manyServices are some services with several values each.
func manyServices(name string, n int) string {
	out := "services:\n"
	for i := range n {
		out += fmt.Sprintf("  %s%d:\n    image: x\n    command: y\n", name, i)
	}
	return out
}

// levels is a chain of files that each include the next.
func levels(n int) map[string]string {
	files := map[string]string{"compose.yaml": "include: [f1.yaml]\n" + web}
	for i := 1; i <= n; i++ {
		files[fmt.Sprintf("f%d.yaml", i)] = fmt.Sprintf("include: [f%d.yaml]\n", i+1)
	}
	return files
}

func extendsLevels(n int) map[string]string {
	service := func(i int) string {
		return fmt.Sprintf("services:\n  web:\n    extends: {file: f%d.yaml, service: web}\n", i)
	}
	files := map[string]string{"compose.yaml": service(1)}
	for i := 1; i <= n; i++ {
		files[fmt.Sprintf("f%d.yaml", i)] = service(i + 1)
	}
	return files
}

// doubling is a chain of files that each include the next one twice.
func doubling(n int) map[string]string {
	files := map[string]string{"compose.yaml": "include: [f1.yaml]\n" + web}
	for i := 1; i <= n; i++ {
		files[fmt.Sprintf("f%d.yaml", i)] = fmt.Sprintf("include: [f%d.yaml, f%d.yaml]\n", i+1, i+1)
	}
	files[fmt.Sprintf("f%d.yaml", n+1)] = "services: {}\n"
	return files
}

// TestDeterministic: compose-go reports one of several errors, at random.
func TestDeterministic(t *testing.T) {
	for _, c := range []struct{ name, content string }{
		{"unknown keys", "services:\n  a:\n    imag: x\n    prots: []\n  b:\n    imag: x\n"},
		{"no images", "services:\n  a:\n    command: x\n  b:\n    command: x\n"},
		{"ports", "services:\n  a:\n    image: x\n    ports: [a]\n  b:\n    image: x\n    ports: [b]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, first := stack{files: one(c.content)}.load(t)
			for range 5 {
				if _, again := (stack{files: one(c.content)}).load(t); !reflect.DeepEqual(first, again) {
					t.Errorf("first:\n%sthen:\n%s", text(first), text(again))
				}
			}
		})
	}
}
