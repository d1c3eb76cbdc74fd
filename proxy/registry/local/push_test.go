package local

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
)

// A digest opens nothing in a repository to which it does not belong, neither by
// asking nor by pushing a manifest that names it.
func TestADigestOpensNothingElsewhere(t *testing.T) {
	s := newSite(t)
	secret := []byte("somebody else's private layer")
	if err := s.cache.Put(digest.FromBytes(secret), secret); err != nil {
		t.Fatal(err)
	}
	d := digest.FromBytes(secret)
	s.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", "/v2/"+repo+"/blobs/"+d.String(), nil)
	m := s.image(repo, "layer")
	config := m.Config.Digest.String()
	for what, body := range map[string]string{
		"layer":         `{"mediaType":"` + m.MediaType + `","config":{"digest":"` + config + `"},"layers":[{"digest":"` + d.String() + `"}]}`,
		"config":        `{"mediaType":"` + m.MediaType + `","config":{"digest":"` + d.String() + `"},"layers":[]}`,
		"foreign":       `{"mediaType":"` + m.MediaType + `","config":{"digest":"` + config + `"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","urls":["https://example.com"],"digest":"` + d.String() + `"}]}`,
		"two lists":     `{"mediaType":"` + m.MediaType + `","config":{"digest":"` + config + `"},"layers":[{"digest":"` + d.String() + `"}],"layers":[{}]}`,
		"other letters": `{"mediaType":"` + m.MediaType + `","config":{"digest":"` + config + `"},"Layers":[{"Digest":"` + d.String() + `"}]}`,
		"artifact":      `{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[{"digest":"` + d.String() + `"}]}`,
		"schema 1":      `{"mediaType":"` + m.MediaType + `","config":{"digest":"` + config + `"},"fsLayers":[{"blobSum":"` + d.String() + `"}]}`,
		"child":         `{"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[{"mediaType":"` + m.MediaType + `","digest":"` + d.String() + `"}]}`,
		"other child":   `{"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[{"mediaType":"text/plain","digest":"` + d.String() + `"}]}`,
	} {
		if got := s.do("PUT", "/v2/"+repo+"/manifests/1", strings.NewReader(body)); got.StatusCode/100 != 4 {
			t.Errorf("%s: %s", what, got.Status)
		}
		if got := s.do("GET", "/v2/"+repo+"/blobs/"+d.String(), nil); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: opened: %s", what, got.Status)
		}
	}
	// A subject is a name, and opens nothing.
	m.Subject = &ocispec.Descriptor{MediaType: m.MediaType, Digest: d, Size: 1}
	s.pushManifest(repo, "1", m)
	s.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", "/v2/"+repo+"/blobs/"+d.String(), nil)
}

// What was pushed is held until its manifest comes, and an hour for one that does
// not; afterwards it goes when room is needed. An own image never does.
func TestPushedBlobsAreHeld(t *testing.T) {
	s := newSite(t)
	pushed := s.pushBlob(repo, []byte("pushed"))
	m := s.image(repo, "layer")
	s.pushManifest(repo, "1", m)
	gone := func() bool {
		t.Helper()
		if _, err := s.cache.GC(0); err != nil {
			t.Fatal(err)
		}
		b, err := s.cache.Get(pushed)
		if err == nil {
			_ = b.Close()
		}
		return err != nil
	}
	s.pass(keepFor - time.Minute)
	if gone() {
		t.Fatal("evicted before its manifest could come")
	}
	s.want(http.StatusOK, "", "HEAD", "/v2/"+repo+"/blobs/"+pushed.String(), nil)
	s.pass(2 * time.Minute)
	s.want(http.StatusNotFound, "", "HEAD", "/v2/"+repo+"/blobs/"+pushed.String(), nil)
	if !gone() {
		t.Error("held for ever")
	}
	s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/blobs/"+m.Layers[0].Digest.String(), nil)
	s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/manifests/1", nil)
}

// Whoever is pulling an image whose tag moves on gets it to the end, unless room is
// needed; later it is gone, since nothing stands for it.
func TestATagMovesOn(t *testing.T) {
	s := newSite(t)
	before := s.image(repo, "base", "before")
	old := s.pushManifest(repo, "1", before)
	after := s.pushManifest(repo, "1", s.image(repo, "base", "after"))
	if after == old {
		t.Fatal("nothing changed")
	}
	parts := []string{"manifests/" + old.String(), "blobs/" + before.Config.Digest.String(), "blobs/" + before.Layers[0].Digest.String(), "blobs/" + before.Layers[1].Digest.String()}
	for _, p := range parts {
		s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/"+p, nil)
	}
	s.pass(keepFor)
	for i, p := range parts {
		status := http.StatusNotFound
		if i == 2 { // the base is the new one's, too
			status = http.StatusOK
		}
		s.want(status, "", "GET", "/v2/"+repo+"/"+p, nil)
	}
	freed, err := s.cache.GC(0)
	if err != nil || freed == 0 {
		t.Errorf("%d bytes freed: %v", freed, err)
	}
	s.pushManifest(repo, "1", s.image(repo, "base", "next"))
	if freed, err := s.cache.GC(0); err != nil || freed == 0 {
		t.Errorf("what a tag no longer stands for is held: %d bytes freed: %v", freed, err)
	}
}

