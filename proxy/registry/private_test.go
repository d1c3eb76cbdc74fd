package registry_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// privateRoom has alice's private image in it, pulled by her once.
func privateRoom(t *testing.T) (*room, *engine) {
	t.Helper()
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret", "bob": "hunter2"}})
	r.hub.Push("alice/app", "1", hubtest.RandomImage(1, 2, 100_000))
	r.hub.SetPrivate("alice/app", "alice")
	alice := r.engine("alice", "secret")
	wantStatus(t, "alice, cold", alice.pull("alice/app", "1"), http.StatusOK)
	r.idle()
	return r, alice
}

// TestPrivateWithAndWithoutLogin: the cache publishes nothing.
func TestPrivateWithAndWithoutLogin(t *testing.T) {
	r, alice := privateRoom(t)
	r.hub.Reset()
	wantStatus(t, "alice, warm", alice.pull("alice/app", "1"), http.StatusOK)
	if n := r.hub.Count("GET", "/v2/**"); n != 0 {
		t.Errorf("a warm private pull fetched %d things", n)
	}
	if n := r.hub.Count("HEAD", "/v2/**"); n != 1 {
		t.Errorf("%d HEADs to prove her right, want 1 for the pull", n)
	}
	layer := r.hub.Site("").Manifest
	_, _, body, _ := layer("alice/app", "1")
	var m struct{ Layers []struct{ Digest string } }
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	for who, e := range map[string]*engine{"nobody": r.engine("", ""), "bob": r.engine("bob", "hunter2"), "wrong password": r.engine("alice", "Secret")} {
		if got := e.pull("alice/app", "1"); got == http.StatusOK {
			t.Errorf("%s pulled alice's image", who)
		}
		for _, path := range []string{"blobs/" + m.Layers[0].Digest, "manifests/1", "tags/list"} {
			for _, method := range []string{"HEAD", "GET"} {
				got := e.ask(method, "alice/app/"+path)
				if got.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s: %s %s: %d", who, method, path, got.StatusCode)
				}
				if c := got.Header.Get("Www-Authenticate"); !has(c, `realm="http://`+hubHost+`/.pulley/token"`) {
					t.Errorf("%s: challenge %q", who, c)
				}
			}
		}
	}
	for _, q := range r.hub.Requests() {
		if strings.HasPrefix(q.Header.Get("Authorization"), "Bearer pulley.") {
			t.Errorf("a token of ours went to %s%s", q.Host, q.Path)
		}
	}
}

// TestRevocation: a definite no ends it at once when the origin is asked, and the
// right does not come back when the origin is away.
func TestRevocation(t *testing.T) {
	r, alice := privateRoom(t)
	r.hub.SetPrivate("alice/app", "bob")
	r.pass(10 * time.Minute)
	if got := alice.pull("alice/app", "1"); got == http.StatusOK {
		t.Fatal("pulled after revocation")
	}
	r.hub.Down()
	if got := alice.pull("alice/app", "1"); got == http.StatusOK {
		t.Fatal("pulled after revocation, offline")
	}
}

// TestMadePrivate: a public repository that is made private is so for us too.
func TestMadePrivate(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	wantStatus(t, "public", r.engine("", "").pull("library/a", "1"), http.StatusOK)
	r.hub.SetPrivate("library/a", "alice")
	r.pass(time.Hour)
	wantStatus(t, "made private", r.engine("", "").pull("library/a", "1"), http.StatusUnauthorized)
	r.hub.Down()
	wantStatus(t, "offline", r.engine("", "").pull("library/a", "1"), http.StatusUnauthorized)
	wantStatus(t, "offline, registry-mirrors", r.mirror("GET", "library/a/manifests/1?ns=docker.io").StatusCode, http.StatusNotFound)
}

// TestPrivateOffline: the right that was proved holds for private_offline, also
// over a restart, for those credentials alone.
func TestPrivateOffline(t *testing.T) {
	r, alice := privateRoom(t)
	r.hub.Down()
	r.restart()
	wantStatus(t, "alice", alice.pull("alice/app", "1"), http.StatusOK)
	for who, e := range map[string]*engine{"nobody": r.engine("", ""), "bob": r.engine("bob", "hunter2"), "wrong password": r.engine("alice", "Secret")} {
		wantStatus(t, who, e.pull("alice/app", "1"), http.StatusUnauthorized)
		wantStatus(t, who+", nothing cached", e.ask("GET", "alice/other/manifests/1").StatusCode, http.StatusUnauthorized)
	}
	r.route("docker.io", config.RouteOffline)
	wantStatus(t, "alice, route offline", alice.pull("alice/app", "1"), http.StatusOK)
	wantStatus(t, "nobody, route offline", r.engine("", "").pull("alice/app", "1"), http.StatusUnauthorized)
	r.route("docker.io", config.RouteAuto)

	r.pass(8 * 24 * time.Hour)
	wantStatus(t, "alice, a week later", alice.pull("alice/app", "1"), http.StatusUnauthorized)
	if err := r.hub.Up(); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "alice, online again", alice.pull("alice/app", "1"), http.StatusOK)
	wantStatus(t, "nobody, online again", r.engine("", "").pull("alice/app", "1"), http.StatusUnauthorized)
}

