package secrets_test

import (
	"strings"
	"testing"

	"pistack/secrets"
)

func TestCheckLogin(t *testing.T) {
	for value, ok := range map[string]bool{
		"user:token":         true,
		"user:a:b":           true,
		"a b:c d":            true,
		"benutzer:schlüssel": true,
		"canary":             false,
		":canary":            false,
		"canary:":            false,
		":":                  false,
		"":                   false,
		"user:canary\n":      false,
		"user:can\x00ary":    false,
		"us\ter:canary":      false,
		"user:canary\x7f":    false,
	} {
		err := secrets.CheckLogin([]byte(value))
		if (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the value is in the error: %v", err)
		}
	}
}
