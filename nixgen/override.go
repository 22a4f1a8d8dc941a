package nixgen

import (
	"bytes"

	"go.yaml.in/yaml/v4"

	"pistack/compose"
	"pistack/compose/images"
)

// InputsLabel is the label that carries Service.Inputs.
const InputsLabel = "io.pistack.inputs"

// Where secrets and state are on the device; modules/pistack agrees.
const (
	secretRoot = "/run/pistack/current/stacks/"
	stateRoot  = "/var/lib/pistack/"
)

func overrideName(s *compose.Stack) string { return s.Name + ".override.yaml" }

// overrideFile says what is particular to the device, for Compose to merge
// over the author's file: digests, labels, state folders, and where secrets are.
func overrideFile(h Host, s *compose.Stack) ([]byte, error) {
	services := &yaml.Node{Kind: yaml.MappingNode}
	for _, service := range s.Services {
		set(services, service.Name, serviceOverride(s, service, h.image(s, service)))
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	set(root, "services", services)
	if len(s.Secrets) > 0 {
		set(root, "secrets", secretOverrides(s))
	}
	var out bytes.Buffer
	out.WriteString(header(h))
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// image is the one that the device runs, where that is not the author's text.
func (h Host) image(s *compose.Stack, service compose.Service) string {
	if built := h.Built[s.Name][service.Name]; built != "" {
		return built
	}
	if image, locked := h.Locks[s.Name].Pinned(service.Image); locked && images.Pulled(s.Project.Services[service.Name]) {
		return image
	}
	return ""
}

func serviceOverride(s *compose.Stack, service compose.Service, image string) *yaml.Node {
	labels := &yaml.Node{Kind: yaml.MappingNode}
	set(labels, InputsLabel, text(service.Inputs))
	n := &yaml.Node{Kind: yaml.MappingNode}
	if image != "" {
		set(n, "image", text(image))
	}
	for _, key := range service.Resets {
		set(n, key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!reset", Value: "null"})
	}
	set(n, "labels", labels)
	if len(service.State) > 0 {
		volumes := &yaml.Node{Kind: yaml.SequenceNode}
		for _, bind := range service.State {
			volumes.Content = append(volumes.Content, stateVolume(s.Name, bind))
		}
		set(n, "volumes", volumes)
	}
	return n
}

// stateVolume has the target of the author's bind mount, so Compose puts it in
// that one's place.
func stateVolume(stack string, bind compose.StateBind) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	set(n, "type", text("bind"))
	set(n, "source", text(escapeDollar(stateRoot+stack+"/"+bind.Path)))
	set(n, "target", text(escapeDollar(bind.Target)))
	if bind.ReadOnly {
		set(n, "read_only", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	}
	create := &yaml.Node{Kind: yaml.MappingNode}
	set(create, "create_host_path", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	set(n, "bind", create)
	return n
}

// secretOverrides replaces whatever source the author gave a secret for the
// laptop by the file that the installer writes; !override keeps Compose from
// merging the two.
func secretOverrides(s *compose.Stack) *yaml.Node {
	all := &yaml.Node{Kind: yaml.MappingNode}
	for _, secret := range s.Secrets {
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!override"}
		set(n, "file", text(secretRoot+s.Name+"/"+secret.Name))
		set(all, secret.Name, n)
	}
	return all
}

func set(mapping *yaml.Node, key string, value *yaml.Node) {
	mapping.Content = append(mapping.Content, text(key), value)
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// escapeDollar keeps Compose from interpolating a value that it already did.
func escapeDollar(s string) string {
	return string(bytes.ReplaceAll([]byte(s), []byte("$"), []byte("$$")))
}
