package install

import (
	"encoding/json"
	"errors"
	"fmt"

	"pistack/secrets"
	"pistack/secrets/manifest"
)

// dockerConfigPath is where DOCKER_CONFIG of the units that pull images leads:
// modules/pistack/stacks.nix names the folder.
const dockerConfigPath = "docker/config.json"

// Docker keeps the credentials of its Hub under this name, for historical
// reasons, whatever the image is called.
const (
	hub    = "docker.io"
	hubKey = "https://index.docker.io/v1/"
)

// dockerConfig renders secrets, each user:token, as the configuration that "docker
// login" would have written.
func dockerConfig(logins []manifest.Login, all values) ([]byte, error) {
	type auth struct {
		Auth []byte `json:"auth"` // base64 in JSON, as Docker wants it
	}
	auths := map[string]auth{}
	var problems []error
	for _, l := range logins {
		if secrets.CheckLogin(all[l.Secret]) != nil {
			problems = append(problems, fmt.Errorf("secret %s is no login of the registry %s: it has to be user:token, on one line", l.Secret, l.Registry))
			continue
		}
		key := l.Registry
		if key == hub {
			key = hubKey
		}
		auths[key] = auth{all[l.Secret]}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return json.Marshal(map[string]map[string]auth{"auths": auths})
}
