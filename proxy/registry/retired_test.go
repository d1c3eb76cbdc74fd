package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// retiredRoom has a registry that is answered by another one, and answers nothing
// itself.
func retiredRoom(t *testing.T, auth hubtest.Scheme) (*room, hubtest.Image) {
	t.Helper()
	r := newRoom(t, &hubtest.Hub{Sites: []*hubtest.Site{{Host: "registry.k8s.io", Auth: auth, Users: map[string]string{"ann": "s3cret"}}}})
	r.set(func(c *config.Config) {
		c.Addresses = append(c.Addresses, config.Address{Host: "k8s.gcr.io", Use: []string{r.hub.Addr()}})
	})
	img := hubtest.RandomImage(1, 2, 10_000)
	r.hub.Site("registry.k8s.io").Push("pause", "3.9", img)
	return r, img
}

// TestRetiredRegistry: everything read of it is asked of the one that answers in its
// stead, which is shown nobody's credentials for it; the names stay its own.
func TestRetiredRegistry(t *testing.T) {
	for scheme, auth := range map[string]hubtest.Scheme{"open": hubtest.Open, "tokens": hubtest.Bearer} {
		t.Run(scheme, func(t *testing.T) {
			r, img := retiredRoom(t, auth)
			const host = "http://k8s.gcr.io"
			for _, header := range [][]string{nil, {"Authorization", basic("ann", "s3cret"), "Cookie", "session=s3cret"}} {
				ping := r.do("GET", host+"/v2/", header...)
				if ping.StatusCode != http.StatusOK && ping.StatusCode != http.StatusUnauthorized {
					t.Errorf("ping: %d %s", ping.StatusCode, ping.body)
				}
				if realm := ping.Header.Get("Www-Authenticate"); ping.StatusCode == http.StatusUnauthorized && !strings.Contains(realm, host+"/.pulley/token") {
					t.Errorf("ping: realm %q", realm)
				}
				r.do("GET", host+"/v2/nobody/knows/this", header...)
				if got := r.do("GET", host+"/", header...); got.StatusCode == http.StatusBadGateway {
					t.Errorf("its page: %s", got.body)
				}
				e := &engine{room: r, host: "k8s.gcr.io"}
				if header != nil {
					e.user, e.password = "ann", "s3cret"
				}
				got := r.do("GET", host+"/.pulley/token?service=k8s.gcr.io&scope=repository:pause:pull", header[:min(len(header), 2)]...)
				wantStatus(t, "token", got.StatusCode, http.StatusOK)
				e.token = tokenIn(t, got)
				wantStatus(t, "pull", pull(t, "pause", "3.9", e.ask), http.StatusOK)
				wantStatus(t, "tags", e.ask("GET", "pause/tags/list").StatusCode, http.StatusOK)
				wantStatus(t, "referrers", e.ask("GET", "pause/referrers/"+string(img.Digest())).StatusCode, http.StatusOK)
				wantStatus(t, "head", e.ask("HEAD", "pause/blobs/"+string(img.Layers[0].Digest)).StatusCode, http.StatusOK)
				wantStatus(t, "mirror door", r.mirror("GET", "k8s.gcr.io/pause/tags/list").StatusCode, http.StatusOK)
			}
			for _, q := range r.hub.Requests() {
				if q.Host != "registry.k8s.io" || q.User != "" || q.Authorization == "Basic" {
					t.Errorf("%s %s was asked %s, by %q with %q", q.Host, q.Path, q.Method, q.User, q.Authorization)
				}
			}
			tags, err := r.cache.Tags(cache.Name{Registry: "k8s.gcr.io", Repository: "pause"})
			if err != nil || len(tags) != 1 {
				t.Errorf("the cache knows %v of it, %v", tags, err)
			}
		})
	}
}

// TestRetiredRegistryIsPushedToItself: whatever it says to that, nobody else is
// given what was meant for it.
func TestRetiredRegistryIsPushedToItself(t *testing.T) {
	r, _ := retiredRoom(t, hubtest.Open)
	got := r.do("POST", "http://k8s.gcr.io/v2/pause/blobs/uploads/", "Authorization", basic("ann", "s3cret"))
	if got.StatusCode < 400 {
		t.Errorf("a push is answered %d", got.StatusCode)
	}
	for _, q := range r.hub.Requests() {
		t.Errorf("%s was asked %s %s", q.Host, q.Method, q.Path)
	}
}