// TestPrivateOfflineNever: "0" keeps no right at all.
func TestPrivateOfflineNever(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	r.set(func(c *config.Config) { c.Access.PrivateOffline = 0 })
	r.hub.Push("alice/app", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetPrivate("alice/app", "alice")
	alice := r.engine("alice", "secret")
	wantStatus(t, "cold", alice.pull("alice/app", "1"), http.StatusOK)
	r.hub.Down()
	r.restart()
	wantStatus(t, "offline", alice.pull("alice/app", "1"), http.StatusUnauthorized)
}

// TestRefreshToken: an identity token is recognised offline as a password is.
func TestRefreshToken(t *testing.T) {
	r, _ := privateRoom(t)
	form := func(values url.Values) answer {
		q, err := http.NewRequest("POST", "http://"+hubHost+"/.pulley/token", strings.NewReader(values.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rsp, err := r.client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rsp.Body.Close() }()
		var a answer
		a.Response = rsp
		a.body = make([]byte, 1<<16)
		n, _ := rsp.Body.Read(a.body)
		a.body = a.body[:n]
		return a
	}
	got := form(url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"secret"}, "service": {"registry.docker.io"},
		"scope": {"repository:alice/app:pull"}, "client_id": {"test"}, "access_type": {"offline"}})
	var first struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(got.body, &first); err != nil || first.RefreshToken == "" {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	renew := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}, "service": {"registry.docker.io"},
		"scope": {"repository:alice/app:pull"}, "client_id": {"test"}}
	use := func(what string, want int) {
		t.Helper()
		var second struct {
			AccessToken string `json:"access_token"`
		}
		if got := form(renew); json.Unmarshal(got.body, &second) != nil || second.AccessToken == "" {
			t.Fatalf("%s: %d %s", what, got.StatusCode, got.body)
		}
		rsp := r.do("GET", "http://"+hubHost+"/v2/alice/app/manifests/1", "Accept", accepts, "Authorization", "Bearer "+second.AccessToken)
		wantStatus(t, what, rsp.StatusCode, want)
	}
	use("online", http.StatusOK)
	r.hub.Down()
	use("offline", http.StatusOK)
	renew.Set("refresh_token", "stolen")
	use("offline, another one", http.StatusUnauthorized)
}

// TestLoginOffline: nobody here can tell whether a password is right.
func TestLoginOffline(t *testing.T) {
	r, _ := privateRoom(t)
	r.hub.Down()
	got := r.do("GET", "http://"+hubHost+"/.pulley/token?service=registry.docker.io&account=alice", "Authorization", basic("alice", "wrong"))
	wantStatus(t, "docker login, offline", got.StatusCode, http.StatusServiceUnavailable)
}

// TestForeignRealm: a registry that names a token service that is none of its
// own gets no credentials through us.
func TestForeignRealm(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	r.hub.Push("alice/app", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetPrivate("alice/app", "alice")
	for _, realm := range []string{"https://evil.example/token", "https://169.254.169.254/token", "http://auth.docker.io/token"} {
		r.hub.Site("").SetRealm(realm)
		got := r.do("GET", "http://"+hubHost+"/.pulley/token?scope=repository:alice/app:pull", "Authorization", basic("alice", "secret"))
		wantStatus(t, realm, got.StatusCode, http.StatusUnauthorized)
		if !has(string(got.body), "token realm") {
			t.Errorf("%s: the client is not told why: %s", realm, got.body)
		}
	}
	for _, q := range r.hub.Requests() {
		if q.Authorization != "" {
			t.Errorf("credentials went to %s%s", q.Host, q.Path)
		}
	}
}

// TestForeignRealmIsNoOutage: a client that can go to the origin is sent there, any
// other is told that it may not; the registry can be reached, and is asked again at
// once when it has come to its senses.
func TestForeignRealmIsNoOutage(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 1, 1000)
	r.hub.Push("library/a", "1", img)
	e := r.engine("", "")
	e.login("library/a")
	blob := "library/a/blobs/" + string(img.Layers[0].Digest)
	r.restart()
	if err := os.RemoveAll(filepath.Join(r.dir, "state", "registries")); err != nil { // where it once said to get tokens
		t.Fatal(err)
	}
	r.restart()
	r.hub.Site("").SetRealm("https://evil.example/token")
	for _, path := range []string{"library/a/manifests/1", "library/a/manifests/" + string(img.Digest()), blob} {
		for what, c := range map[string]struct {
			got  answer
			want int
		}{
			"?ns=":             {r.mirror("GET", path+"?ns=docker.io"), http.StatusNotFound},
			"registry-mirrors": {r.mirror("GET", path), http.StatusNotFound},
			"explicit":         {r.mirror("GET", "docker.io/"+path), http.StatusUnauthorized},
			"intercepted":      {e.ask("GET", path), http.StatusUnauthorized},
		} {
			if c.got.StatusCode != c.want || !has(string(c.got.body), "token realm") {
				t.Errorf("%s %s: %d %s", what, path, c.got.StatusCode, c.got.body)
			}
		}
	}
	if got := r.event(func(e registry.Event) bool { return e.What == "blob" && e.Err != "" }); !has(got.Err, "evil.example") {
		t.Errorf("%+v", got)
	}
	r.hub.Site("").SetRealm("")
	wantStatus(t, "afterwards", r.pullMirror("", "library/a", "1"), http.StatusOK)
}

