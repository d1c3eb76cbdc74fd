package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/source"
)

func blobOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func TestRedirects(t *testing.T) {
	data := blobOf(100_000)
	for _, how := range []hubtest.Redirect{
		{}, {Off: true}, {Status: 301}, {Status: 302}, {Status: 303}, {Status: 307}, {Status: 308},
		{Hops: 2}, {Relative: true}, {Relative: true, Hops: 2},
	} {
		t.Run(fmt.Sprintf("%+v", how), func(t *testing.T) {
			r := newRig(t, &hubtest.Hub{Redirect: how, Users: map[string]string{"ann": "s3cret"}})
			d := r.hub.AddBlob(repo, data)
			for _, id := range []source.Identity{source.Anonymous(), source.Client(basic("ann", "s3cret"))} {
				for _, span := range [][2]int64{{0, -1}, {500, -1}, {0, 10}, {99_990, 100_000}} {
					b, err := r.open(t, d.String(), span[0], span[1], id)
					if err != nil {
						t.Fatal(err)
					}
					end := span[1]
					if end < 0 {
						end = int64(len(data))
					}
					got, err := io.ReadAll(b)
					_ = b.Close()
					if err != nil || !bytes.Equal(got, data[span[0]:end]) || b.Start != span[0] || b.Total != int64(len(data)) || !b.Ranged || b.Length != end-span[0] {
						t.Errorf("%v: %+v, %d bytes, %v", span, b, len(got), err)
					}
				}
			}
			for _, q := range r.hub.Requests() {
				if q.Kind == hubtest.CDN && q.Host != "registry-1.docker.io" && (q.Authorization != "" || q.Header.Get("Cookie") != "" || q.Referer != "") {
					t.Errorf("the CDN got %v", q.Header)
				}
				if q.Kind == hubtest.CDN && q.Status >= 400 {
					t.Errorf("the CDN answered %d to %s", q.Status, q.Path)
				}
			}
		})
	}
}

func TestRedirectToPlainHTTPIsNotFollowed(t *testing.T) {
	r := newRig(t, &hubtest.Hub{Redirect: hubtest.Redirect{HTTP: true}})
	d := r.hub.AddBlob(repo, blobOf(10))
	_, err := r.open(t, d.String(), 0, -1, source.Anonymous())
	if err == nil || !strings.Contains(err.Error(), "plain http") || source.Definite(err) {
		t.Errorf("got %v", err)
	}
	if strings.Contains(fmt.Sprint(err), "?") {
		t.Errorf("the error shows a signed query: %v", err)
	}
}

// Credentials and cookies end where the registry's host ends, and do not come
// back with it.
func TestNothingGoesElsewhere(t *testing.T) {
	data := blobOf(1000)
	seen := map[string]http.Header{}
	var home, away *httptest.Server
	away = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen["away"] = r.Header
		http.Redirect(w, r, home.URL+"/back", http.StatusFound)
	}))
	defer away.Close()
	var o *source.Origin
	o, home = lab(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/back":
			seen["back"] = r.Header
			_, _ = w.Write(data)
		case "/second":
			seen["second"] = r.Header
			http.Redirect(w, r, strings.Replace(away.URL, "127.0.0.1", "localhost", 1)+"/x", http.StatusFound)
		default:
			http.Redirect(w, r, "/second", http.StatusTemporaryRedirect)
		}
	})
	resp, err := o.Do(t.Context(), source.Req{
		Method: http.MethodGet, Path: "/v2/a/blobs/x", Auth: source.Client("Bearer secret"),
		Header: http.Header{"Cookie": {"c=1"}, "Range": {"bytes=0-"}, "Referer": {"r"}, "X-Token": {"secret"}},
	})
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	if h := seen["second"]; h.Get("Authorization") != "Bearer secret" || h.Get("Cookie") != "c=1" {
		t.Errorf("on its own host: %v", h)
	}
	for _, where := range []string{"away", "back"} {
		h := seen[where]
		if h == nil || h.Get("Range") != "bytes=0-" {
			t.Errorf("%s: %v", where, h)
		}
		for _, name := range []string{"Authorization", "Cookie", "Referer", "X-Token"} {
			if h.Get(name) != "" {
				t.Errorf("%s got %s", where, name)
			}
		}
	}
}

func TestBadRedirects(t *testing.T) {
	for name, location := range map[string]string{
		"endless": "/v2/a/blobs/sha256:0", "user": "https://u:p@example.com/x?sig=1", "scheme": "ftp://example.com/x?sig=1",
		"file": "file:///etc/passwd?sig=1", "unreadable": "http://[::1/%zz?sig=1", "no host": "https:///x?sig=1",
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			o := labRig(t, func(w http.ResponseWriter, _ *http.Request) {
				n++
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
			})
			_, err := o.open(t, "sha256:0", 0, -1, source.Anonymous())
			var s *source.StatusError
			if !errors.As(err, &s) || s.Definite() || strings.Contains(err.Error(), "sig=") || n > 6 {
				t.Errorf("%v after %d requests", err, n)
			}
		})
	}
}

