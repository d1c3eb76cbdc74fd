package registry

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// span is a run of bytes of a body: n bytes from off.
type span struct{ off, n int64 }

func (s span) contentRange(size int64) string {
	return "bytes " + strconv.FormatInt(s.off, 10) + "-" + strconv.FormatInt(s.off+s.n-1, 10) +
		"/" + strconv.FormatInt(size, 10)
}

// rangeSpec is one element of a Range header before the size is known.
// first < 0: the last `last` bytes; last < 0: from first to the end.
type rangeSpec struct{ first, last int64 }

var (
	errRangeSyntax = errors.New("range is not valid")
	errRangeBeyond = errors.New("range lies beyond the end")
)

// maxRanges bounds the parts one answer is cut into: no client asks for more
// than a handful, and each part costs a header.
const maxRanges = 64

// parseRange reads a Range header by RFC 9110 section 14.1.2. A unit other
// than bytes, and no header at all, give nil: the whole body is meant.
func parseRange(header string) ([]rangeSpec, error) {
	set, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return nil, nil
	}
	var specs []rangeSpec
	for part := range strings.SplitSeq(set, ",") {
		part = strings.Trim(part, " \t")
		if part == "" {
			continue // the list rule allows empty elements
		}
		spec, err := parseSpec(part)
		if err != nil {
			return nil, err
		}
		if len(specs) == maxRanges {
			return nil, errRangeSyntax
		}
		specs = append(specs, spec)
	}
	if len(specs) == 0 {
		return nil, errRangeSyntax
	}
	return specs, nil
}

func parseSpec(s string) (rangeSpec, error) {
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		return rangeSpec{}, errRangeSyntax
	}
	if from == "" {
		n, err := parsePosition(to)
		return rangeSpec{-1, n}, err
	}
	first, err := parsePosition(from)
	if err != nil {
		return rangeSpec{}, err
	}
	if to == "" {
		return rangeSpec{first, -1}, nil
	}
	last, err := parsePosition(to)
	if err != nil {
		return rangeSpec{}, err
	}
	if last < first {
		return rangeSpec{}, errRangeSyntax
	}
	return rangeSpec{first, last}, nil
}

// parsePosition reads 1*DIGIT. A number too large for a body's position is
// beyond every end, which MaxInt64-1 is too.
func parsePosition(s string) (int64, error) {
	if s == "" {
		return 0, errRangeSyntax
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, errRangeSyntax
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n = math.MaxInt64 // digits alone: it is too large
	}
	return min(n, math.MaxInt64-1), nil
}

// resolve fits specs to a body of size bytes. Elements beyond the end are
// dropped; when nothing is left the error is errRangeBeyond. No spans and no
// error means the whole body: nothing was asked for, the body is empty, or the
// parts together are longer than the whole (RFC 9110 section 14.2 lets a
// server ignore such a request).
func resolve(specs []rangeSpec, size int64) ([]span, error) {
	if len(specs) == 0 || size == 0 {
		return nil, nil
	}
	spans := make([]span, 0, len(specs))
	var sum int64
	for _, spec := range specs {
		s, ok := spec.fit(size)
		if !ok {
			continue
		}
		spans = append(spans, s)
		sum += s.n
		if sum > size {
			return nil, nil
		}
	}
	if len(spans) == 0 {
		return nil, errRangeBeyond
	}
	return spans, nil
}

func (r rangeSpec) fit(size int64) (span, bool) {
	switch {
	case r.first < 0:
		n := min(r.last, size)
		return span{size - n, n}, n > 0
	case r.first >= size:
		return span{}, false
	case r.last < 0 || r.last >= size:
		return span{r.first, size - r.first}, true
	default:
		return span{r.first, r.last - r.first + 1}, true
	}
}
