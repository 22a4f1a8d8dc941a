package remote

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pistack/internal/run"
)

// resolveLimit bounds "ssh -G", which may run a program of the user's configuration.
const resolveLimit = 15 * time.Second

func resolve(ctx context.Context, config, host string) (Settings, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	out, err := run.Output(ctx, run.Command{Argv: []string{"ssh", "-F", config, "-G", host}})
	var failed *run.Error
	if errors.As(err, &failed) && failed.Code < 0 { // it did not even begin
		return Settings{}, &Error{Host: host, Message: fmt.Sprintf("%s: %v", host, err), Fix: failed.Hint(), Err: err}
	}
	if err != nil {
		return Settings{}, &Error{Host: host, Message: fmt.Sprintf("%s: ssh does not understand its configuration: %s", host, saidBy(err)), Fix: "see ~/.ssh/config", Err: err}
	}
	return parseSettings(string(out))
}

// parseSettings reads what "ssh -G" prints: a line "keyword value" each.
func parseSettings(text string) (Settings, error) {
	s := Settings{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "user":
			s.User = value
		case "hostname":
			s.Address = value
		case "port":
			s.Port, _ = strconv.Atoi(value)
		case "proxyjump":
			if s.Jump = value; value == "none" {
				s.Jump = ""
			}
		}
	}
	if s.User == "" || s.Address == "" || s.Port < 1 || s.Port > 65535 {
		return Settings{}, fmt.Errorf("ssh -G says no user, hostname or port")
	}
	return s, nil
}
