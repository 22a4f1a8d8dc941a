package secrets

import (
	"testing"
	"testing/fstest"
)

// TestSamePayload: a rekey keeps the payload and a new value does not, to whoever
// has no key.
func TestSamePayload(t *testing.T) {
	host, operator := newPerson(t, "host"), newPerson(t, "operator")
	label := Label{Host: "pi", Name: "KEY", Version: "v1"}
	write := func(value string, readers ...Reader) []byte {
		t.Helper()
		data, err := encrypt([]byte(value), label, readers)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	old := write("value", host.reader)
	rekeyed, err := rewrap(old, []Reader{host.reader, operator.reader}, host.identity)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		file   []byte
		same   bool
		failed bool
	}{
		{"the same", old, true, false},
		{"rekeyed", rekeyed, true, false},
		{"the same value, encrypted anew", write("value", host.reader), false, false},
		{"another value", write("other", host.reader), false, false},
		{"no age file", []byte("x"), false, true},
		{"cut off", old[:len(old)/2], false, true},
		{"missing", nil, false, true},
	} {
		one := fstest.MapFS{"hosts/pi/secrets/KEY.age": {Data: old}}
		other := fstest.MapFS{}
		if c.file != nil {
			other["hosts/pi/secrets/KEY.age"] = &fstest.MapFile{Data: c.file}
		}
		for _, pair := range [][2]fstest.MapFS{{one, other}, {other, one}} {
			if same, err := SamePayload(pair[0], pair[1], File("pi", "KEY")); same != c.same || (err != nil) != c.failed {
				t.Errorf("%s: %t, %v", c.name, same, err)
			}
		}
	}
}
