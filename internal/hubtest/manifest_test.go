package hubtest_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/internal/hubtest"
)

func TestTagsInPages(t *testing.T) {
	p := newPusher(t)
	img := hubtest.RandomImage(1, 1, 10)
	for i := range 7 {
		p.Site("open.example").Push("a", fmt.Sprintf("t%d", i), img)
	}
	var got []string
	at, pages := "/v2/a/tags/list?n=3", 0
	for ; at != ""; pages++ {
		a := p.send("GET", at, nil)
		p.expect(a, 200)
		list := decode[struct {
			Name string
			Tags []string
		}](t, a.body)
		got = append(got, list.Tags...)
		at = ""
		if link, ok := strings.CutSuffix(a.Header.Get("Link"), `>; rel="next"`); ok {
			at = strings.TrimPrefix(link, "<")
		}
	}
	if want := p.Site("open.example").Tags("a"); !slices.Equal(got, want) || pages != 3 {
		t.Errorf("%q in %d pages, want %q in 3", got, pages, want)
	}
	p.expect(p.send("GET", "/v2/none/tags/list", nil), 404)
	p.expect(p.send("GET", "/v2/a/tags/list?n=0", nil), 200, "Link", "")
}

func TestReferrers(t *testing.T) {
	p := newPusher(t)
	img := hubtest.RandomImage(1, 1, 10)
	for _, host := range []string{"open.example", "ghcr.io"} {
		s := p.Site(host)
		s.Push("a", "1", img)
		s.Push("a", "", hubtest.Referrer(img, "text/sbom", []byte("sbom")))
		s.Push("a", "", hubtest.Referrer(img, "text/signature", []byte("signature")))
	}
	for query, want := range map[string]int{"": 2, "?artifactType=text/sbom": 1, "?artifactType=none": 0} {
		a := p.send("GET", "/v2/a/referrers/"+img.Digest().String()+query, nil)
		p.expect(a, 200, "Content-Type", ocispec.MediaTypeImageIndex)
		if idx := decode[ocispec.Index](t, a.body); len(idx.Manifests) != want {
			t.Errorf("%q: %s", query, a.body)
		}
		if filtered := a.Header.Get("OCI-Filters-Applied") != ""; filtered != (query != "") {
			t.Errorf("%q: filters applied: %v", query, filtered)
		}
	}
	res := do(t, p.c, "GET", "https://ghcr.io/token?scope=repository:a:pull", "")
	token := decode[tokens](t, res.body).Token
	if res := do(t, p.c, "GET", "https://ghcr.io/v2/a/referrers/"+img.Digest().String(), token); res.StatusCode != 404 {
		t.Errorf("ghcr.io: %s", res.Status)
	}
}

func TestManifestsByHand(t *testing.T) {
	p := newPusher(t)
	img := hubtest.RandomImage(1, 1, 10)
	put := func(ref string, body []byte, mediaType string) answer {
		t.Helper()
		return p.send("PUT", "/v2/a/manifests/"+ref, body, "Content-Type", mediaType)
	}
	a := put("1", img.Manifest, img.MediaType)
	p.expect(a, 404)
	if !strings.Contains(string(a.body), "MANIFEST_BLOB_UNKNOWN") {
		t.Errorf("body %s", a.body)
	}
	p.Site("open.example").Push("a", "", img)
	d := img.Digest().String()
	p.expect(put("1", img.Manifest, img.MediaType), 201, "Docker-Content-Digest", d, "Location", "/v2/a/manifests/"+d)
	p.expect(put("sha256:"+strings.Repeat("0", 64), img.Manifest, img.MediaType), 400)
	p.expect(put("1", img.Manifest, "text/plain"), 400)
	p.expect(put("1", []byte("{"), img.MediaType), 400)
	p.expect(put("1", make([]byte, 5<<20), img.MediaType), 413)
	about := hubtest.Referrer(img, "text/sbom", []byte("x"))
	p.Site("open.example").Push("a", "", about)
	p.expect(put("sbom", about.Manifest, about.MediaType), 201, "OCI-Subject", d)

	for _, ref := range []string{"1", d} {
		for _, method := range []string{"GET", "HEAD"} {
			a := p.send(method, "/v2/a/manifests/"+ref, nil)
			p.expect(a, 200, "Docker-Content-Digest", d, "Content-Type", img.MediaType)
			if a.ContentLength != int64(len(img.Manifest)) || method == "GET" && string(a.body) != string(img.Manifest) {
				t.Errorf("%s %s: %d bytes", method, ref, a.ContentLength)
			}
		}
	}
	if got := p.BytesSent(img.Digest()); got != int64(2*len(img.Manifest)) {
		t.Errorf("two GETs of %d bytes and two HEADs are recorded as %d", len(img.Manifest), got)
	}
	p.expect(p.send("GET", "/v2/a/manifests/1", nil, "If-None-Match", `"`+d+`"`), 304)
	p.expect(p.send("DELETE", "/v2/a/manifests/1", nil), 202)
	p.expect(p.send("GET", "/v2/a/manifests/1", nil), 404)
	p.expect(p.send("GET", "/v2/a/manifests/"+d, nil), 200)
	p.expect(p.send("DELETE", "/v2/a/manifests/"+d, nil), 202)
	p.expect(p.send("DELETE", "/v2/a/manifests/"+d, nil), 404)
}

// What is not the registry API goes to Other, upgrades included.
func TestOther(t *testing.T) {
	h := start(t, &hubtest.Hub{Other: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = io.WriteString(w, "hello from "+r.URL.Path)
			return
		}
		nc, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer nc.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(nc, rw)
	})})
	c := client(t, h)
	if res := do(t, c, "GET", registry+"/v1/search", ""); string(res.body) != "hello from /v1/search" {
		t.Errorf("%s %s", res.Status, res.body)
	}
	nc, err := h.DialContext(t.Context(), "tcp", "")
	must(t, err)
	defer nc.Close()
	_, err = io.WriteString(nc, "GET /echo HTTP/1.1\r\nHost: registry-1.docker.io\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	must(t, err)
	r := bufio.NewReader(nc)
	res, err := http.ReadResponse(r, nil)
	must(t, err)
	res.Body.Close()
	_, err = io.WriteString(nc, "ping\n")
	must(t, err)
	if line, err := r.ReadString('\n'); line != "ping\n" {
		t.Errorf("%s: %q %v", res.Status, line, err)
	}
	if rs := h.Requests(); rs[1].Status != 101 || rs[1].Kind != hubtest.Other {
		t.Errorf("recorded %+v", rs[1])
	}
}