// A registry elsewhere cannot send us to what only this machine reaches.
func TestRedirectsDoNotReachInside(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the inside was reached") }))
	defer inside.Close()
	u, err := url.Parse(inside.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"http://127.0.0.1:" + u.Port(), "http://localhost:" + u.Port(), "http://0.0.0.0:" + u.Port(),
		"http://169.254.169.254", "http://inside.example:" + u.Port(), "http://[::ffff:127.0.0.1]:" + u.Port()} {
		cfg := config.Default()
		cfg.Registries = append(cfg.Registries, config.Registry{Name: "far", Hosts: []string{"far.example"}, Insecure: true})
		reg, _ := cfg.Registry("far")
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target+"/latest/meta-data", http.StatusTemporaryRedirect)
		}))
		set := newSetVia(t, cfg, front.URL)
		_, err := openAt(t, set, reg, "a", "sha256:0", 0, -1, source.Anonymous())
		front.Close()
		if err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// An answer is only an answer if it fits the question.
func TestWrongAnswers(t *testing.T) {
	data := blobOf(1000)
	serve := func(h func(w http.ResponseWriter)) *rig {
		return labRig(t, func(w http.ResponseWriter, _ *http.Request) { h(w) })
	}
	partial := func(contentRange string, body []byte) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if contentRange != "" {
				w.Header().Set("Content-Range", contentRange)
			}
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body)
		}
	}
	for name, h := range map[string]func(http.ResponseWriter){
		"no Content-Range": partial("", data[100:200]),
		"another start":    partial("bytes 0-99/1000", data[:100]),
		"beyond the end":   partial("bytes 100-299/1000", data[100:300]),
		"garbage":          partial("bytes a-b/c", data[100:200]),
		"past its total":   partial("bytes 100-199/150", data[100:200]),
		"wrong length":     partial("bytes 100-199/1000", data[100:150]),
		"unsatisfied":      partial("bytes */1000", nil),
		"several parts": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
			partial("bytes 100-199/1000", data[100:200])(w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := serve(h).open(t, "sha256:0", 100, 200, source.Anonymous())
			var lie *source.LieError
			if !errors.As(err, &lie) {
				t.Errorf("got %v", err)
			}
		})
	}
	read := func(o *rig, off, end int64) (*source.Body, []byte, error) {
		t.Helper()
		b, err := o.open(t, "sha256:0", off, end, source.Anonymous())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(b)
		_ = b.Close()
		return b, got, err
	}
	flushed := func(contentRange string, status int, body []byte) *rig {
		return serve(func(w http.ResponseWriter) {
			if contentRange != "" {
				w.Header().Set("Content-Range", contentRange)
			}
			w.WriteHeader(status)
			_ = http.NewResponseController(w).Flush() // chunked
			_, _ = w.Write(body)
		})
	}
	if b, got, err := read(flushed("bytes 100-199/*", 206, data[100:300]), 100, 200); err != nil || b.Total != -1 || !bytes.Equal(got, data[100:200]) {
		t.Errorf("a chunked range, too long: %d bytes, %v", len(got), err)
	}
	if _, _, err := read(flushed("bytes 100-199/1000", 206, data[100:150]), 100, 200); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a chunked range, too short: %v", err)
	}
	if b, got, err := read(flushed("", 200, data), 0, -1); err != nil || b.Total != -1 || b.Length != -1 || len(got) != 1000 {
		t.Errorf("chunked: %+v, %v", b, err)
	}
	if b, got, err := read(flushed("", 200, data), 100, 200); err != nil || b.Ranged || b.Start != 0 || len(got) != 1000 {
		t.Errorf("no ranges: %+v, %d bytes, %v", b, len(got), err)
	}
	o := serve(func(w http.ResponseWriter) {
		w.Header().Set("Content-Range", "bytes */1000")
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
	})
	_, err := o.open(t, "sha256:0", 5000, -1, source.Anonymous())
	var s *source.StatusError
	if !errors.As(err, &s) || s.Status != 416 || s.Size != 1000 || s.Definite() || s.Unknown() {
		t.Errorf("416: %v", err)
	}
}

// What the storage says about a signed URL is not what the registry says about
// the blob.
func TestStorageIsNoJudge(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	d := r.hub.AddBlob(repo, blobOf(10))
	for _, status := range []int{400, 403, 404, 410, 500} {
		r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Status: status})
		_, err := r.open(t, d.String(), 0, -1, source.Anonymous())
		if err == nil || source.Definite(err) || !source.Unknown(err) {
			t.Errorf("%d: %v", status, err)
		}
	}
	r.hub.SetFaults()
	_, err := r.open(t, "sha256:"+strings.Repeat("0", 64), 0, -1, source.Anonymous())
	if !source.Definite(err) {
		t.Errorf("a blob that is not there: %v", err)
	}
}

// A registry that redirects everything to another one speaks through it.
func TestRedirectedRegistry(t *testing.T) {
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	o, _ := lab(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)+r.URL.Path, http.StatusFound)
	})
	for path, definite := range map[string]bool{"/v2/a/manifests/1": true, "/v2/a/blobs/sha256:0": false} {
		resp, err := o.Do(t.Context(), source.Req{Method: http.MethodGet, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Fail(resp); err.Definite() != definite || err.Status != 404 {
			t.Errorf("%s: %v, definite %v", path, err, err.Definite())
		}
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-9/100")
	f.Add("bytes */100")
	f.Add("bytes 5-7/*")
	f.Fuzz(func(t *testing.T, v string) {
		r, err := source.ParseContentRange(v)
		if err != nil {
			return
		}
		switch {
		case r.Start == -1:
			if r.End != -1 || r.Total < 0 {
				t.Fatalf("%q: %+v", v, r)
			}
		case r.Start < 0 || r.End <= r.Start || r.Total >= 0 && r.End > r.Total || r.Total < -1:
			t.Fatalf("%q: %+v", v, r)
		}
	})
}
