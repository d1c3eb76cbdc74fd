package cache_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// TestPinsOutliveAFolderThatGoes has the directory go and come back at random, while tags of a pinned name are set and the
// cache is flushed, listed and emptied: when it is back, and was looked at, the pin is in its file and in the list. N rounds
// (default 25), SEED to repeat.
func TestPinsOutliveAFolderThatGoes(t *testing.T) {
	seed, rounds := drawn(t, 25)
	for i := range uint64(rounds) {
		f := &flighty{t: t, c: open(t, cache.Options{}), r: rand.New(rand.NewPCG(seed+i, 6))}
		if !f.round() {
			t.Fatalf("SEED=%d N=1\n%s", seed+i, strings.Join(f.said, ", "))
		}
	}
}

// flighty is a cache whose directory goes and comes back.
type flighty struct {
	t      *testing.T
	c      *cache.Cache
	r      *rand.Rand
	images []digest.Digest
	bodies [][]byte
	away   bool
	said   []string
}

func (f *flighty) round() bool {
	for i, tag := range []string{"pinned", "loose"} {
		d := small(f.t, f.c, debian, tag, bytesOf(uint64(8000+i), 3000))
		body, _, err := f.c.Manifest(d)
		if err != nil {
			f.t.Fatal(err)
		}
		f.images, f.bodies = append(f.images, d), append(f.bodies, append([]byte(nil), body...))
	}
	if err := f.c.Pin(debian, "pinned", true); err != nil {
		f.t.Fatal(err)
	}
	for range 30 {
		f.step()
	}
	f.move(false)
	_ = f.c.Flush()
	return f.isPinned()
}

func (f *flighty) tell(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

// step does one thing. Most of what fails while the directory is away may.
func (f *flighty) step() {
	switch f.r.IntN(8) {
	case 0, 1:
		f.move(!f.away)
	case 2:
		f.tell("flush")
		_ = f.c.Flush()
	case 3, 4:
		f.set("pinned")
	case 5:
		f.set("loose")
	case 6:
		f.tell("gc")
		_, _ = f.c.GC(0)
	case 7:
		f.tell("list")
		_, _ = f.c.Images()
		_, _ = f.c.Tag(debian, "pinned")
	}
}

// move takes the directory away, or back to where it was in the place of what may be there by now.
func (f *flighty) move(away bool) {
	if away == f.away {
		return
	}
	f.away = away
	f.tell("away %v", away)
	from, to := f.c.Dir()+".aside", f.c.Dir()
	if away {
		from, to = to, from
	} else if err := os.RemoveAll(to); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		f.t.Fatal(err)
	}
}

func (f *flighty) set(tag string) {
	i := f.r.IntN(len(f.images))
	f.tell("%s is %d", tag, i)
	_ = f.c.Put(f.images[i], f.bodies[i])
	_ = f.c.SetTag(cache.Tag{Name: debian, Tag: tag, Digest: f.images[i], MediaType: "m", Size: 7})
}

func (f *flighty) isPinned() bool {
	tag, err := f.c.Tag(debian, "pinned")
	if err != nil || !tag.Pinned {
		f.t.Errorf("its file: pinned %v, %v", tag.Pinned, err)
	}
	list, err := f.c.Images() // not Image, which looks at the folder
	pinned := slices.ContainsFunc(list, func(i cache.Image) bool { return i.Pinned && slices.Contains(i.Tags, "pinned") })
	if err != nil || !pinned {
		f.t.Errorf("the list: pinned %v, %v", pinned, err)
	}
	return !f.t.Failed()
}
