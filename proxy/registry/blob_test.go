package registry_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

const mib = 1 << 20

// bigBlob puts a random blob into library/a and makes the repository known.
func bigBlob(r *room, seed uint64, size int64) (digest.Digest, hubtest.Content) {
	c := hubtest.Random(seed, size)
	return r.hub.AddContent("library/a", c), c
}

func blobURL(d digest.Digest) string { return "http://127.0.0.1/v2/library/a/blobs/" + string(d) }

// TestManyClientsOneFetch: 32 clients on one cold blob cost what one costs.
func TestManyClientsOneFetch(t *testing.T) {
	r := newRoom(t, nil)
	d, c := bigBlob(r, 1, 8*mib)
	want := content(t, c, 0, 8*mib)
	var clients sync.WaitGroup
	for range 32 {
		clients.Go(func() {
			rsp, err := r.start(context.Background(), "GET", blobURL(d), nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = rsp.Body.Close() }()
			body, err := io.ReadAll(rsp.Body)
			if err != nil || rsp.StatusCode != http.StatusOK || !same(body, want) || rsp.ContentLength != 8*mib {
				t.Errorf("%d, %d bytes, %v", rsp.StatusCode, len(body), err)
			}
		})
	}
	clients.Wait()
	r.idle()
	if n := r.hub.BytesSent(d); n > 8*mib*102/100 {
		t.Errorf("upstream sent %d bytes of %d", n, 8*mib)
	}
	var net int64
	r.mu.Lock()
	for _, e := range r.events {
		net += e.FromNet
	}
	r.mu.Unlock()
	if net != 8*mib {
		t.Errorf("the events account for %d bytes from upstream", net)
	}
}

// TestTheFillGoesOn when the client that began it hangs up, and a second client
// joins it in the middle and gets bytes at once.
func TestTheFillGoesOn(t *testing.T) {
	r := newRoom(t, nil)
	d, c := bigBlob(r, 1, 8*mib)
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(2 * mib)})
	ctx, hangUp := context.WithCancel(context.Background())
	first, err := r.start(ctx, "GET", blobURL(d), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, first.Body, mib); err != nil {
		t.Fatal(err)
	}
	second, err := r.start(context.Background(), "GET", blobURL(d), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Body.Close() }()
	got := make([]byte, mib)
	if _, err := io.ReadFull(second.Body, got); err != nil || !same(got, content(t, c, 0, mib)) {
		t.Fatalf("the second client, while upstream stalls: %v", err)
	}
	hangUp()
	_ = first.Body.Close()
	r.hub.Release()
	r.hub.SetFaults()
	rest, err := io.ReadAll(second.Body)
	if err != nil || !same(rest, content(t, c, mib, 7*mib)) {
		t.Fatalf("the rest: %d bytes, %v", len(rest), err)
	}
	r.idle()
	if n := r.hub.BytesSent(d); n != 8*mib {
		t.Errorf("upstream sent %d bytes", n)
	}
}

