package compose

import (
	"bytes"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/tree"
	"github.com/compose-spec/compose-go/v2/types"
)

// quickly leaves out what interpolation does in vain. compose-go compares the path
// of every value with some 80 patterns, of those that become numbers or booleans:
// a fifth of the time that a stack takes to load. A pattern whose keys are not all
// in the files matches nothing, and most of them have such a key.
func quickly(configs []types.ConfigFile, options func(*loader.Options)) func(*loader.Options) {
	return func(o *loader.Options) {
		options(o)
		if o.Interpolate == nil {
			return
		}
		all := o.Interpolate.TypeCastMapping
		some := map[tree.Path]interpolation.Cast{}
		for pattern, cast := range all {
			if mayMatch(pattern, configs) {
				some[pattern] = cast
			}
		}
		o.Interpolate.TypeCastMapping = some
		o.Interpolate.Substitute = substitute
	}
}

// mayMatch tells whether every key of a pattern can be one of a file. A key
// stands in the file's bytes as it is, unless a backslash spells it otherwise.
func mayMatch(pattern tree.Path, configs []types.ConfigFile) bool {
	return !slices.ContainsFunc(pattern.Parts(), func(part string) bool {
		if part == tree.PathMatchAll || part == tree.PathMatchList {
			return false
		}
		return !slices.ContainsFunc(configs, func(c types.ConfigFile) bool {
			return bytes.Contains(c.Content, []byte(part)) || bytes.ContainsRune(c.Content, '\\')
		})
	})
}

// substitute is template.Substitute, which looks at a text with expressions even
// where there is nothing to find.
func substitute(text string, lookUp template.Mapping) (string, error) {
	if !strings.ContainsRune(text, '$') {
		return text, nil
	}
	return template.Substitute(text, lookUp)
}
