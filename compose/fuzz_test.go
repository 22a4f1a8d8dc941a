package compose_test

import (
	"reflect"
	"strings"
	"testing"

	"pistack/compose"
)

// FuzzLoad: no bytes, in the stack's file or in one that it includes or extends,
// make Load panic, hang, answer in two ways, or report something without a place.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(full().files["compose.yaml"]), []byte(full().files[".env"]), []byte{})
	f.Add([]byte(web+"    image: ${A:-${B}}\n"), []byte("A=${B:-c}\n"), []byte{})
	f.Add([]byte("a: &a [*a]\nservices: {a: {<<: *a}}\n"), []byte("A='"), []byte{})
	f.Add([]byte("&a [*a ]\n"), []byte{}, []byte{})
	f.Add([]byte("services: &a [*a , {source: *a , path: [*a ]}]\n"), []byte{}, []byte{})
	f.Add([]byte("services: !reset {}\n---\n- x\n"), []byte("export A\n"), []byte{})
	f.Add([]byte("include: [o.yaml]\nservices: {web: {extends: {file: o.yaml, service: db}}, db: {ports: [80]}}\n"), []byte("TAG=1"), []byte("services: {db: {image: \"x:$$TAG\", command: |-\n    a\n     b}}\n"))
	f.Add([]byte("include: &i [{path: [o.yaml, o.yaml], env_file: .env}, *i ]\n<<: {include: [o.yaml]}\n"), []byte{}, []byte("a: &a\n  <<: *a\nservices: {<<: [*a , *a ]}\n"))
	f.Add([]byte("services: {a: {extends: &e {file: o.yaml, service: b}}, b: {extends: *e }}\n"), []byte{}, []byte("include: [compose.yaml]\nservices: {b: {extends: {file: ./compose.yaml, service: a}}}\n"))
	f.Fuzz(func(t *testing.T, content, env, other []byte) {
		s := stack{files: map[string]string{"compose.yaml": string(content), ".env": string(env), "o.yaml": string(other)}, secrets: map[string]string{"KEY": "v1", "PASSWORD": "v1"}, env: map[string]string{"TAG": "1"}}
		loaded, findings := s.load(t)
		if (loaded == nil) != compose.HasErrors(findings) {
			t.Errorf("stack %v with findings\n%s", loaded, text(findings))
		}
		compiled := true // a model error is a sample of several
		for _, finding := range findings {
			if !strings.HasPrefix(finding.File, "stacks/s/") || finding.Message == "" || finding.Code == "" {
				t.Errorf("finding without place, message or code: %+v", finding)
			}
			if strings.Contains(finding.Message+finding.Fix, "pistack-inlined") || strings.Contains(finding.Message, "⟦") {
				t.Errorf("finding shows what is inside: %q", finding.Message)
			}
			compiled = compiled && finding.Code != compose.CodeModel && finding.Code != compose.CodeSyntax
		}
		if compiled {
			again, findingsAgain := s.load(t)
			if result(t, loaded, findings) != result(t, again, findingsAgain) || !reflect.DeepEqual(inputsOr(loaded), inputsOr(again)) {
				t.Errorf("two answers:\n%+v %s\n%+v %s", loaded, text(findings), again, text(findingsAgain))
			}
		}
	})
}
