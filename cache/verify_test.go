package cache_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/bitrot"
)

// tagImage stores a small image under a tag and returns the digests of its parts, the manifest's first.
func tagImage(t testing.TB, c *cache.Cache, n cache.Name, tag string) []digest.Digest {
	t.Helper()
	img := randomImage(t)
	root := putImage(t, c, img, false)
	if err := c.SetTag(cache.Tag{Name: n, Tag: tag, Digest: root}); err != nil {
		t.Fatal(err)
	}
	all := []digest.Digest{root}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, digest.Digest(m.Config.Digest.String()))
	for _, l := range m.Layers {
		all = append(all, digest.Digest(l.Digest.String()))
	}
	return all
}

func verify(t testing.TB, c *cache.Cache, v cache.Verification) cache.Verifying {
	t.Helper()
	out, err := c.Verify(t.Context(), v, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestVerify: everything is read back; what is not what its name says goes, and is named with the images that have it.
func TestVerify(t *testing.T) {
	c := open(t, cache.Options{})
	parts := tagImage(t, c, debian, "12")
	if err := c.SetTag(cache.Tag{Name: debian, Tag: "bookworm", Digest: parts[0]}); err != nil {
		t.Fatal(err)
	}
	other := put(t, c, bytesOf(1, 3<<20))
	if out := verify(t, c, cache.Verification{}); out.Blobs != len(parts)+1 || out.Blobs != out.OfBlobs || out.Bytes != out.OfBytes || out.Bytes != c.Stat().Size || len(out.Broken) != 0 {
		t.Errorf("an untouched cache: %+v, its size is %d", out, c.Stat().Size)
	}
	flipped, cut, gone := parts[len(parts)-1], other, parts[1]
	bitrot.Flip(t, blobPath(c, flipped), 3, true)
	if err := os.Truncate(blobPath(c, cut), 5); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(blobPath(c, gone)); err != nil {
		t.Fatal(err)
	}
	out := verify(t, c, cache.Verification{})
	want := map[digest.Digest]cache.Reason{flipped: cache.Damaged, cut: cache.Damaged, gone: cache.Absent}
	for _, b := range out.Broken {
		var miss *cache.MissError
		if !errors.As(b.Why, &miss) || miss.Reason != want[b.Digest] {
			t.Errorf("%s: %v, want %q", b.Digest, b.Why, want[b.Digest])
		}
		delete(want, b.Digest)
		slices.Sort(b.Images)
		if used := []string{"docker.io/library/debian:12", "docker.io/library/debian:bookworm"}; b.Digest != cut && (b.Name != debian || !slices.Equal(b.Images, used)) {
			t.Errorf("%s is of %s, %q; want %q", b.Digest, b.Name, b.Images, used)
		}
		if b.Digest == cut && (b.Name != cache.Name{} || b.Images != nil) {
			t.Errorf("a blob of no image is of %s, %q", b.Name, b.Images)
		}
		if _, err := c.Get(b.Digest); !errors.As(err, &miss) {
			t.Errorf("%s is still served: %v", b.Digest, err)
		}
	}
	if len(want) != 0 {
		t.Errorf("not found to be broken: %v", want)
	}
	if out := verify(t, c, cache.Verification{}); len(out.Broken) != 0 || out.Blobs != len(parts)-2 {
		t.Errorf("once more: %+v, want %d blobs and none broken", out, len(parts)-2)
	}
}

// TestVerifyOlder: what was read back since is left alone, also over a restart.
func TestVerifyOlder(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	options := cache.Options{Dir: dir, Now: func() time.Time { return now }}
	c, err := cache.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	first := put(t, c, bytesOf(1, 1000))
	if out := verify(t, c, cache.Verification{}); out.Blobs != 1 {
		t.Fatalf("%+v", out)
	}
	now = now.AddDate(0, 0, 30)
	second := put(t, c, bytesOf(2, 2000))
	get(t, c, second) // hashed
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, options)
	for _, d := range []digest.Digest{first, second} {
		bitrot.Flip(t, blobPath(c, d), 3, true)
	}
	out := verify(t, c, cache.Verification{Older: now.AddDate(0, 0, -28)})
	if out.OfBlobs != 1 || len(out.Broken) != 1 || out.Broken[0].Digest != first {
		t.Errorf("%+v, want the old one alone", out)
	}
}

// TestVerifyKeepsTheOrderOfUse: reading back is no use.
func TestVerifyKeepsTheOrderOfUse(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	c := open(t, cache.Options{Now: func() time.Time { return now }})
	parts := tagImage(t, c, debian, "12")
	before, err := c.Image(debian, "12")
	if err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(0, 0, 1)
	verify(t, c, cache.Verification{})
	if after, err := c.Image(debian, string(parts[0])); err != nil || !after.Used.Equal(before.Used) {
		t.Errorf("last used %v (%v), before it was read back %v", after.Used, err, before.Used)
	}
}

// TestVerifyPaced: a rate is kept to, and who calls it off need not wait.
func TestVerifyPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Options{})
		for i := range uint64(4) {
			put(t, c, bytesOf(i, 1<<20))
		}
		begun := time.Now()
		var seen []cache.Verifying
		out, err := c.Verify(t.Context(), cache.Verification{Rate: 1 << 20}, func(v cache.Verifying) { seen = append(seen, v) })
		if took := time.Since(begun); err != nil || out.Blobs != 4 || took < 3900*time.Millisecond || took > 4100*time.Millisecond {
			t.Errorf("4 MiB at 1 MiB/s: %+v in %v, %v", out, took, err)
		}
		if len(seen) < 4 || seen[len(seen)-1].Bytes != 4<<20 || seen[0].OfBytes != 4<<20 {
			t.Errorf("progress: %+v", seen)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errEnough)
		defer cancel()
		begun = time.Now()
		if out, err = c.Verify(ctx, cache.Verification{Rate: 1 << 10}, nil); !errors.Is(err, errEnough) || out.Blobs != 0 || time.Since(begun) > 2*time.Second {
			t.Errorf("called off: %+v, %v after %v", out, err, time.Since(begun))
		}
	})
}

var errEnough = errors.New("enough")

// TestVerifyBesidePulls: blobs come, go and are evicted meanwhile, and none of that is taken for damage.
func TestVerifyBesidePulls(t *testing.T) {
	c := open(t, cache.Options{MaxSize: 4 << 20})
	stop := make(chan struct{})
	busy := make(chan struct{})
	go func() {
		defer close(busy)
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			body := bytesOf(i%40, 300_000+int(i%7))
			if d := digest.FromBytes(body); c.Put(d, body) != nil {
				t.Error("put failed")
			} else if i%5 == 0 {
				_ = c.Delete(d)
			}
		}
	}()
	for range 20 {
		if out := verify(t, c, cache.Verification{}); len(out.Broken) != 0 {
			t.Errorf("taken for damage: %+v", out.Broken)
		}
	}
	close(stop)
	<-busy
}
