package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// OptionalFlag is a flag whose value can be left out: "--generate",
// "--generate=hex:32", or "--generate hex:32" where the next word fits.
type OptionalFlag struct {
	*cli.GenericFlag
	fits func(word string) bool
}

// NewOptionalFlag makes one. alone is its value when it stands alone, and fits
// tells a value from an argument that happens to come next.
func NewOptionalFlag(name, usage, alone string, fits func(word string) bool) OptionalFlag {
	return OptionalFlag{&cli.GenericFlag{Name: name, Usage: usage, Value: &optionalValue{alone: alone}}, fits}
}

// TakesValue keeps the next word from being its value whatever it is.
func (OptionalFlag) TakesValue() bool { return false }

// IsDefaultVisible keeps a default out of the help: there is none.
func (OptionalFlag) IsDefaultVisible() bool { return false }

type optionalValue struct{ alone, text string }

// Set is called with "true" when there is no value: see flag.boolFlag.
func (v *optionalValue) Set(text string) error {
	if v.text = text; text == "true" {
		v.text = v.alone
	}
	return nil
}

func (v *optionalValue) String() string { return v.text }

// IsBoolFlag tells package flag that the value can be left out.
func (*optionalValue) IsBoolFlag() bool { return true }

// optionalFits tells whether arg is an optional flag whose value is the next word.
func optionalFits(flags []cli.Flag, arg, next string) bool {
	for _, f := range flags {
		optional, ok := f.(OptionalFlag)
		if ok && slices.Contains(optional.Names(), strings.TrimLeft(arg, "-")) {
			return optional.fits(next)
		}
	}
	return false
}
