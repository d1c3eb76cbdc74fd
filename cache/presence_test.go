package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// The directory goes and comes back, as it was; or another one is made in its
// place meanwhile.
func TestDirectoryComesBack(t *testing.T) {
	for _, written := range []bool{false, true} {
		t.Run(fmt.Sprint("written meanwhile: ", written), func(t *testing.T) {
			c := open(t, cache.Options{})
			dir, aside := c.Dir(), c.Dir()+".aside"
			layer := bytesOf(1130, 5000)
			image := small(t, c, debian, "t", layer)
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			want := c.Stat()
			if err := os.Rename(dir, aside); err != nil {
				t.Fatal(err)
			}
			wantMiss(t, c, digest.FromBytes(layer), cache.Absent)
			if _, err := c.Tag(debian, "t"); err == nil || c.References(debian, image) {
				t.Fatal(err)
			}
			if written {
				put(t, c, layer)
				put(t, c, []byte("more"))
				if err := c.Flush(); err != nil {
					t.Fatal(err)
				}
				if st := c.Stat(); st.Blobs != 2 || st.Size != 5004 {
					t.Fatalf("%+v", st)
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			} else if err := c.Flush(); err == nil || !strings.Contains(err.Error(), "gone") {
				t.Fatal(err)
			}
			if err := os.Rename(aside, dir); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(get(t, c, digest.FromBytes(layer)), layer) || !c.References(debian, image) {
				t.Fatal("not there again")
			}
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			if st := c.Stat(); st.Blobs != want.Blobs || st.Size != want.Size {
				t.Fatalf("%+v, want %+v", st, want)
			}
			if i := imageOf(t, c, debian, "t"); !i.Complete {
				t.Fatalf("%+v", i)
			}
			put(t, c, []byte("and more"))
			var held *cache.HeldError
			if _, err := cache.Open(cache.Options{Dir: dir}); !errors.As(err, &held) {
				t.Fatal(err)
			}
			wantClean(t, c)
		})
	}
}

// What was written in the place of a directory that had gone says nothing about the one
// that is back: its files do, and a pin is in them.
func TestPinInADirectoryThatComesBack(t *testing.T) {
	c := open(t, cache.Options{})
	dir, aside := c.Dir(), c.Dir()+".aside"
	image := small(t, c, debian, "t", bytesOf(1131, 5000))
	if err := c.Pin(debian, "t", true); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, aside); err != nil {
		t.Fatal(err)
	}
	for range 2 { // there, and checked again
		setTag(t, c, debian, "t", image)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, dir); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if i := imageOf(t, c, debian, "t"); !i.Pinned {
		t.Errorf("flushed: %+v", i)
	}
	again := open(t, cache.Options{Dir: killed(t, dir)})
	if gc(t, again, 0); !imageOf(t, again, debian, "t").Complete {
		t.Error("killed: it was evicted")
	}
}

// What is known of a directory that came in the place of ours says nothing of what may
// be thrown out of ours when it is back.
func TestNothingIsEvictedOfADirectoryThatJustCameBack(t *testing.T) {
	for _, flushed := range []bool{false, true} {
		t.Run(fmt.Sprint("flushed meanwhile: ", flushed), func(t *testing.T) {
			c := open(t, cache.Options{})
			dir, aside := c.Dir(), c.Dir()+".aside"
			layer := bytesOf(1132, 5000)
			image := small(t, c, debian, "t", layer)
			manifest, _, err := c.Manifest(image)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Pin(debian, "t", true); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(dir, aside); err != nil {
				t.Fatal(err)
			}
			wantMiss(t, c, digest.FromBytes(layer), cache.Absent)
			put(t, c, layer)
			put(t, c, manifest)
			setTag(t, c, cache.Name{Registry: "docker.io", Repository: "library/other"}, "t", image)
			if err := c.DeleteTag(debian, "t"); err != nil {
				t.Fatal(err)
			}
			if flushed {
				if err := c.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(aside, dir); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				gc(t, c, 0)
				if !bytes.Equal(get(t, c, digest.FromBytes(layer)), layer) {
					t.Fatal("the layer is gone")
				}
				if err := c.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if i := imageOf(t, c, debian, "t"); !i.Pinned || !i.Complete {
				t.Errorf("%+v", i)
			}
		})
	}
}

// Another one has the directory that came in the place of ours: it is only read
// until that one lets it go.
func TestDirectoryIsSomebodyElses(t *testing.T) {
	theirs := open(t, cache.Options{})
	body := bytesOf(1140, 5000)
	put(t, theirs, body)
	c := open(t, cache.Options{})
	put(t, c, []byte("mine"))
	dir := c.Dir()
	if err := os.Rename(dir, dir+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(theirs.Dir(), dir); err != nil {
		t.Fatal(err)
	}
	var held *cache.HeldError
	if err := c.Flush(); !errors.As(err, &held) {
		t.Fatal(err)
	}
	if !errors.As(c.Stat().ReadOnly, &held) {
		t.Fatal(c.Stat().ReadOnly)
	}
	var de *cache.DiskError
	if err := c.Put(digest.FromString("x"), []byte("x")); !errors.As(err, &de) {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, digest.FromBytes(body)), body) {
		t.Fatal("other bytes")
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	put(t, c, []byte("x"))
	if st := c.Stat(); st.ReadOnly != nil || st.Blobs != 2 {
		t.Fatalf("%+v", st)
	}
}

// Another one had the directory's place, or nothing could be said of the lock for a moment: when ours is there again it is
// written again.
func TestOurDirectoryIsThereAgain(t *testing.T) {
	body := bytesOf(1150, 5000)
	wantWritable := func(t *testing.T, c *cache.Cache) {
		t.Helper()
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		put(t, c, []byte("new"))
		if !bytes.Equal(get(t, c, digest.FromBytes(body)), body) {
			t.Error("what was in it is not served")
		}
		wantClean(t, c)
	}
	rename := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("after somebody else's", func(t *testing.T) {
		theirs, c := open(t, cache.Options{}), open(t, cache.Options{})
		put(t, c, body)
		dir, other := c.Dir(), theirs.Dir()
		rename(t, dir, dir+".aside")
		rename(t, other, dir)
		var held *cache.HeldError
		if err := c.Flush(); !errors.As(err, &held) {
			t.Fatal(err)
		}
		rename(t, dir, other)
		rename(t, dir+".aside", dir)
		wantWritable(t, c)
	})
	t.Run("after a look that failed", func(t *testing.T) {
		c := open(t, cache.Options{})
		put(t, c, body)
		lock := filepath.Join(c.Dir(), "lock")
		rename(t, lock, lock+".aside")
		if err := os.Symlink("lock", lock); err != nil { // which leads to itself: neither there nor not there
			t.Fatal(err)
		}
		if err := c.Flush(); err == nil {
			t.Fatal("it says that all is well")
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
		rename(t, lock+".aside", lock)
		wantWritable(t, c)
	})
}
