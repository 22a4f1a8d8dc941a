package install

import (
	"bytes"
	"errors"
	"fmt"

	"pistack/secrets"
)

// envFile renders secrets as an env file for "docker compose --env-file".
func envFile(names []string, all values) ([]byte, error) {
	var out bytes.Buffer
	var problems []error
	for _, name := range names {
		if err := secrets.CheckName(name); err != nil {
			problems = append(problems, err) // it would end its line, or begin another
			continue
		}
		if bytes.IndexByte(all[name], 0) >= 0 {
			problems = append(problems, fmt.Errorf("secret %s holds a NUL byte, which no environment variable can", name))
			continue
		}
		out.WriteString(name)
		out.WriteByte('=')
		quoteEnv(&out, all[name])
		out.WriteByte('\n')
	}
	return out.Bytes(), errors.Join(problems...)
}

// quoteEnv writes a value in the one form that Compose's parser reads back to
// the same bytes, whatever they are: double quotes, with these five escaped.
func quoteEnv(out *bytes.Buffer, value []byte) {
	out.WriteByte('"')
	for _, b := range value {
		switch b {
		case '\\', '"', '$':
			out.WriteByte('\\')
			out.WriteByte(b)
		case '\n':
			out.WriteString(`\n`)
		case '\r':
			out.WriteString(`\r`)
		default:
			out.WriteByte(b)
		}
	}
	out.WriteByte('"')
}
