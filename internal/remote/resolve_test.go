package remote

import "testing"

// FuzzSettings: whatever ssh prints, what is taken from it can be used.
func FuzzSettings(f *testing.F) {
	f.Add("user root\nhostname 10.0.0.1\nport 22\nproxyjump none\n")
	f.Add("user a\nhostname fe80::1%eth0\nport 65536\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSettings(text)
		if err == nil && (s.User == "" || s.Address == "" || s.Port < 1 || s.Port > 65535 || s.Jump == "none") {
			t.Errorf("%q gives %+v", text, s)
		}
	})
}
