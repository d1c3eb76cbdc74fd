package fetch_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"pulley/proxy/fetch"
)

// A mirror whose bytes are shown at once sends less than the blob, and nobody has told how long it is: the digest
// breaks, and the origin has more.
func TestShortBlobIsBlamed(t *testing.T) {
	for i := range 16 {
		told, origin, plain, again := i&1 > 0, i&2 > 0, i&4 > 0, i&8 > 0
		t.Run(fmt.Sprintf("the mirror tells %v, the origin %v, without ranges %v, resumed %v", told, origin, plain, again), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const size, short = 3 * mib, 2*mib - 5
				all, src := fours(blob(size), 10*mib)
				all[1].truth, all[1].hidden = all[0].truth[:short], !told
				all[0].hidden, all[0].plain = !origin, plain
				s, m := these(src[1], src[0]), newMemory(blob(size))
				if again { // an earlier Run was told the size, and was ended
					m.size = short
				}
				err := fetch.Run(t.Context(), s, m, fetch.Options{})
				if !errors.Is(err, fetch.ErrDigest) {
					t.Fatalf("got %v", err)
				}
				if span := s.liars["a"]; len(s.liars) != 1 || span[1] != short || s.proved["a"] > 0 {
					t.Errorf("named are %v", s.liars)
				}
			})
		})
	}
}

// A blob whose digest is simply another one is as long at the origin, and nobody is named.
func TestWrongDigestBlamesNobody(t *testing.T) {
	for _, plain := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const size = 2*mib - 5
			wrong := blob(3 * mib)[:size]
			all, src := fours(wrong, 10*mib)
			all[0].plain, all[0].hidden, all[1].hidden = plain, true, true
			s, m := these(src[1], src[0]), newMemory(blob(3*mib))
			if err := fetch.Run(t.Context(), s, m, fetch.Options{}); !errors.Is(err, fetch.ErrDigest) {
				t.Fatalf("got %v", err)
			}
			if len(s.liars) > 0 {
				t.Errorf("named are %v", s.liars)
			}
		})
	}
}
