package cache_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
)

// library is what a cache must say of its images, and which of them go first.
type library struct {
	t   *testing.T
	rng *rand.Rand
	clk *clock
	c   *cache.Cache

	body     map[digest.Digest][]byte
	children map[digest.Digest][]digest.Digest // of manifests
	indexes  map[digest.Digest]bool
	singles  []digest.Digest
	all      []digest.Digest // manifests and indexes

	refs   map[libRef]*libTarget
	used   map[libImage]time.Time
	peak   map[libImage]time.Time      // the latest that each was ever used at, parts that are gone included
	stored map[digest.Digest]time.Time // last use
	source map[digest.Digest]string
	held   map[digest.Digest]func()
	said   []string // what was done, for when it goes wrong
}

type libRef struct {
	cache.Name
	id string // a tag, or a digest
}

type libImage struct {
	cache.Name
	root digest.Digest
}

type libTarget struct {
	root   digest.Digest
	pinned bool
}

var libNames = []cache.Name{{Registry: "docker.io", Repository: "library/a"}, {Registry: "docker.io", Repository: "library/a/b"}, {Registry: "ghcr.io", Repository: "x/y"}, {Registry: cache.Local, Repository: "mine"}}

// TestLibrary pulls, tags, pins, uses and removes images that share layers, loses
// and damages files, restarts with and without the database, and evicts. At every
// step the list of images, their sizes and what is stored are as a model says that
// knows nothing of reference counts; and what is evicted is what that model says
// was not used for longest. N steps (default 400), SEED to repeat.
func TestLibrary(t *testing.T) {
	seed, steps := drawn(t, 400)
	l := newLibrary(t, rand.New(rand.NewPCG(seed, 5)))
	l.c = open(t, cache.Options{Now: l.clk.now})
	defer func() {
		if t.Failed() {
			t.Log(strings.Join(l.said[max(0, len(l.said)-20):], "\n"))
		}
	}()
	for range steps {
		l.step()
		if t.Failed() {
			break
		}
		l.want()
	}
	for _, release := range l.held {
		release()
	}
}

func newLibrary(t *testing.T, rng *rand.Rand) *library {
	l := &library{
		t: t, rng: rng, clk: newClock(),
		body: map[digest.Digest][]byte{}, children: map[digest.Digest][]digest.Digest{}, indexes: map[digest.Digest]bool{},
		refs: map[libRef]*libTarget{}, used: map[libImage]time.Time{}, peak: map[libImage]time.Time{}, stored: map[digest.Digest]time.Time{},
		source: map[digest.Digest]string{}, held: map[digest.Digest]func(){},
	}
	var layers []digest.Digest
	for i := range 14 {
		layers = append(layers, l.add(bytesOf(uint64(900+i), 100+rng.IntN(5000))))
	}
	for i := range 9 {
		m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest}
		m.SchemaVersion = 2
		config := l.add([]byte(fmt.Sprintf(`{"os":"linux","architecture":"cpu%d"}`, i)))
		m.Config = ocispec.Descriptor{Digest: config}
		all := []digest.Digest{config}
		for _, at := range rng.Perm(len(layers))[:1+rng.IntN(4)] {
			m.Layers = append(m.Layers, ocispec.Descriptor{Digest: layers[at]}, ocispec.Descriptor{Digest: layers[at]})
			all = append(all, layers[at])
		}
		d := l.addJSON(m)
		l.children[d] = all
		l.singles = append(l.singles, d)
	}
	for i := range 4 {
		idx := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
		idx.SchemaVersion = 2
		two := rng.Perm(len(l.singles))[:2]
		var all []digest.Digest
		for _, at := range two {
			all = append(all, l.singles[at])
			idx.Manifests = append(idx.Manifests, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: l.singles[at], Platform: &ocispec.Platform{OS: "linux", Architecture: "cpu" + strconv.Itoa(at)}})
		}
		idx.Annotations = map[string]string{"n": strconv.Itoa(i)}
		d := l.addJSON(idx)
		l.children[d] = all
		l.indexes[d] = true
		l.all = append(l.all, d)
	}
	l.all = append(l.all, l.singles...)
	return l
}

func (l *library) add(b []byte) digest.Digest {
	d := digest.FromBytes(b)
	l.body[d] = b
	return d
}

func (l *library) addJSON(v any) digest.Digest {
	b, err := json.Marshal(v)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.add(b)
}

func (l *library) say(what ...any) {
	l.said = append(l.said, strings.TrimSpace(fmt.Sprintln(append(what, l.clk.now().Format(time.TimeOnly))...)))
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// step does one random thing to the cache and to the model.
func (l *library) step() {
	l.clk.step(time.Duration(2+l.rng.IntN(100)) * time.Second)
	refs := slices.SortedFunc(maps.Keys(l.refs), func(a, b libRef) int { return strings.Compare(a.String()+a.id, b.String()+b.id) })
	switch n := l.rng.IntN(100); {
	case n < 30:
		l.pull()
	case n < 38 && len(refs) > 0:
		l.pin(pick(l.rng, refs), l.rng.IntN(3) > 0)
	case n < 46 && len(refs) > 0:
		l.remove(pick(l.rng, refs))
	case n < 56 && len(refs) > 0:
		r := pick(l.rng, refs)
		if i := (libImage{r.Name, l.refs[r].root}); !l.hidden(i) {
			l.say("served", r.Name, i.root)
			l.c.Served(r.Name, i.root, 10)
			l.used[i] = l.clk.now()
		}
	case n < 66:
		l.get(pick(l.rng, slices.Sorted(maps.Keys(l.body))))
	case n < 72:
		l.lose(l.layer())
	case n < 80:
		l.shrink()
	case n < 84:
		l.holdOrLetGo()
	case n < 88 && len(refs) > 0:
		l.dropByHand(pick(l.rng, refs))
	case n < 92:
		l.put(l.layer())
	case n < 96:
		l.restart()
	default:
		if err := l.c.Flush(); err != nil {
			l.t.Fatal(err)
		}
	}
}

func isTag(id string) bool { return !strings.Contains(id, ":") }

func (l *library) layer() digest.Digest {
	for {
		d := pick(l.rng, slices.Sorted(maps.Keys(l.body)))
		if len(l.children[d]) == 0 {
			return d
		}
	}
}
