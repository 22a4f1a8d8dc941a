// Command bench measures pisec and pistack beside their peers, as "make
// bench-secrets", "make bench-compose" and "make bench-build" run it: whole processes on real files,
// with real syncs, everything in one run, so that the ratios are of one machine in
// one state. It prints a Markdown table.
//
// The peers are commands that it is given: age, and sops-install-secrets with
// sops to write its files; Docker Compose, and compose2nix. One that is not there
// is named in the table.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == peakArgument {
		end(printPeak(os.Args[2:]))
	}
	b := &bench{}
	flag.StringVar(&b.dir, "dir", "", "empty folder on a disk to work in")
	flag.StringVar(&b.memory, "memory", "", "empty folder on a ramfs to install below; without it a tmpfs is tried")
	flag.StringVar(&b.pisec, "pisec", "pisec", "the command to measure")
	flag.StringVar(&b.age, "age", "age", "age, the peer")
	flag.StringVar(&b.sops, "sops", "", "sops, which writes the files of sops-install-secrets")
	flag.StringVar(&b.sopsInstall, "sops-install-secrets", "", "the peer of pisec install; it needs -memory")
	flag.StringVar(&b.noSops, "no-sops", "not given", "why there is no sops-install-secrets")
	c := &composeBench{bench: b}
	flag.StringVar(&c.large, "large", "", "measure stacks, not secrets: the fleet that testdata/bigfleet wrote")
	flag.StringVar(&c.example, "example", "", "a small fleet, in Git")
	flag.StringVar(&c.pistack, "pistack", "pistack", "the command to measure")
	flag.StringVar(&c.compose, "compose", "docker compose", "Docker Compose, the peer")
	flag.StringVar(&c.compose2nix, "compose2nix", "", "another peer")
	flag.StringVar(&c.noCompose2nix, "no-compose2nix", "not given", "why there is no compose2nix")
	build := flag.Bool("build", false, "measure the hash of what an image is built from, not secrets")
	flag.Parse()
	if *build {
		end((&buildBench{b, c.pistack}).run())
	}
	if c.large != "" {
		end(c.run())
	}
	end(b.run())
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bench is one run: tools, and the rows measured so far.
type bench struct {
	dir, memory       string
	pisec, age        string
	sops, sopsInstall string
	noSops            string
	rows              []row
}

// run measures everything about secrets, in the order of the table. A measurement
// that is to be added is a method that appends its rows.
func (b *bench) run() error {
	for _, measure := range []func() error{b.rekey, b.large, b.audit, b.install} {
		if err := measure(); err != nil {
			return err
		}
	}
	return printTable(os.Stdout, b.rows)
}
