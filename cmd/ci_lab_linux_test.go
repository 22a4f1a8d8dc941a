package cmd_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"
)

// step is a command of a workflow.
type step struct {
	Name string
	Run  string
	Env  map[string]string
}

// stepsOf reads the commands of each job of a workflow, as the forge would run
// them. Steps of other people's actions are left out.
func stepsOf(t *testing.T, ci, text string) map[string][]step {
	t.Helper()
	jobs := map[string][]step{}
	if ci != "gitlab" {
		var workflow struct {
			Jobs map[string]struct{ Steps []step }
		}
		if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
			t.Fatal(err)
		}
		for name, job := range workflow.Jobs {
			jobs[name] = slices.DeleteFunc(job.Steps, func(s step) bool { return s.Run == "" })
		}
		return jobs
	}
	var file map[string]any
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	for name, job := range file {
		job, _ := job.(map[string]any)
		script, _ := job["script"].([]any)
		var lines []string
		for _, line := range script {
			lines = append(lines, line.(string))
		}
		if len(lines) > 0 {
			jobs[name] = []step{{Name: name, Run: strings.Join(lines, "\n")}}
		}
	}
	return jobs
}

// runner runs the jobs of a fleet's workflow in fresh clones.
type runner struct {
	*builder
	ci    string
	forge *forge
	bin   string // stand-ins for nix, gh and parts of docker
	log   string // what they were asked
}

// job runs a job on a branch, and gives its exit status and what it printed.
func (r runner) job(name, branch string) (status int, printed string) {
	r.t.Helper()
	clone := filepath.Join(r.t.TempDir(), "clone")
	if out, err := exec.Command("git", "clone", "-q", "--branch", branch, r.fleet, clone).CombinedOutput(); err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
	steps := stepsOf(r.t, r.ci, r.read(workflows()[r.ci]))[name]
	if len(steps) == 0 {
		r.t.Fatalf("the workflow has no job %q", name)
	}
	temp := r.t.TempDir()
	for _, s := range steps {
		cmd := exec.Command("bash", "-e", "-o", "pipefail", "-c", s.Run)
		cmd.Dir = clone
		cmd.Env = append(slices.Clone(r.env), "PATH="+r.bin+":"+os.Getenv("PATH"), "LOG="+r.log, "BIN="+binaries, "RUNNER_TEMP="+temp, "TMPDIR="+temp, "GITHUB_STEP_SUMMARY="+filepath.Join(temp, "summary"),
			"GITHUB_REPOSITORY=me/fleet", "GITHUB_API_URL="+r.forge.url, "FORGE="+r.forge.url,
			"CI_API_V4_URL="+r.forge.url, "CI_PROJECT_ID=1", "CI_MERGE_REQUEST_IID=7", "CI_MERGE_REQUEST_DIFF_BASE_SHA=origin/main", "PISTACK_TOKEN="+forgeToken,
			"CI_REGISTRY=registry.example.org", "CI_REGISTRY_USER=me", "CI_REGISTRY_PASSWORD="+forgeToken)
		for name, value := range s.Env {
			cmd.Env = append(cmd.Env, name+"="+expand(r.t, value))
		}
		out, err := cmd.CombinedOutput()
		printed += string(out)
		if err != nil {
			return cmd.ProcessState.ExitCode(), printed
		}
	}
	return 0, printed
}

// want runs a job that has to end with a status, and print something.
func (r runner) want(job, branch string, status int, parts ...string) {
	r.t.Helper()
	got, printed := r.job(job, branch)
	if got != status {
		r.t.Fatalf("%s on %s: exit status %d, want %d\n%s", job, branch, got, status, printed)
	}
	want(r.t, printed, append(parts, "!"+forgeToken)...)
}

func workflows() map[string]string {
	return map[string]string{"github": ".github/workflows/fleet.yml", "forgejo": ".forgejo/workflows/fleet.yml", "gitlab": ".gitlab-ci.yml"}
}

var expression = regexp.MustCompile(`\$\{\{ (.*?) \}\}`)

// expand fills in what a forge knows of a run. A name that it does not know is a
// mistake in the workflow.
func expand(t *testing.T, text string) string {
	t.Helper()
	known := map[string]string{"github.base_ref": "main", "github.event.number": "7", "github.token": forgeToken}
	return expression.ReplaceAllStringFunc(text, func(whole string) string {
		value, found := known[expression.FindStringSubmatch(whole)[1]]
		if !found {
			t.Fatalf("unknown expression %s", whole)
		}
		return value
	})
}

