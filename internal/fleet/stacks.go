package fleet

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// SelectStacks returns the stacks that any of the selectors means, in name
// order. A selector is a stack's name or a glob. No selector means all stacks.
// A selector that means nothing is a *Problem.
func (f *Fleet) SelectStacks(selectors []string) ([]string, error) {
	if len(selectors) == 0 {
		return f.Stacks, nil
	}
	var chosen []string
	for _, selector := range selectors {
		found := false
		for _, stack := range f.Stacks {
			if ok, err := path.Match(selector, stack); err == nil && ok {
				chosen, found = append(chosen, stack), true
			}
		}
		if !found {
			return nil, &Problem{
				Message: fmt.Sprintf("no stack %q%s", selector, didYouMean(selector, f.Stacks)),
				Fix:     fmt.Sprintf("a stack is a folder of stacks/ with a compose.yaml; this fleet has: %s", strings.Join(f.Stacks, ", ")),
			}
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}
