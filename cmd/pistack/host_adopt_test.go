package main

import "testing"

func TestBoardOf(t *testing.T) {
	for _, c := range []struct{ machine, model, want string }{
		{"aarch64", "Raspberry Pi 4 Model B Rev 1.4", "rpi4"},
		{"aarch64", "Raspberry Pi 400 Rev 1.0", "rpi4"},
		{"aarch64", "Raspberry Pi Compute Module 4 Rev 1.1", "rpi4"},
		{"aarch64", "Raspberry Pi 3 Model B Plus Rev 1.3", "rpi3"},
		{"aarch64", "Raspberry Pi Zero 2 W Rev 1.0", "rpi-zero2"},
		{"aarch64", "Raspberry Pi 5 Model B Rev 1.0", "rpi5"},
		{"aarch64", "Raspberry Pi Compute Module 5 Rev 1.0", "rpi5"},
		{"aarch64", "Raspberry Pi Zero W Rev 1.1", ""},
		{"aarch64", "linux,dummy-virt", ""},
		{"aarch64", "", ""},
		{"x86_64", "", "generic-x86_64"},
	} {
		if got := boardOf(c.machine, c.model); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.machine, c.model, got, c.want)
		}
	}
}

// TestPrintable: a machine cannot write escapes to a terminal, nor fill it.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"Raspberry Pi 4\x00":    "Raspberry Pi 4",
		"\x1b[2Jgone\a":         "[2Jgone",
		"\u202eabc":             "abc",
		"12345678901234567890X": "12345678901234567890",
	} {
		if got := printable(text, 20); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
