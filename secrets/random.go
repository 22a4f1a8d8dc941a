package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// RandomForm says what a generated value looks like, as "alnum:32".
type RandomForm struct {
	kind string
	size int // characters of alnum, bytes of hex and base64
}

const (
	alphabet      = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	maxRandomSize = 4096
	minRandomBits = 96 // less can be guessed, given time
)

// ParseRandomForm reads "alnum:N" (letters and digits), "hex:N" or "base64:N"
// (of N random bytes). The empty text means alnum:32, 190 bits.
func ParseRandomForm(text string) (RandomForm, error) {
	kind, number, _ := strings.Cut(text, ":")
	if text == "" {
		kind, number = "alnum", "32"
	}
	f := RandomForm{kind: kind}
	bitsEach := map[string]float64{"alnum": 5.95, "hex": 8, "base64": 8}[kind]
	size, err := strconv.Atoi(number)
	if err != nil || bitsEach == 0 {
		return f, &Error{Message: fmt.Sprintf("%q is no form of a generated value", text), Fix: "use alnum:32, hex:32 or base64:32"}
	}
	f.size = size
	if size > maxRandomSize || float64(size)*bitsEach < minRandomBits {
		return f, &Error{Message: fmt.Sprintf("%q is too short to be safe, or longer than %d", text, maxRandomSize), Fix: "use alnum:32, hex:32 or base64:32"}
	}
	return f, nil
}

// Random makes a value of that form from the system's random numbers.
func Random(f RandomForm) ([]byte, error) {
	if f.kind == "alnum" {
		return randomLetters(f.size)
	}
	raw := make([]byte, f.size)
	defer clear(raw)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	if f.kind == "hex" {
		return hex.AppendEncode(nil, raw), nil
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

func randomLetters(n int) ([]byte, error) {
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