const forgeToken = "canary-forge-token"

// forge keeps the comments of a pull request, with the interface of GitHub and
// Forgejo and that of GitLab.
type forge struct {
	url string

	mu       sync.Mutex
	comments []string // a comment's id is its index and 100
	requests []string
}

func newForge(t *testing.T) *forge {
	t.Helper()
	f := &forge{comments: []string{"somebody else's comment"}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *forge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("Authorization") != "token "+forgeToken && r.Header.Get("PRIVATE-TOKEN") != forgeToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	var body struct{ Body string }
	data, _ := io.ReadAll(r.Body)
	if len(data) > 0 && json.Unmarshal(data, &body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var id int
	switch r.Method {
	case http.MethodGet:
		list := []map[string]any{}
		for i, c := range f.comments {
			list = append(list, map[string]any{"id": i + 100, "body": c, "user": map[string]any{"type": map[bool]string{true: "User", false: "Bot"}[i == 0]}})
		}
		json.NewEncoder(w).Encode(list)
	case http.MethodPost:
		f.comments = append(f.comments, body.Body)
	default:
		if n, err := fmt.Sscanf(filepath.Base(r.URL.Path), "%d", &id); n != 1 || err != nil || id <= 100 || id-100 >= len(f.comments) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		f.comments[id-100] = body.Body
	}
}

// comment is the one that the workflow made, and how often it was written.
func (f *forge) comment(t *testing.T) (text string, created, updated int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.comments) != 2 {
		t.Fatalf("%d comments, want somebody's and one of ours", len(f.comments))
	}
	for _, r := range f.requests {
		switch method, _, _ := strings.Cut(r, " "); method {
		case http.MethodPost:
			created++
		case http.MethodPatch, http.MethodPut:
			updated++
		}
	}
	return f.comments[1], created, updated
}

// standIns are programs of a forge's runner that cannot be had here: Nix, which
// runs the programs under test; gh, by way of curl; of docker what needs images
// from elsewhere, or a builder in a container. Every command line is logged.
var standIns = map[string]string{
	"nix": `case "$1 $2" in
"run .#pistack" | "run .#pisec") program=${2#.#}; shift 3; exec "$BIN/$program" "$@" ;;
"shell --inputs-from") while [ "$1" != --command ]; do shift; done; shift; exec "$@" ;;
"flake check" | "profile install") exit 0 ;;
esac
echo "nix $*: not known here" >&2
exit 1`,
	"gh": `[ "$1" = api ] || exit 1
shift
method=GET filter=. field=
while [ $# -gt 0 ]; do
  case $1 in
  --paginate | --silent) ;;
  --method) method=$2; shift ;;
  --jq) filter=$2; shift ;;
  --field) field=$2; shift ;;
  *) path=$1 ;;
  esac
  shift
done
data=
if [ -n "$field" ]; then
  data=$(jq --raw-input --slurp '{body: .}' "${field#body=@}")
fi
printf 'Authorization: token %s\n' "$GH_TOKEN" | curl -sSf -H @- -X "$method" ${data:+--data-binary "$data"} "$FORGE/$path" | jq -r "$filter"`,
	"docker": `case "$1 $2" in
"login "*) cat >/dev/null; exit 0 ;;
"run --privileged" | "context create" | "buildx create") exit 0 ;;
"buildx build")
  unset BUILDX_BUILDER
  args=()
  while [ $# -gt 0 ]; do
    case $1 in
    --cache-from | --cache-to | --builder) shift ;;
    *) args+=("$1") ;;
    esac
    shift
  done
  set -- "${args[@]}" ;;
esac
PATH=${PATH#*:} exec docker "$@"`,
	"curl": `PATH=${PATH#*:} exec curl "$@"`,
}

// newRunner makes a fleet with a workflow, whose image is built and pushed.
func newRunner(t *testing.T, b *builder, ci string) runner {
	t.Helper()
	r := runner{builder: b, ci: ci, forge: newForge(t), bin: t.TempDir(), log: filepath.Join(t.TempDir(), "log")}
	for name, text := range standIns {
		text = "#!/bin/bash\nset -eu\necho \"" + name + " $*\" >>\"$LOG\"\n" + text + "\n"
		if err := os.WriteFile(filepath.Join(r.bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}
