package compose

import (
	"regexp"
	"slices"
	"strings"
)

var (
	pathFirst    = regexp.MustCompile(`^([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_\[\]/-]+)+): `)
	pathInside   = regexp.MustCompile(`(?:interpolating|format for|key in) ([A-Za-z0-9_.\[\]/-]+?)[.:](?:\s|$)`)
	quotedWord   = regexp.MustCompile(`"([^"]+)"`)
	lastWord     = regexp.MustCompile(`: (\S+)$`)
	namedService = regexp.MustCompile(`service "([^"]+)"`)

	undefinedName    = regexp.MustCompile(`^service "([^"]+)" refers to undefined (build secret|network|volume|secret|config|model) (\S+)$`)
	undefinedService = regexp.MustCompile(`^service "([^"]+)" depends on (?:undefined|unknown) service "([^"]+)"`)
	portRanges       = regexp.MustCompile(`container and host Ports: (\S+) and (\S+)$`)

	decodingFailed = regexp.MustCompile(`(?m)^\s*'([a-z_]+\[[^']+)' (.*)$`)
	decodingStep   = regexp.MustCompile(`\[([^\]]*)\]|[^.\[\]]+`)
	extendsCircle  = regexp.MustCompile(`^Circular reference: (.+)$`)
	inFile         = regexp.MustCompile(` in \S+$`)
)

// placeOf looks for what an error without a position speaks of: a reference, a
// path, a service, or a value.
func placeOf(docs documents, text string) Position {
	if place, found := placeOfReference(docs, text); found {
		return place
	}
	for _, pattern := range []*regexp.Regexp{pathFirst, pathInside} {
		if m := pattern.FindStringSubmatch(text); m != nil {
			return docs.find(strings.Split(m[1], ".")...)
		}
	}
	if m := namedService.FindStringSubmatch(text); m != nil {
		return docs.find("services", m[1])
	}
	for _, pattern := range []*regexp.Regexp{quotedWord, lastWord} {
		if m := pattern.FindStringSubmatch(text); m != nil {
			if place, found := docs.value(m[1]); found {
				return place
			}
		}
	}
	return docs.find()
}

// placeOfReference is the place of the item that names what is not there, or of a
// port with ranges that do not fit.
func placeOfReference(docs documents, text string) (Position, bool) {
	if m := undefinedName.FindStringSubmatch(text); m != nil {
		section := []string{m[2] + "s"}
		if m[2] == "build secret" {
			section = []string{"build", "secrets"}
		}
		return docs.find(slices.Concat([]string{"services", m[1]}, section, []string{m[3]})...), true
	}
	if m := undefinedService.FindStringSubmatch(text); m != nil {
		return docs.dependency(m[1], m[2]), true
	}
	if m := portRanges.FindStringSubmatch(text); m != nil {
		return docs.value(m[2] + ":" + m[1])
	}
	return Position{}, false
}

// decodingFindings takes the error apart that compose-go makes of all values of a
// wrong form: a line "'services[web].mem_limit' invalid size" for each.
func decodingFindings(docs documents, text string) []Finding {
	if !strings.HasPrefix(text, "decoding failed") {
		return nil
	}
	var all []Finding
	for _, m := range decodingFailed.FindAllStringSubmatch(text, -1) {
		var path []string
		for _, step := range decodingStep.FindAllStringSubmatch(m[1], -1) {
			if strings.HasPrefix(step[0], "[") {
				step[0] = step[1]
			}
			path = append(path, step[0])
		}
		f := Finding{Code: CodeModel, Severity: Error, Message: strings.Join(path, ".") + ": " + strings.Join(strings.Fields(m[2]), " ")}
		all = append(all, f.At(docs.find(path...)))
	}
	return all
}

// circleFinding says which services extend each other. compose-go begins with any
// of them; here it is the first in the alphabet.
func circleFinding(docs documents, text string) Finding {
	names := strings.Split(text, " extends ")
	for i := range names {
		names[i] = inFile.ReplaceAllString(names[i], "")
	}
	if at := slices.Index(names, names[len(names)-1]); at < len(names)-1 {
		names = names[at : len(names)-1] // what leads there is not part of it
	}
	first := slices.Index(names, slices.Min(names))
	circle := slices.Concat(names[first:], names[:first+1])
	f := Finding{Code: CodeModel, Severity: Error, Message: "services extend each other in a circle: " + strings.Join(circle, " extends "), Fix: "take one extends out"}
	return f.At(docs.find("services", circle[0], "extends"))
}
