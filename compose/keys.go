package compose

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/tree"
)

// unknownKey says that a path ends in a key that Compose does not know.
func unknownKey(path []string) string {
	key, where := path[len(path)-1], strings.Join(path[:len(path)-1], ".")
	if where == "" {
		where = "the file"
	}
	return fmt.Sprintf("unknown key %q in %s%s", key, strings.TrimSuffix(where, ".[]"), nearest(key, knownKeys(path)))
}

// knownKeys lists the keys that the schema of Compose has where path ends.
func knownKeys(path []string) []string {
	var keys []string
	for _, attribute := range schema.AttributePaths() {
		parts := attribute.Parts()
		last := len(parts) - 1
		if len(parts) == len(path) && parts[last] != tree.PathMatchAll && parts[last] != tree.PathMatchList && isAt(path[:last], parts[:last]) {
			keys = append(keys, parts[last])
		}
	}
	return keys
}

// isAt tells whether a path is one of those that a pattern of the schema means.
func isAt(path, pattern []string) bool {
	if len(path) != len(pattern) {
		return false
	}
	for i, part := range pattern {
		switch part {
		case tree.PathMatchAll, path[i]:
		case tree.PathMatchList:
			if _, err := strconv.Atoi(strings.Trim(path[i], "[]")); err != nil {
				return false
			}
		default:
			return false
		}
	}
	return true
}
