package daemon

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pulley/internal/control"
)

// TestLineIsJSON: whatever an event has, and whatever fields events come to have.
func TestLineIsJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 20000 {
		var e control.Event
		v := reflect.ValueOf(&e).Elem()
		odd := r.IntN(4) == 0
		for i := range v.NumField() {
			if r.IntN(3) > 0 {
				random(t, r, v.Field(i), odd)
			}
		}
		var want bytes.Buffer
		if err := json.NewEncoder(&want).Encode(&e); err != nil {
			want.Reset() // a time without a form
		}
		if got := appendLine([]byte("before"), &e); string(got) != "before"+want.String() {
			t.Fatalf("%s instead of %s", got, want.Bytes())
		}
		if _, ok := appendPlain(nil, &e); ok {
			plain++
		}
	}
	if plain < 100 {
		t.Errorf("%d events were plain", plain)
	}
}

// random sets a field of an event; odd: also to what is rare.
func random(t *testing.T, r *rand.Rand, v reflect.Value, odd bool) {
	t.Helper()
	switch f := v.Addr().Interface().(type) {
	case *string:
		*f = []string{"a", "docker/27.1 (linux; ~)", "sha256:00ff", "library/debian"}[r.IntN(4)]
		if odd {
			*f = []string{"a<b", "é", "\x00\x7f", `"\`, "a&b", "\xff", "\u2028", "tab\t"}[r.IntN(8)]
		}
	case *int:
		*f = r.IntN(600)
	case *int64:
		*f = r.Int64() - r.Int64()
	case *time.Duration:
		*f = time.Duration(r.Int64())
	case *time.Time:
		*f = time.Unix(r.Int64N(4e9), r.Int64N(2)*r.Int64N(1e9))
		if r.IntN(2) == 0 {
			*f = f.UTC()
		}
		if odd {
			*f = []time.Time{{}, time.Unix(1e15, 0), time.Unix(0, 0).In(time.FixedZone("", 3601))}[r.IntN(3)]
		}
	case **int:
		if odd {
			*f = new(int)
		}
	case *[]control.Part:
		if odd {
			*f = make([]control.Part, r.IntN(3))
		}
	case *[]control.Failed:
		if odd {
			*f = make([]control.Failed, r.IntN(3))
		}
	default:
		t.Fatalf("%s is new: appendPlain is to know it, or to leave events that have it to encoding/json", v.Type())
	}
}