// TestFinish: with no client left, what happens is what fetch.finish says.
func TestFinish(t *testing.T) {
	for policy, want := range map[string]bool{config.FinishAuto: true, config.FinishAlways: true, config.FinishNever: false} {
		t.Run(policy, func(t *testing.T) {
			r := newRoom(t, nil)
			r.set(func(c *config.Config) { c.Fetch.Finish = policy })
			d, _ := bigBlob(r, 1, 8*mib)
			r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(2 * mib)})
			ctx, hangUp := context.WithCancel(context.Background())
			rsp, err := r.start(ctx, "GET", blobURL(d), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, rsp.Body, mib); err != nil {
				t.Fatal(err)
			}
			hangUp()
			_ = rsp.Body.Close()
			r.event(func(e registry.Event) bool { return e.What == "blob" && e.Door == "mirror" })
			r.hub.Release()
			r.hub.SetFaults()
			r.idle()
			if s := r.cache.Stat(); (s.Blobs == 1) != want || (s.Partials == 1) == want {
				t.Errorf("%+v", s)
			}
			if want {
				e := r.event(func(e registry.Event) bool { return e.Door == "fill" })
				if e.FromNet <= 0 || e.Repository != "library/a" {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// TestRestartResumes: a new process goes on at the byte.
func TestRestartResumes(t *testing.T) {
	r := newRoom(t, nil)
	d, _ := bigBlob(r, 1, 8*mib)
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(5 * mib)})
	rsp, err := r.start(context.Background(), "GET", blobURL(d), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, rsp.Body, 5*mib-1); err != nil {
		t.Fatal(err)
	}
	_ = rsp.Body.Close()
	r.restart()
	r.hub.SetFaults()
	got := r.do("GET", blobURL(d))
	if got.StatusCode != 200 || got.err != nil || digest.FromBytes(got.body) != d {
		t.Fatalf("%d, %v", got.StatusCode, got.err)
	}
	r.idle()
	if n := r.hub.BytesSent(d); n > 8*mib*12/10 {
		t.Errorf("upstream sent %d bytes over both runs", n)
	}
}

// TestConditional: a client that has the bytes is told so.
func TestConditional(t *testing.T) {
	r := newRoom(t, nil)
	d, _ := bigBlob(r, 1, 1000)
	for range 2 {
		got := r.do("GET", blobURL(d), "If-None-Match", `"`+string(d)+`"`)
		wantStatus(t, "If-None-Match", got.StatusCode, http.StatusNotModified)
		got = r.do("GET", blobURL(d), "Range", "bytes=0-9", "If-Range", `"other"`)
		wantStatus(t, "If-Range", got.StatusCode, http.StatusOK)
		r.idle()
	}
}

// TestHeadBlob: from the origin when cold, from the cache when warm; never GET.
func TestHeadBlob(t *testing.T) {
	r := newRoom(t, nil)
	d, _ := bigBlob(r, 1, 100_000)
	for _, state := range []string{"cold", "warm"} {
		r.hub.Reset()
		got := r.do("HEAD", blobURL(d))
		if got.StatusCode != 200 || got.ContentLength != 100_000 {
			t.Fatalf("%s: %d, %d bytes", state, got.StatusCode, got.ContentLength)
		}
		if n := r.hub.Count("GET", "/v2/**"); n != 1 && n != 0 || r.hub.BytesSent(d) != 0 {
			t.Errorf("%s: HEAD became GET", state)
		}
		wantStatus(t, "fill", r.do("GET", blobURL(d)).StatusCode, 200)
		r.idle()
	}
}

// TestAnothersRightCounts: the one whose token began a download loses the right;
// the others still get their bytes.
func TestAnothersRightCounts(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret", "bob": "hunter2"}})
	img := hubtest.RandomImage(1, 1, 4*mib)
	d, blob := img.Layers[0].Digest, img.Layers[0].Content
	for _, name := range []string{"alice", "bob"} {
		r.hub.Push(name+"/app", "1", img)
		r.hub.SetPrivate(name+"/app", name)
	}
	begin := func(e *engine, repository string) *http.Response {
		t.Helper()
		e.login(repository)
		wantStatus(t, e.user, e.ask("GET", repository+"/manifests/1").StatusCode, http.StatusOK)
		rsp, err := r.start(context.Background(), "GET", "http://"+hubHost+"/v2/"+repository+"/blobs/"+string(d), nil, "Authorization", "Bearer "+e.token)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = rsp.Body.Close() })
		wantStatus(t, e.user, rsp.StatusCode, http.StatusOK)
		return rsp
	}
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(2 * mib), First: 1})
	_ = begin(r.engine("alice", "secret"), "alice/app")
	bob := begin(r.engine("bob", "hunter2"), "bob/app")
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Path: "/v2/alice/app/blobs/**", Status: http.StatusForbidden})
	r.hub.Down()
	if err := r.hub.Up(); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(bob.Body)
	if err != nil || !same(body, content(t, blob, 0, blob.Size())) {
		t.Errorf("bob got %d bytes, %v", len(body), err)
	}
}
