package changes

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pistack/compose/plain"
)

// tree is a part of the model as plain data, with secrets by name.
func tree(part any) map[string]any {
	var data map[string]any
	if json.Unmarshal([]byte(text(part)), &data) != nil {
		return nil
	}
	for key, value := range data {
		if value == nil {
			delete(data, key) // command and entrypoint, which JSON always has
		}
	}
	return data
}

// leaf is a value of the model.
type leaf struct {
	value string // to compare
	shown string // to print
}

func plainLeaf(v string) leaf { return leaf{v, v} }

// leaves lists all values below a node by their paths.
type leaves map[string]leaf

// add walks a node. Names of keys and items become parts of the path.
func (l leaves) add(path string, key string, node any) {
	switch v := node.(type) {
	case map[string]any:
		l.addMap(path, key, v)
	case []any:
		l.addList(path, key, v)
	case nil:
		l[path] = plainLeaf("(default)")
	case string:
		l[path] = leaf{v, shown(key, v)}
	case float64:
		number := strconv.FormatFloat(v, 'f', -1, 64)
		l[path] = leaf{number, shown(key, number)}
	default:
		l[path] = plainLeaf(fmt.Sprint(v))
	}
}

func (l leaves) addMap(path, key string, m map[string]any) {
	if len(m) == 0 && !slices.Contains([]string{"bind", "volume", "tmpfs"}, key) {
		l[path] = plainLeaf("(default)")
	}
	for name, value := range m {
		l.add(join(path, name), name, value)
	}
}

// addList takes a list of plain values as one, and makes a list of mappings one
// by the name that each item has.
func (l leaves) addList(path, key string, list []any) {
	var words []string
	seen := map[string]int{}
	for i, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			words = append(words, fmt.Sprint(item))
			continue
		}
		name := itemName(key, i, m)
		if seen[name]++; seen[name] > 1 {
			name += "#" + strconv.Itoa(seen[name])
		}
		if key == "ports" {
			l[path+"["+name+"]"] = plainLeaf(portText(m))
			continue
		}
		l.addMap(path+"["+name+"]", "", m)
	}
	if len(words) > 0 || len(list) == 0 {
		l[path] = leaf{strings.Join(words, "\x00"), orNone(strings.Join(plain.HideWords(key, words), ", "))}
	}
}

// itemName is what tells an item of a list from others, wherever it stands.
func itemName(list string, index int, item map[string]any) string {
	if list == "ports" {
		return fmt.Sprintf("%v/%v", item["target"], item["protocol"])
	}
	keys := []string{"source", "path", "subnet", "target"}
	if list == "volumes" {
		keys = []string{"target"}
	}
	for _, key := range keys {
		if name, ok := item[key].(string); ok {
			return name
		}
	}
	return strconv.Itoa(index)
}

// portText is how a port is published: "127.0.0.1:8080".
func portText(port map[string]any) string {
	published, ip := "a random port", "all addresses"
	if p, ok := port["published"].(string); ok && p != "" {
		published = p
	}
	if a, ok := port["host_ip"].(string); ok && a != "" {
		ip = a
	}
	text := published + " on " + ip
	for _, key := range []string{"mode", "name", "app_protocol"} {
		if v, ok := port[key].(string); ok && v != "ingress" {
			text += ", " + key + " " + v
		}
	}
	return text
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func join(path, key string) string {
	if plainKey.MatchString(key) {
		return path + "." + key
	}
	return path + "[" + strconv.Quote(key) + "]"
}

var (
	digits   = regexp.MustCompile(`^[0-9]+$`)
	byteKeys = []string{"mem_limit", "mem_reservation", "memswap_limit", "shm_size", "memory", "size"}
)

// shown is a value for people: sizes in units, and nothing that looks like a
// secret written in clear.
func shown(key, value string) string {
	switch {
	case slices.Contains(byteKeys, key) && digits.MatchString(value):
		return size(value)
	case key == "content":
		return "(content)"
	}
	return plain.Hide(key, value)
}

// size is a number of bytes in the largest unit that divides it.
func size(text string) string {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return text
	}
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	unit := 0
	for n%1024 == 0 && unit+1 < len(units) {
		n /= 1024
		unit++
	}
	return fmt.Sprintf("%d %s", n, units[unit])
}
