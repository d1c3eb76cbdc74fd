package registry_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// A small blob that is stored is given at once, as it would be otherwise; whatever takes
// more than its file is left alone.
func TestSmallBlobsAtHand(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 3, 20_000)
	r.hub.Push("library/a", "1", img)
	wantStatus(t, "pull", r.pullMirror("", "library/a", "1"), http.StatusOK)
	r.idle()
	r.pass(time.Hour)
	ready := func(method, url string, header ...string) (*httptest.ResponseRecorder, bool) {
		q := httptest.NewRequest(method, url, nil)
		for i := 0; i < len(header); i += 2 {
			q.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		return w, r.handler.ServeReady(w, q, nil)
	}
	one, two := blobURL(img.Layers[0].Digest), blobURL(img.Layers[1].Digest)
	asUsual := r.do("GET", one, "If-Range", `"of something else"`, "Range", "bytes=0-5") // the whole, by ServeMirror
	r.pass(time.Hour)
	w, ok := ready("GET", one)
	if !ok || w.Code != http.StatusOK || w.Body.String() != string(asUsual.body) {
		t.Fatalf("%v: %d, %d bytes", ok, w.Code, w.Body.Len())
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Docker-Content-Digest", "Etag", "Accept-Ranges", "Docker-Distribution-Api-Version"} {
		if got, want := w.Header().Get(name), asUsual.Header.Get(name); got != want || got == "" {
			t.Errorf("%s: %q, else %q", name, got, want)
		}
	}
	for name, ask := range map[string]func() (*httptest.ResponseRecorder, bool){
		"a part":            func() (*httptest.ResponseRecorder, bool) { return ready("GET", two, "Range", "bytes=0-5") },
		"one that is known": func() (*httptest.ResponseRecorder, bool) { return ready("GET", two, "If-None-Match", "*") },
		"its size":          func() (*httptest.ResponseRecorder, bool) { return ready("HEAD", two) },
		"asked for again":   func() (*httptest.ResponseRecorder, bool) { return ready("GET", one) },
		"another's": func() (*httptest.ResponseRecorder, bool) {
			return ready("GET", strings.Replace(two, "library/a", "library/b", 1))
		},
	} {
		if w, ok := ask(); ok || w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%s: answered with %d, %v", name, w.Code, w.Header())
		}
	}
	if w, ok = ready("GET", two); !ok || w.Body.Len() != int(img.Layers[1].Content.Size()) {
		t.Errorf("another one: %v, %d bytes", ok, w.Body.Len())
	}
}

// So is a large one, from its file, unless that has to be hashed first.
func TestStoredBlobsAtHand(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 2, 300_000)
	r.hub.Push("library/a", "1", img)
	wantStatus(t, "pull", r.pullMirror("", "library/a", "1"), http.StatusOK)
	r.idle()
	ready := func(i int) (*httptest.ResponseRecorder, bool) {
		r.pass(time.Hour)
		w := httptest.NewRecorder()
		return w, r.handler.ServeReady(w, httptest.NewRequest("GET", blobURL(img.Layers[i].Digest), nil), nil)
	}
	asUsual := r.do("GET", blobURL(img.Layers[0].Digest), "If-Range", `"of something else"`, "Range", "bytes=0-5")
	w, ok := ready(0)
	if !ok || w.Code != http.StatusOK || w.Body.String() != string(asUsual.body) {
		t.Fatalf("%v: %d, %d bytes", ok, w.Code, w.Body.Len())
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Docker-Content-Digest", "Etag", "Accept-Ranges", "Docker-Distribution-Api-Version"} {
		if got, want := w.Header().Get(name), asUsual.Header.Get(name); got != want || got == "" {
			t.Errorf("%s: %q, else %q", name, got, want)
		}
	}
	r.event(func(e registry.Event) bool {
		return e.Source == "cache" && int(e.FromCache) == w.Body.Len() && e.Status == http.StatusOK
	})
	file := filepath.Join(r.cache.Dir(), "blobs", "sha256", img.Layers[1].Digest.Encoded())
	if err := os.WriteFile(file, []byte("somebody else's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w, ok := ready(1); ok || w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("somebody wrote into it: answered with %d, %d bytes", w.Code, w.Body.Len())
	}
	if got := r.do("GET", blobURL(img.Layers[1].Digest)); hubtest.DigestOf(hubtest.Bytes(got.body)) != img.Layers[1].Digest {
		t.Errorf("and then with %d, %d bytes", got.StatusCode, len(got.body))
	}
}
