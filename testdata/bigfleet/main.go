// Command bigfleet writes a large fleet repository, for benchmarks: every stack
// has five services and runs on one host, every host has two secrets.
//
//	go run ./testdata/bigfleet [-stacks 1000] [-hosts 200] DIR
package main

import (
	"crypto/ed25519"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"pistack/secrets"
)

func main() {
	stacks := flag.Int("stacks", 1000, "how many stacks")
	hosts := flag.Int("hosts", 200, "how many hosts")
	flag.Parse()
	if flag.NArg() != 1 || *stacks < *hosts || *hosts < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := writeFleet(flag.Arg(0), *stacks, *hosts); err != nil {
		fmt.Fprintln(os.Stderr, "bigfleet:", err)
		os.Exit(1)
	}
}

// fleet is the repository under work. The first error stops it.
type fleet struct {
	root string
	err  error
}

func writeFleet(root string, stacks, hosts int) error {
	f := &fleet{root: root}
	operator := publicKey("operator")
	f.write("fleet.toml", fmt.Sprintf("operators = [%q]\n", operator))
	f.write("flake.nix", "{ }\n")
	for i := range stacks {
		f.stack(stackName(i), 8000+i)
	}
	for i := range hosts {
		var own []string
		for s := i; s < stacks; s += hosts {
			own = append(own, fmt.Sprintf("%q", stackName(s)))
		}
		f.host(fmt.Sprintf("host-%03d", i), strings.Join(own, ", "), operator)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=bigfleet", "-c", "user.email=bigfleet@example.org", "commit", "-qm", "fleet"}} {
		f.run("git", append([]string{"-C", root}, args...)...)
	}
	return f.err
}

func stackName(i int) string { return fmt.Sprintf("stack-%04d", i) }

func (f *fleet) write(file, text string) {
	path := filepath.Join(f.root, file)
	if f.err == nil {
		f.err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if f.err == nil {
		f.err = os.WriteFile(path, []byte(text), 0o644)
	}
}

func (f *fleet) run(name string, args ...string) {
	if f.err != nil {
		return
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		f.err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
}

func (f *fleet) stack(name string, port int) {
	f.write("stacks/"+name+"/compose.yaml", strings.NewReplacer("NAME", name, "PORT", fmt.Sprint(port)).Replace(composeFile))
	f.write("stacks/"+name+"/.env", "TAG=1.2.3\nLEVEL=info\n")
	f.write("stacks/"+name+"/app.conf", "# settings of "+name+"\nthreads = 4\n")
	f.write("stacks/"+name+"/.gitignore", "/uploads/\n")
}

func (f *fleet) host(name, stacks, operator string) {
	key := publicKey(name)
	f.write("hosts/"+name+"/host.toml", fmt.Sprintf(
		"address = \"%s.example.org\"\nsystem = \"aarch64-linux\"\nboard = \"rpi4\"\nstacks = [%s]\n\n[env]\nTZ = \"UTC\"\n", name, stacks))
	f.write("hosts/"+name+"/default.nix", "{ imports = [ ./generated ]; }\n")
	f.write("hosts/"+name+"/ssh_host_ed25519_key.pub", key+"\n")
	var additions []*secrets.Addition
	for _, secret := range []string{"API_KEY", "DB_PASSWORD"} {
		if f.err != nil {
			return
		}
		var readers []secrets.Reader
		for _, text := range []string{key, operator} {
			r, err := secrets.ParseReader(name, text, nil)
			if err != nil {
				f.err = err
				return
			}
			readers = append(readers, r)
		}
		a, err := secrets.Store{Root: f.root}.Plan(name, secret, []byte("value of "+secret), readers, false, time.Unix(1767225600, 0))
		if err != nil {
			f.err = err
			return
		}
		additions = append(additions, a)
	}
	f.err = secrets.Store{Root: f.root}.Apply(additions...)
}

// publicKey is a key that depends on a name alone. Nobody has its private half
// but who runs this program: it is good for nothing but numbers.
func publicKey(name string) string {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed).Public())
	if err != nil {
		panic(err) // of an ed25519 key, never
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

const composeFile = `# NAME: a web front end, its API, a worker, a database and a cache.
x-service: &service
  restart: unless-stopped
  environment: &environment
    TZ: ${TZ}
    LEVEL: ${LEVEL:-warn}
services:
  web:
    <<: *service
    image: registry.example.org/NAME/web:${TAG}
    ports:
      - "127.0.0.1:PORT:80"
    depends_on:
      api:
        condition: service_healthy
    volumes:
      - ./app.conf:/etc/app.conf:ro
      - ./uploads:/srv/uploads
    healthcheck: &healthcheck
      test: ["CMD", "/bin/health", "--quick"]
      interval: 30s
      timeout: 5s
      start_period: 60s
  api:
    <<: *service
    image: registry.example.org/NAME/api:${TAG}
    environment:
      <<: *environment
      API_KEY: ${API_KEY}
      DB_HOST: db
      DB_PASSWORD_FILE: /run/secrets/DB_PASSWORD
    secrets: [DB_PASSWORD]
    depends_on:
      db:
        condition: service_healthy
      cache:
        condition: service_started
    healthcheck: *healthcheck
    deploy:
      resources:
        limits:
          memory: 256M
  worker:
    <<: *service
    image: registry.example.org/NAME/api:${TAG}
    command: ["worker", "--queue", "default", "--verbose"]
    secrets:
      - source: DB_PASSWORD
    depends_on: [db, cache]
    volumes:
      - ./app.conf:/etc/app.conf:ro
  db:
    <<: *service
    image: postgres:17.6
    environment:
      POSTGRES_PASSWORD_FILE: /run/secrets/DB_PASSWORD
      POSTGRES_DB: app
    secrets: [DB_PASSWORD]
    volumes:
      - db:/var/lib/postgresql/data
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U postgres"]
      interval: 30s
  cache:
    <<: *service
    image: redis:8.2.2
    command: ["redis-server", "--maxmemory", "64mb"]
    volumes:
      - cache:/data
secrets:
  DB_PASSWORD:
    environment: DB_PASSWORD
volumes:
  db:
  cache:
networks:
  default:
    driver: bridge
`
