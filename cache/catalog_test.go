package cache_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.etcd.io/bbolt"

	"pulley/cache"
)

func imageOf(t testing.TB, c *cache.Cache, n cache.Name, reference string) cache.Image {
	t.Helper()
	i, err := c.Image(n, reference)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// What a person is told of an image: platforms, who brought it, when it was used.
func TestImageOfSeveralPlatforms(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	amd, arm, att := randomImage(t), randomImage(t), randomImage(t)
	raw, err := multiArch(t, amd, arm, att).RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	root := digest.FromBytes(raw)
	began := clk.now()
	setTag(t, c, debian, "latest", root) // before anything of it is here
	if i := imageOf(t, c, debian, "latest"); i.Complete || i.Size != 0 || i.MediaType != "" || len(i.Platforms) != 0 || i.Digest != root {
		t.Fatalf("%+v", i)
	}
	if err := c.PutFrom(root, raw, "origin"); err != nil {
		t.Fatal(err)
	}
	putImage(t, c, arm, true)
	clk.step(time.Minute)
	putImage(t, c, amd, false)
	setTag(t, c, debian, "12", root)
	i := imageOf(t, c, debian, "12")
	var said []string
	for _, p := range i.Platforms {
		said = append(said, fmt.Sprint(p.OS, "/", p.Architecture, " ", p.Complete))
	}
	if !slices.Contains(said, "linux/amd64 true") || !slices.Contains(said, "linux/arm64 false") || strings.Contains(strings.Join(said, ""), "unknown") {
		t.Fatal(said)
	}
	if !i.Complete || !slices.Equal(i.Tags, []string{"12", "latest"}) || !i.First.Equal(began) || !i.Used.Equal(clk.now()) || !i.Checked.Equal(clk.now()) {
		t.Fatalf("%+v", i)
	}
	if i.Sources["origin"] != int64(len(raw)) || i.Sources[""] != i.Size-int64(len(raw)) || i.Own != i.Size || i.Pinned {
		t.Fatalf("%+v", i.Sources)
	}
	if j := imageOf(t, c, debian, string(root)); j.Size != i.Size || !slices.Equal(j.Tags, i.Tags) {
		t.Fatalf("%+v", j)
	}
}

// A manifest's own platform is in its config.
func TestPlatformOfAConfig(t *testing.T) {
	c := open(t, cache.Options{})
	config := put(t, c, []byte(`{"os":"linux","architecture":"arm","variant":"v7"}`))
	m := put(t, c, fmt.Appendf(nil, `{"schemaVersion":2,"config":{"digest":%q},"layers":[]}`, config))
	setTag(t, c, debian, "arm", m)
	artifact := put(t, c, fmt.Appendf(nil, `{"schemaVersion":2,"config":{"digest":%q},"layers":[]}`, put(t, c, []byte(`{}`))))
	setTag(t, c, debian, "chart", artifact)
	want := []cache.Platform{{OS: "linux", Architecture: "arm", Variant: "v7", Digest: m, Complete: true}}
	if i := imageOf(t, c, debian, "arm"); !slices.Equal(i.Platforms, want) || !i.Complete {
		t.Fatalf("%+v", i.Platforms)
	}
	if i := imageOf(t, c, debian, "chart"); len(i.Platforms) != 0 || !i.Complete {
		t.Fatalf("%+v", i)
	}
}

// The places that brought a blob are written down when it is complete.
func TestSourcesOfADownload(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(710, 300_000)
	d := digest.FromBytes(body)
	m := put(t, c, fmt.Appendf(nil, `{"schemaVersion":2,"layers":[{"digest":%q}]}`, d))
	setTag(t, c, debian, "latest", m)
	f := begun(t, c, body)
	cl := claim(t, f)
	bring(t, cl, body[:100_000], "origin", false)
	bring(t, cl, body[100_000:], "daocloud", true)
	cl.Release()
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		i := imageOf(t, c, debian, "latest")
		if i.Sources["origin"] != 100_000 || i.Sources["daocloud"] != 200_000 || i.Sources[""] != i.Size-300_000 {
			t.Fatalf("%+v", i.Sources)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		c = open(t, cache.Options{Dir: c.Dir()})
	}
}

// Bytes that were served count for the image whose manifest was asked for last, and
// for the image of all platforms rather than for one of them.
func TestServed(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	base := put(t, c, bytesOf(720, 1000))
	var manifests []digest.Digest
	for i := range 3 {
		m := put(t, c, fmt.Appendf(nil, `{"schemaVersion":2,"layers":[{"digest":%q}],"annotations":{"n":"%d"}}`, base, i))
		manifests = append(manifests, m)
		setTag(t, c, debian, fmt.Sprint("v", i), m)
	}
	want := func(saved ...int64) {
		t.Helper()
		for i, n := range saved {
			if got := imageOf(t, c, debian, fmt.Sprint("v", i)).Saved; got != n {
				t.Errorf("v%d saved %d, want %d", i, got, n)
			}
		}
	}
	clk.step(time.Hour)
	c.Served(debian, manifests[1], 10)
	c.Served(debian, base, 1000)
	want(0, 1010, 0)
	if !imageOf(t, c, debian, "v1").Used.Equal(clk.now()) || imageOf(t, c, debian, "v0").Used.Equal(clk.now()) {
		t.Error("the wrong one was used")
	}
	clk.step(time.Hour)
	c.Served(debian, manifests[2], 10)
	clk.step(time.Second)
	c.Served(debian, base, 1000)
	c.Served(debian, base, 1000)
	want(0, 1010, 2010)
	c.Served(cache.Name{Registry: "docker.io", Repository: "else"}, base, 5)
	c.Served(debian, digest.FromString("unknown"), 5)
	want(0, 1010, 2010)

	index := put(t, c, fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"platform":{"os":"linux","architecture":"amd64"}}]}`, manifests[0]))
	other := cache.Name{Registry: "ghcr.io", Repository: "a/b"}
	setTag(t, c, other, "multi", index)
	if err := c.Link(other, manifests[0], ""); err != nil {
		t.Fatal(err)
	}
	c.Served(other, manifests[0], 7)
	if got := imageOf(t, c, other, "multi").Saved; got != 7 {
		t.Errorf("saved %d, want 7", got)
	}
	if all, err := c.Images(); err != nil || len(all) != 4 || all[3].Saved != 7 {
		t.Errorf("%d images, %v", len(all), err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, cache.Options{Dir: c.Dir(), Now: clk.now})
	want(0, 1010, 2010)
}

func TestImageThatIsNotKnown(t *testing.T) {
	c := open(t, cache.Options{})
	var miss *cache.MissError
	for _, reference := range []string{"latest", string(digest.FromString("x"))} {
		_, err := c.Image(debian, reference)
		_, rerr := c.Remove(debian, reference)
		perr := c.Pin(debian, reference, true)
		for _, err := range []error{err, rerr, perr} {
			if !errors.As(err, &miss) || miss.Reason != cache.Absent || !strings.Contains(err.Error(), "library/debian") {
				t.Errorf("%s: %v", reference, err)
			}
		}
	}
	for _, reference := range []string{"", "a b", "sha256:x", "../x"} {
		if _, err := c.Image(debian, reference); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("%q: %v", reference, err)
		}
	}
}

// A database that was written before there were images is taken over: stamps and
// last uses stay, and the images come from the refs.
func TestDatabaseOfVersion1(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	loose := put(t, c, bytesOf(730, 1000))
	get(t, c, loose) // stamps it
	clk.step(time.Hour)
	m := put(t, c, fmt.Appendf(nil, `{"schemaVersion":2,"layers":[{"digest":%q}]}`, put(t, c, bytesOf(731, 2000))))
	setTag(t, c, debian, "old", m)
	want := c.Stat()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	toVersion1(t, filepath.Join(c.Dir(), "cache.db"))
	clk.step(time.Hour)
	c = open(t, cache.Options{Dir: c.Dir(), Now: clk.now})
	if _, err := os.Stat(filepath.Join(c.Dir(), "cache.db.damaged")); err == nil {
		t.Fatal("put aside")
	}
	if st := c.Stat(); st.Blobs != want.Blobs || st.Size != want.Size {
		t.Fatalf("%+v, want %+v", st, want)
	}
	if i := imageOf(t, c, debian, "old"); !i.Complete || i.Size != want.Size-1000 {
		t.Fatalf("%+v", i)
	}
	if _, stamped := c.Known(rawOf(t, loose)); !stamped {
		t.Error("the stamp has gone")
	}
	if freed, err := c.GC(want.Size - 1); err != nil || freed != 1000 || has(t, c, loose) {
		t.Fatalf("%d bytes freed: %v", freed, err)
	}
}

func rawOf(t testing.TB, d digest.Digest) [32]byte {
	t.Helper()
	b, err := hex.DecodeString(d.Encoded())
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(b)
}

// toVersion1 writes what the first version wrote: five numbers, a flag and a
// checksum for each blob, all of them in the order of use, and nothing else.
func toVersion1(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{"links", "refs", "images", "order", "folders", "used"} {
			if err := tx.DeleteBucket([]byte(name)); err != nil {
				return err
			}
		}
		used, err := tx.CreateBucket([]byte("used"))
		if err != nil {
			return err
		}
		blobs := tx.Bucket([]byte("blobs"))
		rows := map[string][]byte{}
		err = blobs.ForEach(func(k, v []byte) error {
			if v[52]&2 == 0 {
				return fmt.Errorf("%x is not stored", k)
			}
			row := append(slices.Clone(v[:40]), v[52]&1)
			row = binary.BigEndian.AppendUint32(row, crc32.Checksum(row, crc32.MakeTable(crc32.Castagnoli)))
			rows[string(k)] = row
			return used.Put(append(slices.Clone(v[32:40]), k...), nil)
		})
		for k, row := range rows {
			err = errors.Join(err, blobs.Put([]byte(k), row))
		}
		state := slices.Clone(tx.Bucket([]byte("meta")).Get([]byte("state")))
		state[0] = 1
		return errors.Join(err, tx.Bucket([]byte("meta")).Put([]byte("state"), state))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
