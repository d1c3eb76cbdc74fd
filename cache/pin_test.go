package cache_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// small stores an image of layers and tags it.
func small(t testing.TB, c *cache.Cache, n cache.Name, tag string, layers ...[]byte) digest.Digest {
	t.Helper()
	list := ""
	for i, l := range layers {
		if i > 0 {
			list += ","
		}
		list += fmt.Sprintf(`{"digest":%q}`, put(t, c, l))
	}
	d := put(t, c, fmt.Appendf(nil, `{"schemaVersion":2,"layers":[%s],"annotations":{"tag":%q}}`, list, tag))
	setTag(t, c, n, tag, d)
	return d
}

func gc(t testing.TB, c *cache.Cache, keep int64) int64 {
	t.Helper()
	freed, err := c.GC(keep)
	if err != nil {
		t.Fatal(err)
	}
	return freed
}

func known(t testing.TB, c *cache.Cache, n cache.Name, tag string) bool {
	t.Helper()
	_, err := c.Tag(n, tag)
	return err == nil
}

// A shared layer goes with its last user, an image as a whole, and its tag with it.
func TestSharedLayerGoesWithItsLastUser(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	base, one, two := bytesOf(740, 5000), bytesOf(741, 3000), bytesOf(742, 3000)
	first := small(t, c, debian, "one", base, one)
	clk.step(time.Hour)
	second := small(t, c, debian, "two", base, two)
	size := c.Stat().Size
	if i := imageOf(t, c, debian, "one"); i.Own != i.Size-5000 {
		t.Fatalf("own %d of %d", i.Own, i.Size)
	}
	if freed := gc(t, c, size-1); freed < 3000 || freed >= 5000 {
		t.Fatal(freed)
	}
	if known(t, c, debian, "one") || has(t, c, first) || has(t, c, digest.FromBytes(one)) {
		t.Fatal("something of the first is left")
	}
	if i := imageOf(t, c, debian, "two"); !i.Complete || i.Own != i.Size || !has(t, c, digest.FromBytes(base)) || !has(t, c, second) {
		t.Fatalf("%+v", i)
	}
	gc(t, c, 0)
	if st := c.Stat(); st.Size != 0 {
		t.Fatalf("%+v", st)
	}
	if entries, _ := os.ReadDir(filepath.Join(c.Dir(), "refs")); len(entries) != 0 {
		t.Fatalf("%v is left", entries)
	}
}

// A pin is in the ref file: neither the loss of the database nor what is edited by
// hand while the cache runs loses a pinned image, and a tag that moves stays pinned.
func TestPin(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	pinned := small(t, c, debian, "pinned", bytesOf(750, 1000))
	small(t, c, debian, "loose", bytesOf(751, 1000))
	if err := c.Pin(debian, "pinned", true); err != nil {
		t.Fatal(err)
	}
	if i := imageOf(t, c, debian, "pinned"); !i.Pinned {
		t.Fatalf("%+v", i)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.Dir(), "cache.db")); err != nil {
		t.Fatal(err)
	}
	c = open(t, cache.Options{Dir: c.Dir(), Now: clk.now})
	gc(t, c, 0)
	if !known(t, c, debian, "pinned") || !imageOf(t, c, debian, "pinned").Complete || known(t, c, debian, "loose") {
		t.Fatal("the wrong one went")
	}
	moved := small(t, c, debian, "pinned", bytesOf(752, 1000))
	gc(t, c, 0)
	if i := imageOf(t, c, debian, "pinned"); !i.Pinned || !i.Complete || i.Digest != moved || has(t, c, pinned) {
		t.Fatalf("%+v", i)
	}
	if err := c.Pin(debian, string(moved), false); err != nil {
		t.Fatal(err)
	}
	if gc(t, c, 0); known(t, c, debian, "pinned") {
		t.Fatal("it is still there")
	}
}

// A tag that its registry has no more is forgotten, and one that is pinned is not: it
// keeps its image and its pin, and nobody has ever checked it.
func TestDisownedTag(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	pinned := small(t, c, debian, "pinned", bytesOf(753, 1000))
	small(t, c, debian, "loose", bytesOf(754, 1000))
	if err := c.Pin(debian, "pinned", true); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"pinned", "loose", "never", "pinned"} {
		if err := c.DisownTag(debian, tag); err != nil {
			t.Fatal(tag, err)
		}
	}
	if known(t, c, debian, "loose") {
		t.Error("one that is not pinned is known still")
	}
	for range 2 {
		gc(t, c, 0)
		if got, err := c.Tag(debian, "pinned"); err != nil || !got.Pinned || !got.Checked.IsZero() || got.Digest != pinned {
			t.Errorf("%+v, %v", got, err)
		}
		if i := imageOf(t, c, debian, "pinned"); !i.Pinned || !i.Complete {
			t.Errorf("%+v", i)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(c.Dir(), "cache.db")); err != nil {
			t.Fatal(err)
		}
		c = open(t, cache.Options{Dir: c.Dir(), Now: clk.now})
	}
	back := small(t, c, debian, "pinned", bytesOf(755, 1000))
	if got, err := c.Tag(debian, "pinned"); err != nil || !got.Pinned || got.Checked.IsZero() || got.Digest != back {
		t.Errorf("back: %+v, %v", got, err)
	}
}

