package changes

import (
	"encoding/json"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
)

// stateRoot is where the device keeps relative binds that Git does not track;
// nixgen and modules/pistack agree.
const stateRoot = "/var/lib/pistack/"

// side is a version prepared for comparison.
type side struct {
	stack    *compose.Stack // nil for none
	project  *types.Project
	services map[string]service
	wrong    map[string]string
}

// service is what is compared of one.
type service struct {
	compose.Service
	config types.ServiceConfig // as deployed
	parts  compose.Parts
}

func newSide(given Version) side {
	s := given.Stack
	v := side{stack: s, project: &types.Project{}, services: map[string]service{}, wrong: given.Wrong}
	if s == nil {
		return v
	}
	v.project = s.Project
	for _, known := range s.Services {
		if image, pinned := given.Images[known.Name]; pinned {
			known.Image = image
		}
		v.services[known.Name] = service{known, deployed(s, known), s.Parts(known.Name)}
	}
	return v
}

// deployed is a service's configuration as the generated override leaves it:
// its image, and state folders in the place of relative binds.
func deployed(s *compose.Stack, known compose.Service) types.ServiceConfig {
	config := s.Project.Services[known.Name]
	config.Image = known.Image
	config.Volumes = slices.Clone(config.Volumes)
	for i, v := range config.Volumes {
		for _, state := range known.State {
			if v.Type == types.VolumeTypeBind && v.Target == state.Target {
				config.Volumes[i].Source = stateRoot + s.Name + "/" + state.Path
			}
		}
	}
	return config
}

// says tells whether the author's files have something at this very path.
func (v side) says(path ...string) bool { return v.stack != nil && v.stack.Says(path...) }

// configuration is what Compose hashes of a service: all but how it is built,
// when it is pulled, how many there are, what it waits for, and which profiles
// enable it. Env files are read into the environment before, so a path among
// them is nothing to Compose; compose.Service.Inputs has path and content.
func configuration(c types.ServiceConfig) string {
	c.Build, c.PullPolicy, c.Scale, c.DependsOn, c.Profiles = nil, "", nil, nil, nil
	c.EnvFiles = slices.Clone(c.EnvFiles)
	for i := range c.EnvFiles {
		c.EnvFiles[i].Required = true
	}
	if c.Deploy != nil {
		deploy := *c.Deploy
		deploy.Replicas = nil
		c.Deploy = &deploy
	}
	return text(c)
}

// text is a part of the model as JSON, with secrets by name. It is for
// comparison: JSON sorts the keys of maps.
func text(part any) string {
	data, err := json.Marshal(part)
	if err != nil {
		return err.Error() // a number that JSON cannot hold: the same in both versions, or a change
	}
	return compose.Redact(string(data))
}
