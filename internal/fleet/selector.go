package fleet

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Select returns the hosts that any of the selectors means, in name order, less
// those that one beginning with "!" means. A selector is a host name, a glob
// ("rpi-*"), or "@word": a tag or a role. None that chooses means all hosts. A
// selector that means nothing is a *Problem.
func (f *Fleet) Select(selectors []string) ([]Host, error) {
	chosen, without := map[string]bool{}, map[string]bool{}
	all := true
	for _, s := range selectors {
		into, word := chosen, s
		if rest, not := strings.CutPrefix(s, "!"); not {
			into, word = without, rest
		} else {
			all = false
		}
		matches, err := f.match(word)
		if err != nil {
			return nil, err
		}
		for _, h := range matches {
			into[h.Name] = true
		}
	}
	var hosts []Host
	for _, h := range f.Hosts {
		if (all || chosen[h.Name]) && !without[h.Name] {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 && len(selectors) > 0 {
		return nil, &Problem{Message: fmt.Sprintf("%s leaves no host", strings.Join(selectors, " ")), Fix: selectorHelp}
	}
	return hosts, nil
}

const selectorHelp = `a selector is a host name, a glob like "rpi-*", or @tag or @role; with "!" before it, those hosts are left out`

func (f *Fleet) match(selector string) ([]Host, error) {
	var found []Host
	for _, h := range f.Hosts {
		if h.matches(selector) {
			found = append(found, h)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if hostName.MatchString(selector) {
		_, err := f.Host(selector)
		return nil, err
	}
	return nil, &Problem{Message: fmt.Sprintf("no host matches %q", selector), Fix: selectorHelp}
}

// Selectors lists what can be typed to mean hosts: their names, then every @tag
// and @role.
func (f *Fleet) Selectors() []string {
	var words []string
	for _, h := range f.Hosts {
		for _, word := range slices.Concat(h.Tags, h.Roles) {
			words = append(words, "@"+word)
		}
	}
	slices.Sort(words)
	return append(f.HostNames(), slices.Compact(words)...)
}

func (h Host) matches(selector string) bool {
	if len(selector) > 1 && selector[0] == '@' {
		return slices.Contains(h.Tags, selector[1:]) || slices.Contains(h.Roles, selector[1:])
	}
	ok, err := path.Match(selector, h.Name)
	return err == nil && ok
}
