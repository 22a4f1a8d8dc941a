// Package random makes values that only have to be random, such as a password
// that two containers share.
package random

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/sethvargo/go-diceware/diceware"

	"pistack/secrets"
)

// Form says what a value looks like, as "alnum:32".
type Form struct {
	kind kind
	size int // characters, bytes or words
}

// kind is a row of the table of forms.
type kind struct {
	name string
	bits float64 // that each character, byte or word has
	make func(size int) ([]byte, error)
}

func kinds() []kind {
	return []kind{
		{"alnum", 5.95, letters},
		{"hex", 8, encodedBytes(hex.AppendEncode)},
		{"base64", 8, encodedBytes(base64.StdEncoding.AppendEncode)},
		{"words", 12.92, words},
	}
}

const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	maxSize  = 4096
	minBits  = 96 // less can be guessed, given time
)

// Examples are forms as one would type them.
const Examples = "alnum:32, hex:32, base64:32 or words:8"

// ParseForm reads "alnum:N" (letters and digits), "hex:N" or "base64:N" (of N
// random bytes), or "words:N" (of the EFF's long list, with "-" between them).
// The empty text means alnum:32, 190 bits.
func ParseForm(text string) (Form, error) {
	name, number, _ := strings.Cut(text, ":")
	if text == "" {
		name, number = "alnum", "32"
	}
	size, err := strconv.Atoi(number)
	for _, k := range kinds() {
		if k.name != name || err != nil {
			continue
		}
		if size > maxSize || float64(size)*k.bits < minBits {
			return Form{}, &secrets.Error{Message: fmt.Sprintf("%q is too short to be safe, or longer than %d", text, maxSize), Fix: "use " + Examples}
		}
		return Form{kind: k, size: size}, nil
	}
	return Form{}, &secrets.Error{Message: fmt.Sprintf("%q is no form of a generated value", text), Fix: "use " + Examples}
}

// LooksLikeForm tells a form from other words of a command line, right or wrong.
func LooksLikeForm(word string) bool {
	for _, k := range kinds() {
		if strings.HasPrefix(word, k.name+":") {
			return true
		}
	}
	return false
}

// Value makes a value of that form from the system's random numbers.
func (f Form) Value() ([]byte, error) { return f.kind.make(f.size) }

func encodedBytes(encode func(dst, src []byte) []byte) func(int) ([]byte, error) {
	return func(n int) ([]byte, error) {
		raw := make([]byte, n)
		defer clear(raw)
		if _, err := rand.Read(raw); err != nil {
			return nil, err
		}
		return encode(nil, raw), nil
	}
}

func letters(n int) ([]byte, error) {
	value := make([]byte, n)
	for i := range value {
		at, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return nil, err
		}
		value[i] = alphabet[at.Int64()]
	}
	return value, nil
}

// words draws each word on its own: the library's Generate never gives one twice,
// which costs a little of the randomness that is counted above.
func words(n int) ([]byte, error) {
	var value []byte
	for i := range n {
		word, err := diceware.Generate(1)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			value = append(value, '-')
		}
		value = append(value, word[0]...)
	}
	return value, nil
}
