package registry

import (
	"errors"
	"testing"
)

func TestRanges(t *testing.T) {
	whole := []span(nil)
	for _, c := range []struct {
		header string
		size   int64
		want   []span
		err    error
	}{
		{"", 10, whole, nil},
		{"items=0-1", 10, whole, nil},
		{"bytes=0-", 10, []span{{0, 10}}, nil},
		{"bytes=3-", 10, []span{{3, 7}}, nil},
		{"bytes=3-5", 10, []span{{3, 3}}, nil},
		{"bytes=3-99", 10, []span{{3, 7}}, nil},
		{"bytes=-4", 10, []span{{6, 4}}, nil},
		{"bytes=-40", 10, []span{{0, 10}}, nil},
		{"bytes=0-0, 9-9", 10, []span{{0, 1}, {9, 1}}, nil},
		{"bytes=0-1,50-60", 10, []span{{0, 2}}, nil},
		{"bytes=,0-1,", 10, []span{{0, 2}}, nil},
		{"bytes=0-8,0-8", 10, whole, nil},
		{"bytes=0-", 0, whole, nil},
		{"bytes=10-", 10, nil, errRangeBeyond},
		{"bytes=-0", 10, nil, errRangeBeyond},
		{"bytes=99999999999999999999-", 10, nil, errRangeBeyond},
		{"bytes=", 10, nil, errRangeSyntax},
		{"bytes=5-3", 10, nil, errRangeSyntax},
		{"bytes=a-b", 10, nil, errRangeSyntax},
		{"bytes=-", 10, nil, errRangeSyntax},
		{"bytes=+1-2", 10, nil, errRangeSyntax},
		{"bytes=1", 10, nil, errRangeSyntax},
	} {
		specs, err := parseRange(c.header)
		var got []span
		if err == nil {
			got, err = resolve(specs, c.size)
		}
		if !errors.Is(err, c.err) || len(got) != len(c.want) {
			t.Errorf("%q of %d: got %v, %v", c.header, c.size, got, err)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q of %d: got %v", c.header, c.size, got)
			}
		}
	}
}

// FuzzRange: no header makes a span outside the body, or more bytes than it has.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=-5", "bytes=1-2,3-4", "bytes=9223372036854775807-", "bytes=-9223372036854775807"} {
		f.Add(s, int64(100))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		specs, err := parseRange(header)
		if err != nil {
			return
		}
		spans, err := resolve(specs, size)
		if err != nil {
			return
		}
		var sum int64
		for _, s := range spans {
			if s.off < 0 || s.n <= 0 || s.off+s.n > size {
				t.Fatalf("%q of %d: %v", header, size, s)
			}
			sum += s.n
		}
		if sum > size {
			t.Fatalf("%q of %d: %d bytes", header, size, sum)
		}
	})
}
