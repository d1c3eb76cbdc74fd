package registry_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// TestSharedBlobEvicted: a blob that two repositories share, gone through one,
// must never become an empty or short 200 for the other.
func TestSharedBlobEvicted(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 2, 200_000)
	r.hub.Push("library/a", "1", img)
	r.hub.Push("library/b", "1", img)
	wantStatus(t, "a", r.pullMirror("", "library/a", "1"), http.StatusOK)
	wantStatus(t, "b", r.pullMirror("", "library/b", "1"), http.StatusOK)
	r.idle()
	for _, d := range img.Blobs() {
		if err := r.cache.Delete(d); err != nil {
			t.Fatal(err)
		}
	}
	wantStatus(t, "b after eviction", r.pullMirror("", "library/b", "1"), http.StatusOK)
	r.idle()
	r.hub.Down()
	wantStatus(t, "a, offline", r.pullMirror("", "library/a", "1"), http.StatusOK)
}

// TestOtherRepositorysBlob: what happens to be on disk decides nothing about who
// may have it.
func TestOtherRepositorysBlob(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 1, 1000)
	r.hub.Push("library/a", "1", img)
	r.hub.Push("library/b", "1", hubtest.RandomImage(2, 1, 1000))
	wantStatus(t, "a", r.pullMirror("", "library/a", "1"), http.StatusOK)
	wantStatus(t, "b", r.pullMirror("", "library/b", "1"), http.StatusOK)
	r.idle()
	d := img.Layers[0].Digest
	for _, path := range []string{"library/b/blobs/" + string(d), "library/b/manifests/" + string(img.Digest())} {
		for _, method := range []string{"HEAD", "GET"} {
			wantStatus(t, method+" under b", r.mirror(method, path).StatusCode, http.StatusNotFound)
		}
	}
	r.hub.AddContent("library/b", img.Layers[0].Content)
	r.hub.Reset()
	wantStatus(t, "the origin says so", r.mirror("GET", "library/b/blobs/"+string(d)).StatusCode, http.StatusOK)
	wantStatus(t, "and is not asked again", r.mirror("GET", "library/b/blobs/"+string(d)).StatusCode, http.StatusOK)
	if get, head := r.hub.Count("GET", "/v2/library/b/**"), r.hub.Count("HEAD", "/v2/library/b/**"); get != 0 || head != 1 {
		t.Errorf("%d GET and %d HEAD", get, head)
	}
}

func corrupt(t testing.TB, r *room, d digest.Digest, quietly bool) {
	t.Helper()
	name := filepath.Join(r.dir, "cache", "blobs", "sha256", d.Encoded())
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, 1000); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, 1000); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if quietly {
		if err := os.Chtimes(name, fi.ModTime(), fi.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCorruptedOnDisk heals from upstream and is reported, whether the file's
// times tell of the change or not: a client that asks again right after a
// complete transfer gets verified bytes.
func TestCorruptedOnDisk(t *testing.T) {
	for _, size := range []int64{300_000, 30_000} { // sent as a file, and in one piece
		for _, quietly := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %v", size, quietly), func(t *testing.T) {
				healsOnDisk(newRoom(t, nil), size, quietly)
			})
		}
	}
}

func healsOnDisk(r *room, size int64, quietly bool) {
	t := r.t
	d, _ := bigBlob(r, 1, size)
	wantStatus(t, "cold", r.do("GET", blobURL(d)).StatusCode, 200)
	r.idle()
	r.pass(time.Hour)
	corrupt(t, r, d, quietly)
	r.hub.Reset()
	var got answer
	for range 2 { // a client whose digest does not fit tries again
		if got = r.do("GET", blobURL(d)); got.StatusCode != 200 {
			t.Fatal(got.StatusCode)
		}
		if got.err == nil && digest.FromBytes(got.body) == d {
			break
		}
	}
	if digest.FromBytes(got.body) != d {
		t.Fatal("wrong bytes twice")
	}
	if r.hub.BytesSent(d) != size {
		t.Errorf("upstream sent %d bytes", r.hub.BytesSent(d))
	}
	r.event(func(e registry.Event) bool { return has(e.Note, "fetched again") })
}

// TestDiskFull: the client gets its image all the same, from the first byte and
// from the middle on, and is told of a wrong one all the same.
func TestDiskFull(t *testing.T) {
	r := newRoom(t, nil)
	var full atomic.Bool
	r.kept = &cache.Options{Dir: filepath.Join(r.dir, "cache"), Now: r.now, Free: func(string) (int64, error) {
		if full.Load() {
			return 0, nil
		}
		return 1 << 40, nil
	}}
	r.restart()
	img := hubtest.RandomImage(1, 3, 500_000)
	r.hub.Push("library/a", "1", img)
	full.Store(true)
	wantStatus(t, "registry-mirrors", r.pullMirror("", "library/a", "1"), http.StatusOK)
	wantStatus(t, "intercepted", r.engine("", "").pull("library/a", "1"), http.StatusOK)
	r.event(func(e registry.Event) bool { return e.What == "blob" && has(e.Note, "not kept") })
	d := img.Layers[0].Digest
	got := r.do("GET", blobURL(d), "Range", "bytes=5-9")
	if got.StatusCode != 206 || !same(got.body, content(t, img.Layers[0].Content, 5, 5)) {
		t.Errorf("range: %d %q", got.StatusCode, got.body)
	}
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, WrongByte: hubtest.At(400_000)})
	if got := r.do("GET", blobURL(d)); got.err == nil {
		t.Errorf("a wrong blob was complete: %d bytes", len(got.body))
	}
}

// TestCacheBreaksInTheMiddle: the client that was half served gets the rest, and
// the proof, from upstream.
func TestCacheBreaksInTheMiddle(t *testing.T) {
	for _, wrong := range []bool{false, true} {
		t.Run(strconv.FormatBool(wrong), func(t *testing.T) {
			r := newRoom(t, nil)
			d, blob := bigBlob(r, 1, 4*mib)
			r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(2 * mib)})
			rsp, err := r.start(context.Background(), "GET", blobURL(d), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rsp.Body.Close() }()
			got := make([]byte, mib)
			if _, err := io.ReadFull(rsp.Body, got); err != nil || !same(got, content(t, blob, 0, mib)) {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			go func() { closed <- r.cache.Close() }()
			r.hub.Release()
			r.hub.SetFaults()
			if wrong {
				r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, WrongByte: hubtest.At(3 * mib)})
			}
			rest, err := io.ReadAll(rsp.Body)
			if wrong {
				if err == nil {
					t.Errorf("a wrong blob was complete")
				}
			} else if err != nil || !same(rest, content(t, blob, mib, 3*mib)) {
				t.Errorf("the rest: %d bytes, %v", len(rest), err)
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
			r.hub.SetFaults()
			if got := r.do("GET", blobURL(d)); got.StatusCode != 200 || digest.FromBytes(got.body) != d {
				t.Errorf("without a cache: %d, %v", got.StatusCode, got.err)
			}
			r.hub.Push("library/a", "1", hubtest.RandomImage(3, 1, 1000))
			wantStatus(t, "a pull without a cache", r.pullMirror("", "library/a", "1"), http.StatusOK)
		})
	}
}
