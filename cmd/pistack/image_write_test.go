package main

import "testing"

// TestWhenWritten: an image without a key is nothing to remove.
func TestWhenWritten(t *testing.T) {
	for want, i := range map[string]inspected{
		"the card can be pulled out": {File: "base.img"},
		"the card can be pulled out; it holds a private key, and so does pi.img: remove that": {File: "pi.img", Sealed: true, Key: "SHA256:x"},
	} {
		if got := i.whenWritten(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
