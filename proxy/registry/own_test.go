package registry_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
	"pulley/proxy/registry/local"
)

// newOwnRoom is a room with a place for own images.
func newOwnRoom(t *testing.T, hub *hubtest.Hub) *room {
	t.Helper()
	r := newRoom(t, hub)
	var own *local.Registry
	r.own = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { own.ServeHTTP(w, q) })
	r.restart()
	own = local.New(local.Options{
		Cache: r.cache, Now: r.now,
		Allowed: func(q *http.Request) (read, write bool) { return r.handler.MayOwn(q) },
		Public:  func(q *http.Request, name string) (cache.Name, bool) { return r.handler.Published(q, name) },
	})
	return r
}

// send is mirror with a body.
func (r *room) send(method, path, body string, header ...string) *http.Response {
	r.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/v2/" + path
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://127.0.0.1:5055"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res
}

// pushOwn pushes an image of a config alone.
func (r *room) pushOwn(repository, config string) {
	r.t.Helper()
	d := digest.FromString(config).String()
	begun := r.send("POST", repository+"/blobs/uploads/", "")
	wantStatus(r.t, "begin", begun.StatusCode, http.StatusAccepted)
	wantStatus(r.t, "chunk", r.send("PATCH", begun.Header.Get("Location"), config).StatusCode, http.StatusAccepted)
	wantStatus(r.t, "finish", r.send("PUT", begun.Header.Get("Location")+"?digest="+d, "").StatusCode, http.StatusCreated)
	m := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + d + `","size":1},"layers":[]}`
	wantStatus(r.t, "manifest", r.send("PUT", repository+"/manifests/1", m, "Content-Type", "application/vnd.oci.image.manifest.v1+json").StatusCode, http.StatusCreated)
}

// TestOwnImages are pushed to and pulled from the mirror door, switched off or not,
// recorded like anything else, and nobody upstream hears of them.
func TestOwnImages(t *testing.T) {
	r := newOwnRoom(t, nil)
	r.pushOwn("local/my/app", "{}")
	e := r.event(func(e registry.Event) bool { return e.Method == "PATCH" })
	if e.Registry != "local" || e.Repository != "my/app" || e.What != "upload" || e.Reference != "" || e.Status != http.StatusAccepted || e.Source != "" {
		t.Errorf("%+v", e)
	}
	e = r.event(func(e registry.Event) bool { return e.Method == "PUT" && e.What == "manifest" })
	if e.Registry != "local" || e.Reference != "1" || e.Status != http.StatusCreated {
		t.Errorf("%+v", e)
	}
	r.set(func(c *config.Config) { c.Enabled = false })
	wantStatus(t, "pull", r.pullMirror("", "local/my/app", "1"), http.StatusOK)
	e = r.event(func(e registry.Event) bool { return e.Method == "GET" && e.What == "blob" })
	if e.Registry != "local" || e.Source != "cache" || e.FromCache != 2 || e.Bytes != 2 || e.Digest != digest.FromString("{}") {
		t.Errorf("%+v", e)
	}
	wantStatus(t, "push, switched off", r.send("POST", "local/my/app/blobs/uploads/", "").StatusCode, http.StatusAccepted)
	wantStatus(t, "a browser", r.mirror("GET", "local/my/app/manifests/1", "Origin", "https://evil.example").StatusCode, http.StatusForbidden)
	wantStatus(t, "a browser's push", r.send("POST", "local/my/app/blobs/uploads/", "", "Sec-Fetch-Site", "cross-site").StatusCode, http.StatusForbidden)
	wantStatus(t, "another registry's", r.mirror("GET", "local/my/app/manifests/1?ns=docker.io").StatusCode, http.StatusNotFound)
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestWhoMayPushOwnImages: this machine, and who has shown a password. An address
// alone may read.
func TestWhoMayPushOwnImages(t *testing.T) {
	r := newOwnRoom(t, nil)
	r.pushOwn("local/my/app", "{}")
	r.elsewhere()
	wantStatus(t, "pull", r.pullMirror("", "local/my/app", "1"), http.StatusOK)
	for _, q := range [][2]string{{"POST", "local/my/app/blobs/uploads/"}, {"PUT", "local/my/app/manifests/1"}, {"DELETE", "local/my/app/manifests/1"}} {
		wantStatus(t, q[0], r.send(q[0], q[1], "").StatusCode, http.StatusForbidden)
	}
	wantStatus(t, "still there", r.pullMirror("", "local/my/app", "1"), http.StatusOK)
	r.set(func(c *config.Config) { c.Access.Users = map[string]string{"alice": "$2a$…"} }) // the port has asked for it
	wantStatus(t, "a user", r.send("POST", "local/my/app/blobs/uploads/", "").StatusCode, http.StatusAccepted)
}

// TestMountFromPulledImages: a layer that was pulled from a public repository need
// not be sent; of a private one the pusher proves nothing by naming it.
func TestMountFromPulledImages(t *testing.T) {
	r := newOwnRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	open, secret := hubtest.RandomImage(1, 1, 1000), hubtest.RandomImage(2, 1, 1000)
	r.hub.Push("library/a", "1", open)
	r.hub.Push("alice/app", "1", secret)
	r.hub.SetPrivate("alice/app", "alice")
	wantStatus(t, "pull", r.pullMirror("", "library/a", "1"), http.StatusOK)
	e := r.engine("alice", "secret")
	e.login("alice/app")
	wantStatus(t, "private pull", e.pull("alice/app", "1"), http.StatusOK)
	r.idle()
	mount := func(img hubtest.Image, from string) int {
		t.Helper()
		return r.send("POST", "local/my/app/blobs/uploads/?mount="+img.Layers[0].Digest.String()+"&from="+from, "").StatusCode
	}
	wantStatus(t, "private", mount(secret, "alice/app"), http.StatusAccepted)
	wantStatus(t, "private, explicit", mount(secret, "docker.io/alice/app"), http.StatusAccepted)
	wantStatus(t, "private as public", mount(secret, "library/a"), http.StatusAccepted)
	wantStatus(t, "another registry", mount(open, "ghcr.io/library/a"), http.StatusAccepted)
	wantStatus(t, "unknown registry", mount(open, "evil.example/library/a"), http.StatusAccepted)
	wantStatus(t, "no name", mount(open, "../library/a"), http.StatusAccepted)
	for i, from := range []string{"library/a", "docker.io/library/a", "a"} {
		repository := "local/app" + string(rune('a'+i))
		path := repository + "/blobs/" + open.Layers[0].Digest.String()
		wantStatus(t, "before: "+from, r.mirror("GET", path).StatusCode, http.StatusNotFound)
		got := r.send("POST", repository+"/blobs/uploads/?mount="+open.Layers[0].Digest.String()+"&from="+from, "")
		wantStatus(t, from, got.StatusCode, http.StatusCreated)
		wantStatus(t, "mounted: "+from, r.mirror("GET", path).StatusCode, http.StatusOK)
	}
}
