package fleet

import "github.com/BurntSushi/toml"

// OperatorsIn reads the operators of a version of fleet.toml that Git keeps. A
// version that this program would refuse has those that can be made out.
func OperatorsIn(text []byte) []string {
	var s struct {
		Operators []any `toml:"operators"`
	}
	if len(text) > maxTOML {
		return nil
	}
	if _, err := toml.Decode(string(text), &s); err != nil {
		return nil
	}
	var operators []string
	for _, o := range s.Operators {
		if recipient, ok := o.(string); ok {
			operators = append(operators, recipient)
		}
	}
	return operators
}
