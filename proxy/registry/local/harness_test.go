package local

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"pulley/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a registry and a client of it.
type site struct {
	t     testing.TB
	dir   string
	opt   cache.Options
	cache *cache.Cache
	reg   *Registry
	http  *httptest.Server
	ahead atomic.Int64 // our clock, ns ahead

	read, write bool
	public      map[string]cache.Name
}

func newSite(t testing.TB) *site { return newSiteOf(t, cache.Options{}) }

func newSiteOf(t testing.TB, o cache.Options) *site {
	t.Helper()
	s := &site{t: t, dir: filepath.Join(t.TempDir(), "cache"), opt: o, read: true, write: true, public: map[string]cache.Name{}}
	s.open()
	t.Cleanup(s.close)
	return s
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// pass lets time go by, and what is to happen by itself.
func (s *site) pass(d time.Duration) {
	s.ahead.Add(int64(d))
	s.reg.sweep()
}

func (s *site) open() {
	s.t.Helper()
	o := s.opt
	o.Dir, o.Now = s.dir, s.now
	c, err := cache.Open(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cache = c
	s.reg = New(Options{
		Cache: c, Now: s.now,
		Allowed: func(*http.Request) (bool, bool) { return s.read, s.write },
		Public:  func(_ *http.Request, name string) (cache.Name, bool) { n, ok := s.public[name]; return n, ok },
	})
	mux := http.NewServeMux()
	mux.Handle("/", s.reg)
	mux.HandleFunc("/v2/{$}", func(http.ResponseWriter, *http.Request) {}) // the mirror door's to answer
	s.http = httptest.NewServer(mux)
}

// close ends everything, as the daemon does.
func (s *site) close() {
	s.http.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.reg.Run(ctx); err != nil {
		s.t.Error(err)
	}
	if err := s.cache.Close(); err != nil {
		s.t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "tmp")); err != nil || len(left) > 0 {
		s.t.Errorf("left behind: %v %v", left, err)
	}
}

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body []byte
}

// code is the first code of an error document.
func (r reply) code() string {
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(r.body, &doc) != nil || len(doc.Errors) == 0 || doc.Errors[0].Message == "" {
		return ""
	}
	return doc.Errors[0].Code
}

// do sends a request; header is names and values in turn.
func (s *site) do(method, path string, body io.Reader, header ...string) reply {
	s.t.Helper()
	u, err := url.Parse(s.http.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	ref, err := url.Parse(path) // a Location may be relative
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, u.ResolveReference(ref).String(), body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.http.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{res, b}
}

// want does a request and checks its status, and the code of an error.
func (s *site) want(status int, code, method, path string, body []byte, header ...string) reply {
	s.t.Helper()
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	got := s.do(method, path, r, header...)
	if got.StatusCode != status || method != http.MethodHead && code != "" && got.code() != code {
		s.t.Errorf("%s %s: %s %s, want %d %s", method, path, got.Status, got.body, status, code)
	}
	return got
}

// pushBlob pushes with POST and PUT.
func (s *site) pushBlob(repository string, body []byte) digest.Digest {
	s.t.Helper()
	d := digest.FromBytes(body)
	begun := s.want(http.StatusAccepted, "", "POST", "/v2/"+repository+"/blobs/uploads/", nil)
	s.want(http.StatusCreated, "", "PUT", begun.Header.Get("Location")+"?digest="+d.String(), body, "Content-Type", "application/octet-stream")
	return d
}

// pushManifest pushes a manifest under a tag, or by its digest if that is "".
func (s *site) pushManifest(repository, tag string, v any) digest.Digest {
	s.t.Helper()
	body, mediaType := encode(s.t, v)
	d := digest.FromBytes(body)
	if tag == "" {
		tag = d.String()
	}
	s.want(http.StatusCreated, "", "PUT", "/v2/"+repository+"/manifests/"+tag, body, "Content-Type", mediaType)
	return d
}

func encode(t testing.TB, v any) (body []byte, mediaType string) {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ MediaType string }
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	return body, doc.MediaType
}

// image pushes the blobs of an image and returns its manifest.
func (s *site) image(repository string, layers ...string) ocispec.Manifest {
	s.t.Helper()
	config := []byte(`{"os":"linux","architecture":"amd64","n":"` + strings.Join(layers, " ") + `"}`)
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Layers: []ocispec.Descriptor{},
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: s.pushBlob(repository, config), Size: int64(len(config))},
	}
	for _, l := range layers {
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: s.pushBlob(repository, []byte(l)), Size: int64(len(l))})
	}
	return m
}

// temporary is how many unfinished uploads there are on disk.
func (s *site) temporary() int {
	s.t.Helper()
	all, err := os.ReadDir(filepath.Join(s.dir, "tmp"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(all)
}
