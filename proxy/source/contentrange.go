package source

import (
	"errors"
	"strconv"
	"strings"
)

// ContentRange is a Content-Range header of bytes (RFC 9110, 14.4).
type ContentRange struct {
	Start, End int64 // half open; both -1 in an unsatisfied range ("bytes */N")
	Total      int64 // -1 if not said ("*")
}

// ErrContentRange is what ParseContentRange fails with.
var ErrContentRange = errors.New("malformed Content-Range")

// ParseContentRange reads "bytes 0-9/100", "bytes 0-9/*" and "bytes */100".
func ParseContentRange(v string) (ContentRange, error) {
	unit, rest, ok := strings.Cut(strings.TrimSpace(v), " ")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return ContentRange{}, ErrContentRange
	}
	span, size, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok {
		return ContentRange{}, ErrContentRange
	}
	r := ContentRange{Start: -1, End: -1, Total: -1}
	if size = strings.TrimSpace(size); size != "*" {
		if r.Total, ok = number(size); !ok {
			return ContentRange{}, ErrContentRange
		}
	}
	if span = strings.TrimSpace(span); span == "*" {
		if r.Total < 0 {
			return ContentRange{}, ErrContentRange
		}
		return r, nil
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return ContentRange{}, ErrContentRange
	}
	a, ok1 := number(strings.TrimSpace(first))
	b, ok2 := number(strings.TrimSpace(last))
	if !ok1 || !ok2 || b < a || b == maxInt64 || r.Total >= 0 && b >= r.Total {
		return ContentRange{}, ErrContentRange
	}
	r.Start, r.End = a, b+1
	return r, nil
}

const maxInt64 = 1<<63 - 1

// number reads digits alone: no sign, no space.
func number(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
