package daemon

import (
	"encoding/json"
	"strconv"
	"time"

	"pulley/internal/control"
)

// appendLine adds an event as a line of JSON, just as encoding/json writes it. That
// takes several times as long, which in a storm of requests that are answered from the
// cache is a twentieth of all there is to do; it is asked only for what such an event
// has not.
func appendLine(b []byte, e *control.Event) []byte {
	if plain, ok := appendPlain(b, e); ok {
		return append(plain, '\n')
	}
	text, err := json.Marshal(e)
	if err != nil { // a time that nobody lives in
		return b
	}
	return append(append(b, text...), '\n')
}

// appendPlain is appendLine for an event without lists and of printable ASCII alone,
// without what JSON or HTML take for something else; else ok is false.
func appendPlain(b []byte, e *control.Event) (line []byte, ok bool) {
	if y := e.Time.Year(); y < 1 || y > 9999 || e.PullsLeft != nil || len(e.Parts) > 0 || len(e.Failed) > 0 {
		return nil, false
	}
	ok = true
	text := func(key, s string) {
		b = append(append(b, key...), '"')
		for i := range len(s) {
			if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
				ok = false
			}
		}
		b = append(append(b, s...), '"')
	}
	some := func(key, s string) {
		if s != "" {
			text(key, s)
		}
	}
	number := func(key string, n int64) { b = strconv.AppendInt(append(b, key...), n, 10) }

	b = e.Time.AppendFormat(append(b, `{"time":"`...), time.RFC3339Nano)
	text(`","door":`, e.Door)
	some(`,"client":`, e.Client)
	some(`,"agent":`, e.Agent)
	some(`,"method":`, e.Method)
	some(`,"registry":`, e.Registry)
	some(`,"repository":`, e.Repository)
	text(`,"what":`, e.What)
	some(`,"reference":`, e.Reference)
	some(`,"digest":`, e.Digest)
	if e.Status != 0 {
		number(`,"status":`, int64(e.Status))
	}
	number(`,"bytes":`, e.Bytes)
	number(`,"from_cache":`, e.FromCache)
	number(`,"from_net":`, e.FromNet)
	some(`,"source":`, e.Source)
	some(`,"way":`, e.Way)
	number(`,"duration":`, int64(e.Duration))
	number(`,"first_byte":`, int64(e.FirstByte))
	some(`,"note":`, e.Note)
	some(`,"err":`, e.Err)
	some(`,"cause":`, e.Cause)
	return append(b, '}'), ok
}
