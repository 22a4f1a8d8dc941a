package view

import (
	"path"
	"strings"

	"pistack/internal/deploy"
)

// standing is what a plan means for a host.
type standing string

const (
	willChange standing = "change"
	unchanged  standing = "unchanged"
	cannot     standing = "problem"
)

func standingOf(h deploy.HostPlan) standing {
	switch {
	case h.Problem != nil:
		return cannot
	case h.Unchanged:
		return unchanged
	}
	return willChange
}

// planTotals counts what a plan holds. Bytes and images count once for each
// host that needs them.
type planTotals struct {
	Hosts         int   `json:"hosts"`
	Change        int   `json:"change"`
	Unchanged     int   `json:"unchanged"`
	Problems      int   `json:"problems"` // hosts that cannot be changed
	NewPaths      int   `json:"newPaths"`
	NewBytes      int64 `json:"newBytes"`
	Images        int   `json:"images"`
	ImageBytes    int64 `json:"imageBytes"`    // of the images whose size is known
	UnknownImages int   `json:"unknownImages"` // those whose size is not known
	Reboots       int   `json:"reboots"`
}

func totalsOf(p deploy.Plan) planTotals {
	t := planTotals{Hosts: len(p.Hosts)}
	for _, h := range p.Hosts {
		switch standingOf(h) {
		case cannot:
			t.Problems++
			continue
		case unchanged:
			t.Unchanged++
			continue
		}
		t.Change++
		t.NewPaths += h.NewPaths
		t.NewBytes += h.NewBytes
		bytes, unknown := imageBytes(h.Images)
		t.Images, t.ImageBytes, t.UnknownImages = t.Images+len(h.Images), t.ImageBytes+bytes, t.UnknownImages+unknown
		if h.Reboot {
			t.Reboots++
		}
	}
	return t
}

// imageBytes adds up the sizes that are known, and counts those that are not.
func imageBytes(images []deploy.Image) (bytes int64, unknown int) {
	for _, i := range images {
		if i.Bytes <= 0 {
			unknown++
			continue
		}
		bytes += i.Bytes
	}
	return bytes, unknown
}

// shownHash and shownRevision are how many characters are enough for people.
const (
	shownHash     = 8
	shownRevision = 12
)

// short is the beginning of a store path's hash, or the text itself if it is no
// store path.
func short(system string) string {
	hash, _, named := strings.Cut(path.Base(system), "-")
	if !strings.HasPrefix(system, "/nix/store/") || !named || len(hash) != 32 {
		return clean(system)
	}
	return clean(hash[:shownHash])
}

// shortRevision is the beginning of a commit's name.
func shortRevision(revision string) string {
	if len(revision) == 40 || len(revision) == 64 {
		revision = revision[:shownRevision]
	}
	return clean(revision)
}
