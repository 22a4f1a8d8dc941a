package changes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// listed is how many names a cause lists before it counts the rest.
const listed = 3

// imageCause says in what an image differs: tag, digest, or all of it.
func imageCause(old, now string) string {
	oldName, oldTag, oldDigest := splitImage(old)
	name, tag, digest := splitImage(now)
	switch {
	case old == "" || now == "" || oldName != name:
		return fmt.Sprintf("image %s -> %s", orNone(old), orNone(now))
	case oldTag != tag:
		return fmt.Sprintf("image tag %s -> %s", orNone(oldTag), orNone(tag))
	case oldDigest == "":
		return "image is pinned to a digest"
	case digest == "":
		return "image is no longer pinned to a digest"
	}
	return "image digest changed"
}

// splitImage cuts "name:tag@digest".
func splitImage(image string) (name, tag, digest string) {
	name, digest, _ = strings.Cut(image, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name, tag = name[:colon], name[colon+1:]
	}
	return name, tag, digest
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// configCauses names the keys of a service that are different. Those that come
// from somewhere else than the service's own text say so.
func (c *comparison) configCauses(name string, before, after service) []string {
	old, now := tree(before.config), tree(after.config)
	var own, inherited []string
	if before.Image != after.Image {
		cause := imageCause(before.Image, after.Image)
		if c.inherited(name, "image", nil, nil) {
			inherited = append(inherited, cause+c.elsewhere(name, "image"))
		} else {
			own = append(own, cause+c.elsewhere(name, "image"))
		}
	}
	for _, key := range bothKeys(old, now) {
		if key == "image" || key == "build" || key == "scale" || text(old[key]) == text(now[key]) {
			continue
		}
		cause := keyCause(key, old[key], now[key])
		if key == "deploy" && configuration(types.ServiceConfig{Deploy: before.config.Deploy}) == configuration(types.ServiceConfig{Deploy: after.config.Deploy}) {
			continue // the number of replicas alone
		}
		if c.inherited(name, key, old[key], now[key]) {
			inherited = append(inherited, cause+c.elsewhere(name, key))
			continue
		}
		own = append(own, cause+c.elsewhere(name, key))
	}
	if len(inherited) > 0 {
		own = append(own, "base of extends changed: "+strings.Join(inherited, ", "))
	}
	return own
}

// keyCause says what happened to one key: names of variables and labels are
// told, since a service may have dozens.
func keyCause(key string, old, now any) string {
	oldMap, isMap := old.(map[string]any)
	nowMap, areMaps := now.(map[string]any)
	switch {
	case (key == "environment" || key == "labels") && (isMap || old == nil) && (areMaps || now == nil):
		var names []string
		for _, n := range bothKeys(oldMap, nowMap) {
			o, had := oldMap[n]
			v, has := nowMap[n]
			switch {
			case !had:
				names = append(names, n+" added")
			case !has:
				names = append(names, n+" removed")
			case text(o) != text(v):
				names = append(names, n+" changed")
			}
		}
		return key + " " + some(names)
	case old == nil:
		return key + " added"
	case now == nil:
		return key + " removed"
	}
	return key + " changed"
}

func some(names []string) string {
	if len(names) <= listed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], ", "), len(names)-listed)
}

// inherited tells whether a key comes from the base of "extends": the service
// has one, and its own text says nothing of the key (or of any of the variables
// that differ) before or after.
func (c *comparison) inherited(name, key string, old, now any) bool {
	if !c.after.says("services", name, "extends") || !c.before.says("services", name, "extends") {
		return false
	}
	said := func(path ...string) bool {
		path = append([]string{"services", name, key}, path...)
		return c.before.says(path...) || c.after.says(path...)
	}
	oldMap, _ := old.(map[string]any)
	nowMap, _ := now.(map[string]any)
	if !said() {
		return true
	}
	if key != "environment" && key != "labels" {
		return false
	}
	return !slices.ContainsFunc(bothKeys(oldMap, nowMap), func(n string) bool {
		return text(oldMap[n]) != text(nowMap[n]) && said(n)
	})
}

// elsewhere names the file that a key comes from when it is none of the stack's
// own: an included one.
func (c *comparison) elsewhere(name, key string) string {
	place := c.after.stack.Place("services", name, key)
	own := slices.ContainsFunc(c.after.stack.ComposeFiles, func(file string) bool {
		return place.File == "stacks/"+c.after.stack.Name+"/"+file
	})
	if own || place.File == "" {
		return ""
	}
	return " in " + place.File
}

// inputCauses names secrets and files whose content is another.
func inputCauses(v side, before, after service) []string {
	var causes []string
	describe := func(old, now map[string]string, added, removed, changed string) {
		for _, key := range bothKeys(old, now) {
			o, had := old[key]
			n, has := now[key]
			name := strings.TrimPrefix(key, "stacks/"+v.stack.Name+"/")
			switch {
			case !had:
				causes = append(causes, fmt.Sprintf(added, name))
			case !has:
				causes = append(causes, fmt.Sprintf(removed, name))
			case o != n:
				causes = append(causes, fmt.Sprintf(changed, name))
			}
		}
	}
	describe(before.parts.Secrets, after.parts.Secrets, "secret %s is used", "secret %s is no longer used", "secret %s has a new value")
	describe(before.parts.Files, after.parts.Files, "config file %s added", "config file %s removed", "config file %s changed")
	describe(before.parts.Configs, after.parts.Configs, "config %s added", "config %s removed", "config %s changed")
	return causes
}
