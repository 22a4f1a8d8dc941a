package compose_test

import (
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"pistack/compose"
)

// TestEnvFiles: what Compose would not read is reported, without the line, which
// may hold what should be a secret.
func TestEnvFiles(t *testing.T) {
	const quote = ": error: a quote is not closed [syntax]"
	const name = ": error: a name has a character that is no letter, no digit and none of _ . - [ ] [syntax]"
	const template = ": error: is not a valid env file: a $ that begins no variable is written $$ [syntax]"
	for _, c := range []struct{ name, content, want string }{
		{"plain", "# ' \"\n\nA=1\nexport B: \"x\"\nC='it\\'s'\nD=$$x\nE=don't\nF\n", ""},
		{"over lines", "A=\"1\n\\\"2\n3\" # x\nB='\n'\n", ""},
		{"double quote", "A=1\nB=\"canary", "a.env:2:1" + quote},
		{"after lines", "A='1\n2'\n# x\nB=\"canary\nC=1\n", "a.env:4:1" + quote},
		{"single quote", "A='canary\n", "a.env:1:1" + quote},
		{"space", "A=1\n\nA B=canary\n", "a.env:3:1: error: a name has a space in it [syntax]"},
		{"character", "A=1\ncanary!\n", "a.env:2:1" + name},
		{"template", "A=1\nB=canary${\n", "a.env:2:1" + template},
		{"template in quotes", "A=1\nB=\"\ncanary${\"\n", "a.env:2:1" + template},
		{"two on a line", "A='1' B=\"2\n3\" C='\n", "a.env:1:1: error: a quote is not closed [syntax]"},
		{"empty and required", "A=1\nB=${EMPTY:?canary}\n", "a.env:2:1: error: variable EMPTY is empty, and required here [undefined-variable]"},
		{"of the host", "A=${HOST:?canary}\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stack{files: one(web + "    env_file: [a.env]\n"), env: map[string]string{"EMPTY": "", "HOST": "x"}}
			_, findings := s.with("a.env", c.content).load(t)
			got := text(findings)
			if strings.TrimSuffix(got, "\n") != c.want {
				t.Errorf("got %.500s\nwant %s", got, c.want)
			}
			raw := stack{files: one(web + "    env_file:\n      - path: a.env\n        format: raw\n"), env: s.env}
			if loaded, findings := raw.with("a.env", c.content).load(t); loaded == nil {
				t.Errorf("the raw format has findings:\n%s", text(findings))
			}
		})
	}
}

// TestOtherEnvFiles: the same of label files, .env, and the .env of an include.
func TestOtherEnvFiles(t *testing.T) {
	const doubles = ":16:1: error: grows beyond 16 MiB when its variables are replaced [syntax]\n"
	doubling := "A=" + strings.Repeat("x", 1024) + "\n# x\n" + strings.Repeat("A=$A$A\n", 60)
	for _, c := range []struct{ file, compose string }{
		{"a.labels", web + "    label_file: [a.labels]\n"},
		{"a.env", web + "    env_file: [a.env]\n    environment: {A: x}\n"},
		{".env", web},
		{"b/.env", "include: [b/compose.yaml]\n" + web},
	} {
		t.Run(c.file, func(t *testing.T) {
			s := stack{files: map[string]string{"compose.yaml": c.compose, "b/compose.yaml": "services: {b: {image: x}}\n"}}
			_, findings := s.with(c.file, "A=1\nB=\"canary\n").load(t)
			if want := c.file + ":2:1: error: a quote is not closed [syntax]\n"; text(findings) != want {
				t.Errorf("got %s\nwant %s", text(findings), want)
			}
			if c.file == "a.env" {
				return // it may not refer to itself
			}
			_, findings = s.with(c.file, doubling).load(t)
			if want := c.file + doubles; text(findings) != want {
				t.Errorf("got %.500s\nwant %s", text(findings), want)
			}
		})
	}
}

// FuzzEnvFile: what Compose's parser reads has no finding, what it does not has
// one, and none shows more of the file than the name of a variable.
func FuzzEnvFile(f *testing.F) {
	for _, seed := range []string{"A='1\n2' B=\"${A}\"\n", "export A: \"\\\"\n", "A=${", "A B=c\n", "\xef\xbb\xbfA=1\nB", "A=1 # x\r\nB=$$A\r"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if len(content) > 1000 || strings.Contains(content, "?") {
			return // a required variable is reported by its name
		}
		s := stack{files: map[string]string{"compose.yaml": web + "    label_file: [a.labels]\n", "a.labels": content}}
		_, findings := s.load(t)
		_, err := dotenv.Parse(strings.NewReader(content))
		if (err != nil) != compose.HasErrors(findings) || len(findings) > 1 {
			t.Errorf("the parser says %v, the findings are\n%s", err, text(findings))
		}
		for _, finding := range findings {
			if finding.File != "stacks/s/a.labels" || finding.Line > strings.Count(content, "\n")+1 || strings.Contains(finding.Message, "\n") {
				t.Errorf("wrong place or text: %+v", finding)
			}
		}
	})
}
