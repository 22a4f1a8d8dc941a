package changes

import (
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// mounted finds data of a service that its new container has no more.
func (c *comparison) mounted(name string, before, after service) {
	for _, old := range before.config.Volumes {
		at := slices.IndexFunc(after.config.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == old.Target })
		var now *types.ServiceVolumeConfig
		if at >= 0 {
			now = &after.config.Volumes[at]
		}
		switch {
		case anonymous(old) && (now == nil || !anonymous(*now)):
			c.danger(AnonymousVolume, name, "the data at %s is in a volume without a name: the new version does not find it again", old.Target)
		case now == nil || !holdsData(old) || c.left(old, *now):
		case holdsData(*now) || anonymous(*now):
			c.danger(VolumeLeft, name, "%s gets %s, and its data stays behind in %s", old.Target, c.after.where(*now), c.before.where(old))
		}
	}
}

// left tells whether two mounts are of the same data.
func (c *comparison) left(old, now types.ServiceVolumeConfig) bool {
	return c.before.where(old) == c.after.where(now)
}

func anonymous(v types.ServiceVolumeConfig) bool {
	return v.Type == types.VolumeTypeVolume && v.Source == ""
}

// holdsData tells of named volumes and of folders of a stack's state.
func holdsData(v types.ServiceVolumeConfig) bool {
	return v.Type == types.VolumeTypeVolume && v.Source != "" || v.Type == types.VolumeTypeBind && strings.HasPrefix(v.Source, stateRoot)
}

// where names what a mount is of, as the device knows it.
func (v side) where(m types.ServiceVolumeConfig) string {
	switch {
	case anonymous(m):
		return "a new volume without a name"
	case m.Type == types.VolumeTypeVolume:
		if config, known := v.project.Volumes[m.Source]; known && config.Name != "" {
			return "volume " + config.Name
		}
		return "volume " + m.Source
	}
	return m.Source
}

// volumes finds data that no service has any more, and volumes that Compose
// would have to make anew.
func (c *comparison) volumes() {
	old, now := c.before.data(), c.after.data()
	var behind []string
	for _, where := range old {
		if !slices.Contains(now, where) && !c.reported(where) {
			behind = append(behind, where)
		}
	}
	switch {
	case len(behind) == 0:
	case c.after.stack == nil:
		c.danger(VolumeLeft, "", "the stack leaves this host, and its data stays there: %s", strings.Join(behind, ", "))
	default:
		c.danger(VolumeLeft, "", "no service uses it any more, and its data stays behind: %s", strings.Join(behind, ", "))
	}
	for _, key := range bothKeys(c.before.project.Volumes, c.after.project.Volumes) {
		was, had := c.before.project.Volumes[key]
		is, has := c.after.project.Volumes[key]
		if had && has && was.Name == is.Name && !bool(is.External) && !bool(was.External) && text(was) != text(is) {
			c.danger(VolumeConfig, "", "volume %s has another configuration: Compose keeps the old volume as it is, or asks to delete it with its data", is.Name)
		}
	}
}

// reported tells whether a danger names this data already.
func (c *comparison) reported(where string) bool {
	return slices.ContainsFunc(c.out.Dangers, func(d Danger) bool {
		return d.Code == VolumeLeft && strings.HasSuffix(d.Message, " in "+where)
	})
}

// data lists where the services keep theirs, sorted. External volumes are not
// the stack's own.
func (v side) data() []string {
	var all []string
	for _, s := range v.services {
		for _, m := range s.config.Volumes {
			if holdsData(m) && !bool(v.project.Volumes[m.Source].External) {
				all = append(all, v.where(m))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
