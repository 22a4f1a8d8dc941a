package compose_test

import (
	"strings"
	"testing"
)

// TestAsFile: the hint about a secret in an environment names the variable that
// the image takes a file by, where that is known.
func TestAsFile(t *testing.T) {
	const unknown = "if the image knows %_FILE or the like, deliver the secret as a Compose secret file"
	const known = "this image reads a file: write %: /run/secrets/KEY, and list KEY under secrets of the service"
	for _, c := range []struct{ image, variable, want, file string }{
		{"postgres", "POSTGRES_PASSWORD", known, "POSTGRES_PASSWORD_FILE"},
		{"docker.io/library/postgres:18@sha256:" + strings.Repeat("a", 64), "POSTGRES_PASSWORD", known, "POSTGRES_PASSWORD_FILE"},
		{"localhost:5000/postgres", "POSTGRES_PASSWORD", known, "POSTGRES_PASSWORD_FILE"},
		{"postgres", "PGPASSWORD", unknown, "PGPASSWORD"},
		{"example.org/my-postgres", "POSTGRES_PASSWORD", unknown, "POSTGRES_PASSWORD"},
		{"grafana/grafana:12.2.1", "GF_SECURITY_ADMIN_PASSWORD", known, "GF_SECURITY_ADMIN_PASSWORD__FILE"},
		{"mariadb", "MARIADB_ROOT_PASSWORD", known, "MARIADB_ROOT_PASSWORD_FILE"},
		{"mariadb", "MYSQL_ROOT_PASSWORD", known, "MYSQL_ROOT_PASSWORD_FILE"},
		{"gitea/gitea", "GITEA__database__PASSWD", known, "GITEA__database__PASSWD__FILE"},
		{"redis", "REDIS_PASSWORD", unknown, "REDIS_PASSWORD"},
	} {
		t.Run(c.image+" "+c.variable, func(t *testing.T) {
			s := stack{files: one("services:\n  web:\n    image: " + c.image + "\n    environment: {" + c.variable + ": $KEY}\n"), secrets: map[string]string{"KEY": "v1"}}
			_, findings := s.load(t)
			if want := strings.Replace(c.want, "%", c.file, 1); len(findings) != 1 || findings[0].Fix != want {
				t.Fatalf("got %+v\nwant the hint %q", findings, want)
			}
			if f := findings[0]; f.Stack != "s" || f.Service != "web" {
				t.Errorf("stack %q, service %q", f.Stack, f.Service)
			}
		})
	}
}
