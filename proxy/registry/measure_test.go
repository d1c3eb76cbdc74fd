package registry_test

import (
	"net/http"
	"testing"
	"time"

	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// known pushes an image to library/a and has its manifest pulled, so that what it
// lists is known and none of it is here.
func (r *room) known(seed uint64) hubtest.Image {
	r.t.Helper()
	img := hubtest.RandomImage(seed, 1, 8*mib)
	r.hub.Push("library/a", "1", img)
	wantStatus(r.t, "manifest", r.mirror("GET", "library/a/manifests/1").StatusCode, http.StatusOK)
	r.idle()
	return img
}

// TestHeadOfABlobFromMirrors: when the origin cannot be asked, or the route names a
// mirror, HEAD of what is not here is answered as GET is; it moves no bytes.
func TestHeadOfABlobFromMirrors(t *testing.T) {
	for _, style := range styles {
		for _, proven := range []bool{true, false} {
			r := newRoom(t, nil)
			one := r.addMirror("one", style)
			img := r.known(1)
			d, size := img.Layers[0].Digest, img.Layers[0].Content.Size()
			if proven {
				r.place("one").Prove()
			}
			head := func(what, from string) {
				t.Helper()
				got := r.do("HEAD", blobURL(d))
				if got.StatusCode != http.StatusOK || got.ContentLength != size || got.Header.Get("Docker-Content-Digest") != string(d) {
					t.Errorf("%s, proven %v: %d, %d bytes of %s", what, proven, got.StatusCode, got.ContentLength, got.Header.Get("Docker-Content-Digest"))
				}
				e := r.event(func(e registry.Event) bool { return e.Method == "HEAD" })
				if e.Source != from {
					t.Errorf("%s, proven %v: from %q, want %q (%s)", what, proven, e.Source, from, e.Note)
				}
				if n := one.BytesSent(d) + r.hub.BytesSent(d); n > 64<<10 {
					t.Errorf("%s, proven %v: %d bytes for a HEAD", what, proven, n)
				}
			}
			head("auto", "origin")
			r.switchTo("one")
			if proven {
				head("by the route", "one")
			}
			r.switchTo("auto")
			r.hub.Down()
			head("origin away", "one")
			one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Status: http.StatusNotFound})
			wantStatus(t, "nowhere", r.do("HEAD", blobURL(d)).StatusCode, http.StatusNotFound)
		}
	}
}

// TestASuffixFromMirrors: what a client reads first of an eStargz layer comes from
// wherever it may, and not with the whole blob.
func TestASuffixFromMirrors(t *testing.T) {
	r := newRoom(t, nil)
	one := r.addMirror("one", hubtest.StyleHost)
	r.place("one").Prove()
	img := r.known(1)
	l := img.Layers[0]
	size := l.Content.Size()
	r.hub.Down()
	got := r.do("GET", blobURL(l.Digest), "Range", "bytes=-4096")
	if got.StatusCode != http.StatusPartialContent || got.err != nil || !same(got.body, content(t, l.Content, size-4096, 4096)) {
		t.Errorf("%d, %d bytes, %v", got.StatusCode, len(got.body), got.err)
	}
	r.idle()
	if n := one.BytesSent(l.Digest); n > 64<<10 {
		t.Errorf("the mirror sent %d bytes for 4096", n)
	}
}

// TestASuffixAndAPage: a mirror that has proved nothing and answers everything with
// a page does not say how large a blob is.
func TestASuffixAndAPage(t *testing.T) {
	r := newRoom(t, nil)
	one := r.addMirror("one", hubtest.StyleHost)
	img := r.known(1)
	l := img.Layers[0]
	size := l.Content.Size()
	r.switchTo("one")
	one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Status: http.StatusOK, Body: "<html>pay here</html>"})
	for _, away := range []bool{true, false} {
		if away {
			r.hub.Down()
			r.pass(time.Minute)
			got := r.do("HEAD", blobURL(l.Digest))
			wantStatus(t, "only a page", got.StatusCode, http.StatusNotFound)
			got = r.do("GET", blobURL(l.Digest), "Range", "bytes=-4096")
			wantStatus(t, "a suffix of only a page", got.StatusCode, http.StatusNotFound)
			if err := r.hub.Up(); err != nil {
				t.Fatal(err)
			}
			r.pass(time.Minute)
			continue
		}
		got := r.do("GET", blobURL(l.Digest), "Range", "bytes=-4096")
		if got.StatusCode != http.StatusPartialContent || !same(got.body, content(t, l.Content, size-4096, 4096)) {
			t.Errorf("the origin is back: %d, %d bytes", got.StatusCode, len(got.body))
		}
	}
}

// TestStorageThatKnowsNoHead (S3 signs for one method) keeps nobody from the size
// and from a suffix.
func TestStorageThatKnowsNoHead(t *testing.T) {
	r := newRoom(t, nil)
	img := r.known(1)
	l := img.Layers[0]
	size := l.Content.Size()
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "HEAD", Status: http.StatusForbidden})
	if got := r.do("HEAD", blobURL(l.Digest)); got.StatusCode != http.StatusOK || got.ContentLength != size {
		t.Errorf("HEAD: %d, %d bytes", got.StatusCode, got.ContentLength)
	}
	got := r.do("GET", blobURL(l.Digest), "Range", "bytes=-4096")
	if got.StatusCode != http.StatusPartialContent || !same(got.body, content(t, l.Content, size-4096, 4096)) {
		t.Errorf("suffix: %d, %d bytes", got.StatusCode, len(got.body))
	}
	r.idle()
	if n := r.hub.BytesSent(l.Digest); n > 64<<10 {
		t.Errorf("%d bytes were sent", n)
	}
}
