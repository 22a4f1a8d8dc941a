package nixgen_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/nixgen"
)

// locked is a host with a stack of one image that is locked, one that its author
// pinned, one that is built, one that is on the machine already, and one that is
// not locked. The lock is stale: it has entries for all but the last.
func locked() nixgen.Host {
	digest := "sha256:" + strings.Repeat("1", 64)
	services := types.Services{}
	for name, image := range map[string]string{"app": "nginx:1.27", "built": "built", "new": "nginx:1.28", "pinned": "x@" + digest, "here": "here"} {
		var s types.ServiceConfig
		s.Image = image
		switch name {
		case "built":
			s.Build = &types.BuildConfig{}
		case "here":
			s.PullPolicy = types.PullPolicyNever
		}
		services[name] = s
	}
	project := &types.Project{Services: services}
	lock := images.Lock{{Reference: "built", Digest: digest}, {Reference: "here", Digest: digest}, {Reference: "nginx:1.27", Digest: digest}, {Reference: "x@" + digest, Digest: digest}}
	return nixgen.Host{
		Name:  "pi",
		Locks: map[string]images.Lock{"web": lock, "other": lock},
		Stacks: []*compose.Stack{{Name: "web", Project: project, Services: []compose.Service{
			{Name: "app", Image: "nginx:1.27", Inputs: hash},
			{Name: "built", Image: "built", Inputs: hash},
			{Name: "here", Image: "here", Inputs: hash},
			{Name: "new", Image: "nginx:1.28", Inputs: hash},
			{Name: "pinned", Image: "x@" + digest, Inputs: hash},
		}}},
	}
}

// TestLockedImages: the override names the digest of what is locked, and Compose
// takes it in the place of the author's tag.
func TestLockedImages(t *testing.T) {
	const base = "services:\n  app: {image: \"nginx:1.27\"}\n  built: {image: built}\n  here: {image: here}\n  new: {image: \"nginx:1.28\"}\n  pinned: {image: x}\n"
	override := generate(t, locked())["web.override.yaml"]
	p := merge(t, base, override, nil)
	for service, want := range map[string]string{
		"app":    "nginx:1.27@sha256:" + strings.Repeat("1", 64),
		"built":  "built",
		"here":   "here",
		"new":    "nginx:1.28",
		"pinned": "x",
	} {
		if got := p.Services[service].Image; got != want {
			t.Errorf("%s: image %q, want %q", service, got, want)
		}
	}
	if n := bytes.Count(override, []byte("image:")); n != 1 {
		t.Errorf("%d images in\n%s", n, override)
	}
}

// TestImagesOfStack: the module has every image that the host pulls as Compose
// will name it, and not the one that is brought there in another way.
func TestImagesOfStack(t *testing.T) {
	one := "sha256:" + strings.Repeat("1", 64)
	want := `        images = [
          "built"
          "nginx:1.27@` + one + `"
          "nginx:1.28"
          "x@` + one + `"
        ];
`
	if module := generate(t, locked())["default.nix"]; !bytes.Contains(module, []byte(want)) {
		t.Errorf("want\n%sin\n%s", want, module)
	}
}

// TestBuiltImages: a service that is built runs the image that was built for it,
// also where the author named none.
func TestBuiltImages(t *testing.T) {
	h := nixgen.Host{Name: "pi", Built: map[string]map[string]string{"web": {"app": "pistack.invalid/web-app:1"}}}
	h.Stacks = []*compose.Stack{{Name: "web", Services: []compose.Service{{Name: "app", Inputs: hash, Resets: []string{"build"}}}}}
	p := merge(t, "services:\n  app:\n    build: .\n", generate(t, h)["web.override.yaml"], nil)
	if app := p.Services["app"]; app.Image != "pistack.invalid/web-app:1" || app.Build != nil {
		t.Errorf("image %q, build %v", app.Image, app.Build)
	}
}

// TestNoLock: a stack without a lock is generated as before there were any.
func TestNoLock(t *testing.T) {
	without := locked()
	without.Locks = nil
	if got := generate(t, without)["web.override.yaml"]; bytes.Contains(got, []byte("image")) {
		t.Errorf("\n%s", got)
	}
}
