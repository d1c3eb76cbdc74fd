package token

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxMessage caps the text of a server that ends up in messages to a person.
const maxMessage = 512

// ParseErrors returns the first code and message of an error body as the
// distribution specification has it ({"errors":[{"code","message"}]}), or of the
// plain {"details"|"message"|"error": text} that some token services answer with.
// Both are "" if there is neither; text is one line, printable and capped.
func ParseErrors(body []byte) (code, message string) {
	var e struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
		Details     any `json:"details"`
		Message     any `json:"message"`
		Error       any `json:"error"`
		Description any `json:"error_description"`
	}
	if len(body) == 0 || json.Unmarshal(body, &e) != nil {
		return "", ""
	}
	if len(e.Errors) > 0 {
		return clean(e.Errors[0].Code), clean(e.Errors[0].Message)
	}
	for _, v := range []any{e.Description, e.Details, e.Message, e.Error} {
		if s, ok := v.(string); ok && s != "" {
			return "", clean(s)
		}
	}
	return "", ""
}

func clean(s string) string { return Legible(cut(s, maxMessage)) }

// maxLegible is more than anything that a person is to read is long.
const maxLegible = 1500

// Legible is a text from elsewhere as it may be shown and logged: one line, not
// without end, and nothing in it on which a terminal acts or by which it seems to
// say something else (control characters of all kinds, marks that turn the direction
// of writing).
func Legible(s string) string {
	if plain(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, cut(s, maxLegible))
}

// plain says that s is short and of printable ASCII, as nearly all are.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= maxLegible
}

// cut is the beginning of a text that may be long.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// maxRetryAfter caps what a server may make us wait: Docker Hub's window is six
// hours, and nobody means more than a day.
const maxRetryAfter = 24 * time.Hour

// RetryAfter reads Retry-After as seconds or as a date (RFC 9110, 10.2.3); false
// if it is absent or neither. A date in the past is zero.
func RetryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if strings.Trim(v, "0123456789") == "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter, true
		}
		return time.Duration(n) * time.Second, true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	// The sender's own clock, where it tells it, is the one the date means.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter), true
}