// TestBasicRegistry keeps its way, offline too.
func TestBasicRegistry(t *testing.T) {
	site := &hubtest.Site{Host: "quay.io", Auth: hubtest.Basic, Users: map[string]string{"alice": "secret"}}
	r := newRoom(t, &hubtest.Hub{Sites: []*hubtest.Site{site}})
	site.Push("a/b", "1", hubtest.RandomImage(1, 1, 1000))
	password := []string{"Authorization", basic("alice", "secret"), "Accept", accepts}
	ask := func(header ...string) func(method, path string, more ...string) answer {
		return func(method, path string, more ...string) answer {
			return r.do(method, "http://quay.io/v2/"+path, append(more, header...)...)
		}
	}
	check := func(state string) {
		t.Helper()
		ping := r.do("GET", "http://quay.io/v2/")
		if c := ping.Header.Get("Www-Authenticate"); ping.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(c, "Basic ") {
			t.Errorf("%s: ping %d %q", state, ping.StatusCode, c)
		}
		wantStatus(t, state, pull(t, "a/b", "1", ask(password...)), http.StatusOK)
		wantStatus(t, state+", nobody", pull(t, "a/b", "1", ask("Accept", accepts)), http.StatusUnauthorized)
		wantStatus(t, state+", wrong password", pull(t, "a/b", "1", ask("Authorization", basic("alice", "x"), "Accept", accepts)), http.StatusUnauthorized)
	}
	check("online")
	r.idle()
	r.hub.Down()
	r.restart()
	check("offline")
}

// TestOpenRegistry asks for nothing, so neither do we.
func TestOpenRegistry(t *testing.T) {
	site := &hubtest.Site{Host: "quay.io", Auth: hubtest.Open}
	r := newRoom(t, &hubtest.Hub{Sites: []*hubtest.Site{site}})
	site.Push("a/b", "1", hubtest.RandomImage(1, 1, 1000))
	ask := func(method, path string, more ...string) answer {
		return r.do(method, "http://quay.io/v2/"+path, append(more, "Accept", accepts)...)
	}
	for _, state := range []string{"cold", "offline"} {
		wantStatus(t, state+" ping", ask("GET", "").StatusCode, http.StatusOK)
		wantStatus(t, state, pull(t, "a/b", "1", ask), http.StatusOK)
		r.idle()
		r.hub.Down()
		r.restart()
	}
}

// TestNoSecretIsKept: neither in the state nor in events.
func TestNoSecretIsKept(t *testing.T) {
	r, alice := privateRoom(t)
	wantStatus(t, "warm", alice.pull("alice/app", "1"), http.StatusOK)
	secrets := []string{"secret", strings.TrimPrefix(basic("alice", "secret"), "Basic "), alice.token}
	err := filepath.WalkDir(filepath.Join(r.dir, "state"), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		if fi.Mode().Perm()&0o077 != 0 && path != filepath.Join(r.dir, "state") {
			t.Errorf("%s: mode %v", path, fi.Mode())
		}
		if e.IsDir() {
			return nil
		}
		body, err := os.ReadFile(path)
		for _, s := range secrets {
			if has(string(body), s) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range secrets {
			if has(string(b), s) {
				t.Errorf("event holds a secret: %s", b)
			}
		}
	}
}

// TestExpiredToken: a token that ran out says nothing about the right.
func TestExpiredToken(t *testing.T) {
	var ahead atomic.Int64
	hub := &hubtest.Hub{Users: map[string]string{"alice": "secret"}, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
	r := newRoom(t, hub)
	r.hub.Push("alice/app", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetPrivate("alice/app", "alice")
	alice := r.engine("alice", "secret")
	wantStatus(t, "cold", alice.pull("alice/app", "1"), http.StatusOK)
	r.idle()
	ahead.Store(int64(time.Hour))
	r.pass(time.Hour)
	got := alice.ask("GET", "alice/app/manifests/1")
	if got.StatusCode != http.StatusUnauthorized || !has(got.Header.Get("Www-Authenticate"), `error="invalid_token"`) {
		t.Fatalf("an old token: %d %q", got.StatusCode, got.Header.Get("Www-Authenticate"))
	}
	r.hub.Down()
	wantStatus(t, "offline", alice.pull("alice/app", "1"), http.StatusOK)
	r.event(func(e registry.Event) bool { return e.What == "token" && has(e.Note, "cannot be reached") })
}
