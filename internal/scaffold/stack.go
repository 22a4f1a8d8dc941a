package scaffold

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// What a new stack is when nobody says otherwise: an image whose health is known.
const (
	DefaultImage = "nginx:1.29.3-alpine"
	DefaultPort  = 80
)

// Stack is a new stack of one service.
type Stack struct {
	Name      string
	Image     string
	Port      int // that the container listens on; 0 publishes none
	Published int // at which the host publishes it
}

var (
	stackForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	imageForm = regexp.MustCompile(`^[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]{0,254}$`)
	// Of these YAML makes nothing but a text.
	plainImage = regexp.MustCompile(`^[a-z][a-z0-9.-]*[/:][a-z0-9][A-Za-z0-9._:/@-]*$`)
)

// reserved are names of units of pistack itself, as in modules/pistack/assertions.nix.
func reserved(name string) bool {
	return slices.Contains([]string{"firewall", "images", "reconcile", "secrets", "shutdown", "undo"}, name)
}

// Check tells what is wrong with the stack.
func (s Stack) Check() error {
	switch {
	case !stackForm.MatchString(s.Name):
		return fmt.Errorf("%q cannot be the name of a stack: use a-z, 0-9, _ and -, at most 63 characters", s.Name)
	case reserved(s.Name):
		return fmt.Errorf("%q cannot be the name of a stack: pistack-%[1]s.service is a unit of pistack itself", s.Name)
	case !imageForm.MatchString(s.Image) || !isImage(s.Image):
		return fmt.Errorf("%q is not an image like %q", s.Image, DefaultImage)
	case s.Port < 0, s.Port > 65535, s.Published < 0, s.Published > 65535:
		return fmt.Errorf("a port is between 1 and 65535")
	}
	return nil
}

// isImage tells whether Docker takes a text for the name of an image.
func isImage(text string) bool {
	_, err := reference.ParseNormalizedNamed(text)
	return err == nil
}

// Files are the stack's files.
func (s Stack) Files() ([]File, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	dir := "stacks/" + s.Name + "/"
	files := []File{{dir + "compose.yaml", s.compose()}}
	if s.Port > 0 {
		env := fmt.Sprintf("# What this stack needs and is not secret. A host may say otherwise in its host.toml, under [env].\n%s=%d\n", s.variable(), s.Published)
		files = append(files, File{dir + ".env", env})
	}
	return byPath(files), nil
}

// variable is that of the published port. A host's [env] is for all its stacks,
// so it carries the stack's name.
func (s Stack) variable() string {
	name := strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_")) + "_PORT"
	if name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}

func (s Stack) compose() string {
	image := s.Image
	if !plainImage.MatchString(image) {
		image = `"` + image + `"`
	}
	var out strings.Builder
	fmt.Fprintf(&out, "# On a laptop: docker compose up\nservices:\n  %s:\n    image: %s\n    restart: unless-stopped\n", s.key(), image)
	if s.Port > 0 {
		fmt.Fprintf(&out, "    ports:\n      - \"${%s}:%d\"\n", s.variable(), s.Port)
	}
	out.WriteString(s.health())
	return out.String()
}

// key is the name as a key of YAML, where 123 would be a number.
func (s Stack) key() string {
	if s.Name[0] >= '0' && s.Name[0] <= '9' || isWord(s.Name) {
		return `"` + s.Name + `"`
	}
	return s.Name
}

// isWord tells of what some YAML takes for true, false or nothing.
func isWord(name string) bool {
	switch name {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return true
	}
	return false
}

// health is a check for an image that is known to have wget, and of others how
// to write one: a wrong one would make every deploy fail.
func (s Stack) health() string {
	check := fmt.Sprintf(`    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:%d/"]
      interval: 30s
      timeout: 5s
      start_period: 30s
      start_interval: 1s
`, max(s.Port, 1))
	if s.Image == DefaultImage && s.Port == DefaultPort {
		return check
	}
	return "    # A deploy waits until this succeeds. Use a program that the image has.\n" +
		"    # " + strings.ReplaceAll(strings.TrimSuffix(check[4:], "\n"), "\n    ", "\n    # ") + "\n"
}
