// Command app stands in for the container images of the example fleet: one static binary that is the whole image. It
// serves HTTP where the real program would, and tells what the container was given without ever printing a value.
//
//	app [ARG…]              serve until SIGTERM, on the ports of $APP_PORTS (default 8080); arguments meant for the real
//	                        program are ignored
//	app for DURATION        serve for so long, such as 2s, then fail
//	app health              ask /healthz of the first port; for HEALTHCHECK
//	app sha256 env NAME     digest of an environment variable's value
//	app sha256 file PATH    digest of a file's content
//	app stat PATH           mode, uid and gid of a file, such as "0444 0 0"
//
// Under the names curl and wget it fetches the URL of its last argument, and under the name sh it runs the first command
// of "-c"; so the health checks that Compose files write for the real images work here too.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(filepath.Base(os.Args[0]), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(name string, args []string) error {
	switch name {
	case "curl", "wget":
		return fetchLast(args)
	case "sh":
		return shell(args)
	}
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	switch {
	case verb == "health" && len(args) == 1:
		return fetch("http://127.0.0.1:" + ports()[0] + "/healthz")
	case verb == "sha256" && len(args) == 3:
		return printDigest(args[1], args[2])
	case verb == "stat" && len(args) == 2:
		return printStat(args[1])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if verb == "for" && len(args) == 2 {
		return serveFor(ctx, args[1])
	}
	return serve(ctx, ports())
}

func serveFor(ctx context.Context, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if err := serve(ctx, ports()); err != nil {
		return err
	}
	return errors.New("the time is up")
}

func ports() []string {
	if p := strings.Fields(os.Getenv("APP_PORTS")); len(p) > 0 {
		return p
	}
	return []string{"8080"}
}

// serve answers every path with 200 and one line, as healthy as the real program would be.
func serve(ctx context.Context, ports []string) error {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, len(ports))
	for _, port := range ports {
		listener, err := net.Listen("tcp", ":"+port)
		if err != nil {
			return err
		}
		go func() { failed <- server.Serve(listener) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

func fetch(url string) error {
	client := &http.Client{Timeout: 2 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

func fetchLast(args []string) error {
	for i := len(args) - 1; i >= 0; i-- {
		if strings.HasPrefix(args[i], "http://") {
			return fetch(args[i])
		}
	}
	return errors.New("no http:// address among the arguments")
}

// shell runs the first command of "-c COMMAND", up to the first operator, if it is one that this binary knows.
func shell(args []string) error {
	if len(args) != 2 || args[0] != "-c" {
		return errors.New("sh: want -c COMMAND")
	}
	command, _, _ := strings.Cut(args[1], "|")
	command, _, _ = strings.Cut(command, "&")
	words := strings.Fields(command)
	if len(words) == 0 {
		return errors.New("sh: no command")
	}
	for i, word := range words {
		words[i] = strings.Trim(word, `'"`)
	}
	switch name := filepath.Base(words[0]); name {
	case "curl", "wget", "app":
		return run(name, words[1:])
	default:
		return fmt.Errorf("sh: %s: not found", name)
	}
}

func printDigest(kind, name string) error {
	hash := sha256.New()
	switch kind {
	case "env":
		value, ok := os.LookupEnv(name)
		if !ok {
			return fmt.Errorf("no variable %s in the environment", name)
		}
		io.WriteString(hash, value)
	case "file":
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err := io.Copy(hash, file); err != nil {
			return err
		}
	default:
		return fmt.Errorf("sha256: %s: want env or file", kind)
	}
	fmt.Println(hex.EncodeToString(hash.Sum(nil)))
	return nil
}

func printStat(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	fmt.Printf("%04o %d %d\n", info.Mode().Perm(), owner.Uid, owner.Gid)
	return nil
}