func TestPinnedByHand(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	small(t, c, debian, "mine", bytesOf(760, 1000))
	path := filepath.Join(c.Dir(), "refs", "docker.io", "library", "debian", "mine")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := path + ".new"
	if err := os.WriteFile(edited, bytes.Replace(old, []byte(`{`), []byte(`{"pinned":true,`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(edited, path); err != nil {
		t.Fatal(err)
	}
	another := time.Now().Add(-time.Minute)
	if err := os.Chtimes(filepath.Dir(path), another, another); err != nil {
		t.Fatal(err)
	}
	if gc(t, c, 0); !imageOf(t, c, debian, "mine").Complete {
		t.Fatal("evicted")
	}
}

// While the catalogue is lost nothing is evicted: nobody knows what is pinned.
func TestNothingIsEvictedBlindly(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	small(t, c, debian, "pinned", bytesOf(770, 1000))
	small(t, c, debian, "loose", bytesOf(771, 1000))
	if err := c.Pin(debian, "pinned", true); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	c.DropDB()
	if freed := gc(t, c, 0); freed != 0 {
		t.Fatalf("%d bytes evicted", freed)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if gc(t, c, 0); !imageOf(t, c, debian, "pinned").Complete || known(t, c, debian, "loose") {
		t.Fatal("the wrong one went")
	}
}

// What somebody reads, holds or fetches keeps its whole image; the person's own are
// never evicted.
func TestImagesInUseStay(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	mine := cache.Name{Registry: cache.Local, Repository: "my/app"}
	read, held, fetched := bytesOf(780, 1000), bytesOf(781, 1000), bytesOf(782, 1000)
	small(t, c, debian, "read", read, bytesOf(783, 10))
	small(t, c, debian, "held", held, bytesOf(784, 10))
	small(t, c, debian, "fetched", fetched, bytesOf(785, 10))
	small(t, c, debian, "old", bytesOf(786, 10))
	small(t, c, mine, "own", bytesOf(787, 10))
	if err := c.Delete(digest.FromBytes(fetched)); err != nil {
		t.Fatal(err)
	}
	b, err := c.Get(digest.FromBytes(read))
	if err != nil {
		t.Fatal(err)
	}
	release := c.Hold(digest.FromBytes(held))
	f := begun(t, c, fetched)
	clk.step(time.Hour)
	gc(t, c, 0)
	for tag, there := range map[string]bool{"read": true, "held": true, "fetched": true, "old": false} {
		if known(t, c, debian, tag) != there {
			t.Errorf("%s is there: %v", tag, !there)
		}
	}
	_ = b.Close()
	release()
	release()
	f.Fail(nil)
	gc(t, c, 0)
	if all, err := c.Images(); err != nil || len(all) != 1 || all[0].Name != mine || !all[0].Pinned || !all[0].Complete {
		t.Fatalf("%v %v", all, err)
	}
}

func TestRemoveFreesWhatNobodyElseUses(t *testing.T) {
	c := open(t, cache.Options{})
	base := bytesOf(790, 5000)
	d := small(t, c, debian, "one", base, bytesOf(791, 300))
	small(t, c, debian, "two", base)
	setTag(t, c, debian, "same", d)
	if err := c.Link(debian, d, ""); err != nil {
		t.Fatal(err)
	}
	if freed, err := c.Remove(debian, "same"); err != nil || freed != 0 || known(t, c, debian, "same") || !known(t, c, debian, "one") {
		t.Fatal(freed, err)
	}
	own := imageOf(t, c, debian, "one").Own
	if freed, err := c.Remove(debian, "one"); err != nil || freed != own || c.References(debian, d) || has(t, c, d) {
		t.Fatal(freed, own, err)
	}
	setTag(t, c, debian, "three", imageOf(t, c, debian, "two").Digest)
	if freed, err := c.Remove(debian, string(imageOf(t, c, debian, "two").Digest)); err != nil || freed < 5000 || known(t, c, debian, "two") || known(t, c, debian, "three") {
		t.Fatal(freed, err)
	}
	if st := c.Stat(); st.Size != 0 || st.Evicted != 0 {
		t.Fatalf("%+v", st)
	}
}
