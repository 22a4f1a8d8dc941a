package deploy

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestTimingSet: every field has its name, and nothing else is taken.
func TestTimingSet(t *testing.T) {
	fields := reflect.TypeFor[Timing]()
	var words []string
	for i := range fields.NumField() {
		words = append(words, strings.ToLower(fields.Field(i).Name)+"=7s")
	}
	timing := DefaultTiming()
	if err := timing.Set(strings.Join(words, ", ")); err != nil {
		t.Fatal(err)
	}
	for i := range fields.NumField() {
		if got := reflect.ValueOf(timing).Field(i).Interface(); got != 7*time.Second {
			t.Errorf("%s is %v", fields.Field(i).Name, got)
		}
	}
	for _, text := range []string{"", "copy", "copy=", "copy=1", "copy=-1s", "copy=25h", "Copy=1s", "night=1s", "copy=1s,,pull=1s"} {
		if err := new(Timing).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