// A session nobody comes back to ends, one that is used does not; there are no more
// than so many.
func TestSessionsEnd(t *testing.T) {
	s := newSite(t)
	begin := func() string {
		t.Helper()
		return s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil).Header.Get("Location")
	}
	left, used := begin(), begin()
	s.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "GET", strings.Replace(left, "my/app", "other", 1), nil)
	s.pass(idleFor / 2)
	s.want(http.StatusAccepted, "", "PATCH", used, []byte("x"))
	s.pass(idleFor / 2)
	s.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "GET", left, nil)
	s.want(http.StatusNoContent, "", "GET", used, nil)
	for range maxSessions - 1 {
		begin()
	}
	s.want(http.StatusTooManyRequests, "TOOMANYREQUESTS", "POST", "/v2/"+repo+"/blobs/uploads/", nil)
	s.pass(idleFor)
	if n := s.temporary(); n != 0 {
		t.Errorf("%d files of sessions that ended", n)
	}
	begin()
}

// After a restart there are no sessions, and nothing of them on disk.
func TestRestartDropsUploads(t *testing.T) {
	s := newSite(t)
	at := s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil).Header.Get("Location")
	s.want(http.StatusAccepted, "", "PATCH", at, []byte("begun"))
	d := s.pushManifest(repo, "1", s.image(repo, "layer"))
	s.close()
	s.open()
	s.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "PATCH", at, []byte("more"))
	s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/manifests/"+d.String(), nil)
}

// brokenBody ends as a connection that breaks.
type brokenBody struct {
	io.Reader
	whole bool
}

func (b *brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && !b.whole {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// What arrived of a chunk that broke off stays, and the client can go on behind it.
func TestABodyBreaksOff(t *testing.T) {
	s := newSite(t)
	body := bytes.Repeat([]byte("0123456789"), 100_000)
	d := digest.FromBytes(body)
	at := s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil).Header.Get("Location")
	for _, sized := range []bool{true, false} {
		req := httptest.NewRequest("PATCH", at, &brokenBody{Reader: bytes.NewReader(body[:300_000])})
		if sized {
			req.Header.Set("Content-Range", fmt.Sprintf("0-%d", len(body)-1))
		}
		w := httptest.NewRecorder()
		s.reg.ServeHTTP(w, req)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "BLOB_UPLOAD_INVALID") {
			t.Fatal(w.Code, w.Body)
		}
		if got := s.want(http.StatusNoContent, "", "GET", at, nil).Header.Get("Range"); got != "0-299999" {
			t.Fatal(got)
		}
		if sized {
			s.want(http.StatusNoContent, "", "DELETE", at, nil)
			at = s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil).Header.Get("Location")
		}
	}
	s.want(http.StatusAccepted, "", "PATCH", at, body[300_000:], "Content-Range", fmt.Sprintf("300000-%d", len(body)-1))
	s.want(http.StatusCreated, "", "PUT", at+"?digest="+d.String(), nil)
}

// A client that is back before its last request has ended waits for that; one that
// leaves meanwhile costs nothing.
func TestOneRequestOfASessionAtATime(t *testing.T) {
	s := newSite(t)
	at := s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil).Header.Get("Location")
	from, feed := io.Pipe()
	first := make(chan int, 1)
	serve := func(ctx context.Context, method string, body io.Reader, to chan int) {
		w := httptest.NewRecorder()
		s.reg.ServeHTTP(w, httptest.NewRequest(method, at, body).WithContext(ctx))
		to <- w.Code
	}
	go serve(t.Context(), "PATCH", from, first)
	if _, err := feed.Write([]byte("begun ")); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	left, second, third := make(chan int, 1), make(chan int, 1), make(chan int, 1)
	go serve(ctx, "PATCH", strings.NewReader("never"), left)
	leave()
	<-left
	go serve(t.Context(), "DELETE", nil, second)
	if _, err := feed.Write([]byte("ended")); err != nil {
		t.Fatal(err)
	}
	_ = feed.Close()
	if code := <-first; code != http.StatusAccepted && code != http.StatusNotFound {
		t.Error(code)
	}
	if code := <-second; code != http.StatusNoContent {
		t.Error(code)
	}
	go serve(t.Context(), "GET", nil, third)
	if code := <-third; code != http.StatusNotFound {
		t.Error(code)
	}
	if s.temporary() != 0 {
		t.Error("left on disk")
	}
}

// The disk is full: the client is told so in the specification's format, and
// nothing of the push stays.
func TestDiskFull(t *testing.T) {
	s := newSiteOf(t, cache.Options{MaxSize: 100_000})
	body := make([]byte, 200_000)
	s.want(http.StatusInsufficientStorage, "DENIED", "POST", "/v2/"+repo+"/blobs/uploads/?digest="+digest.FromBytes(body).String(), body)
	at := s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil).Header.Get("Location")
	s.want(http.StatusInsufficientStorage, "DENIED", "PATCH", at, body)
	s.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "PATCH", at, body)
	if st := s.cache.Stat(); st.Size != 0 || s.temporary() != 0 {
		t.Errorf("%+v, %d files", st, s.temporary())
	}
	if err := os.RemoveAll(filepath.Join(s.dir, "tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(http.StatusInternalServerError, "UNKNOWN", "POST", "/v2/"+repo+"/blobs/uploads/", nil)
	if err := os.Remove(filepath.Join(s.dir, "tmp")); err != nil {
		t.Fatal(err)
	}
	s.pushBlob(repo, []byte("small"))
}

func remoteName(t testing.TB, s *site, what string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(strings.TrimPrefix(s.http.URL, "http://") + "/" + what)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// wantWhole reads all of an image; the library holds it against its digests.
func wantWhole(t testing.TB, img v1.Image) {
	t.Helper()
	if _, err := img.RawConfigFile(); err != nil {
		t.Error(err)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) == 0 {
		t.Fatal(err)
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Error(err)
		}
		_ = r.Close()
	}
}

// Many clients push the same image at once, under the same tag and others, while one
// deletes what it pushed: every push succeeds and every image is whole.
func TestConcurrentPushes(t *testing.T) {
	s := newSite(t)
	img, err := random.Image(200_000, 4)
	if err != nil {
		t.Fatal(err)
	}
	// One of Docker's media type gets an index of its own in index.json, a seventh blob, sooner or later.
	img = mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
	var pushes sync.WaitGroup
	var failed atomic.Int64
	for i := range 12 {
		pushes.Go(func() {
			for _, tag := range []string{"same", fmt.Sprint("own", i)} {
				if err := remote.Write(remoteName(t, s, repo+":"+tag), img, remote.WithContext(t.Context()), remote.WithJobs(4)); err != nil {
					t.Errorf("%d: %v", i, err)
					failed.Add(1)
				}
			}
		})
	}
	pushes.Wait()
	for _, tag := range []string{"same", "own0", "own11"} {
		got, err := remote.Image(remoteName(t, s, repo+":"+tag))
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, got)
	}
	if st := s.cache.Stat(); st.Blobs != 6 {
		t.Errorf("%d blobs of an image of 6", st.Blobs)
	}
	if err := s.cache.Close(); err != nil { // index.json may be on its way
		t.Error(err)
	}
	if n := s.temporary(); n != 0 && failed.Load() == 0 {
		t.Errorf("%d files left", n)
	}
}

// As image builders and signers do it: an image of several platforms, then what
// refers to it.
func TestIndexAndReferrersWithGoContainerregistry(t *testing.T) {
	s := newSite(t)
	index, err := random.Index(10_000, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	ref := remoteName(t, s, repo+":1")
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	list, err := got.IndexManifest()
	if err != nil || len(list.Manifests) != 3 {
		t.Fatal(err)
	}
	for _, m := range list.Manifests {
		img, err := got.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, img)
	}
	subject, err := partial.Descriptor(index)
	if err != nil {
		t.Fatal(err)
	}
	artifact := mutate.ConfigMediaType(mutate.MediaType(signature(t), types.OCIManifestSchema1), "application/vnd.test.signature")
	signed, ok := mutate.Subject(artifact, *subject).(v1.Image)
	if !ok {
		t.Fatal("no image")
	}
	d, err := signed.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(remoteName(t, s, repo+"@"+d.String()), signed); err != nil {
		t.Fatal(err)
	}
	found, err := remote.Referrers(remoteName(t, s, repo+"@"+subject.Digest.String()).(name.Digest))
	if err != nil {
		t.Fatal(err)
	}
	list, err = found.IndexManifest()
	if err != nil || len(list.Manifests) != 1 || list.Manifests[0].Digest != d || list.Manifests[0].ArtifactType != "application/vnd.test.signature" {
		t.Fatalf("%+v %v", list, err)
	}
	// The client did not have to keep a list of its own.
	if tags, err := remote.List(ref.Context()); err != nil || len(tags) != 1 {
		t.Errorf("%v %v", tags, err)
	}
	if err := remote.Delete(ref); err != nil {
		t.Fatal(err)
	}
	if err := remote.Delete(remoteName(t, s, repo+"@"+d.String())); err != nil {
		t.Fatal(err)
	}
}

func signature(t testing.TB) v1.Image {
	t.Helper()
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	return img
}
