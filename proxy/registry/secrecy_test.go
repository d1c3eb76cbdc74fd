package registry_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// users of the hub in these tests.
func twoUsers() map[string]string {
	return map[string]string{"alice": "alice-secret", "bob": "bob-secret"}
}

// mirrored is a hub with one mirror of each style, and one more by http.
func mirroredRoom(t *testing.T) (*room, map[string]*hubtest.Hub) {
	r := newRoom(t, &hubtest.Hub{Users: twoUsers()})
	all := map[string]*hubtest.Hub{"plain": r.addMirror("plain", hubtest.StyleHost, plain, trusting)}
	for _, style := range styles {
		all[string(style)] = r.addMirror(string(style), style, trusting)
	}
	return r, all
}

// wantSilence fails for each request that a mirror saw about anything but its own
// health.
func wantSilence(t *testing.T, what string, mirrors map[string]*hubtest.Hub) {
	t.Helper()
	for name, m := range mirrors {
		for _, q := range m.Requests() {
			if q.Path != "/v2/" || q.Query != "" {
				t.Errorf("%s: %s was asked %s %s?%s", what, name, q.Method, q.Path, q.Query)
			}
		}
	}
}

// wantNoCredentials fails for each request outside the registry and its token
// service that carried any.
func wantNoCredentials(t *testing.T, r *room, mirrors map[string]*hubtest.Hub) {
	t.Helper()
	for name, m := range mirrors {
		for _, q := range m.Requests() {
			if q.Authorization != "" || q.User != "" || strings.Contains(q.Query, "account") {
				t.Errorf("%s was sent credentials of kind %s at %s", name, q.Authorization, q.Path)
			}
		}
	}
	for _, q := range r.hub.Requests() {
		if q.Kind == hubtest.CDN && q.Authorization != "" {
			t.Errorf("the CDN was sent credentials of kind %s", q.Authorization)
		}
	}
}

// TestPrivateStaysPrivate: of what is not known to be public no mirror hears a
// thing, whoever asks, whatever the route, whether the origin answers or not.
func TestPrivateStaysPrivate(t *testing.T) {
	r, mirrors := mirroredRoom(t)
	img := hubtest.RandomImage(1, 2, 100_000)
	r.hub.Push("team/app", "1", img)
	r.hub.SetPrivate("team/app", "alice")
	routes := []string{config.RouteAuto, "plain", "host", "prefix", "ns", config.RouteDirect}
	ask := func(what string) {
		alice, bob, nobody := r.engine("alice", "alice-secret"), r.engine("bob", "bob-secret"), r.engine("", "")
		for _, e := range []*engine{alice, bob, nobody} {
			status := e.pull("team/app", "1")
			if (status == http.StatusOK) != (e == alice) {
				t.Errorf("%s: %q: status %d", what, e.user, status)
			}
			e.ask("GET", "team/app/blobs/"+string(img.Layers[0].Digest))
			e.ask("HEAD", "team/app/blobs/"+string(img.Layers[1].Digest))
			e.ask("GET", "team/app/tags/list")
			e.ask("GET", "team/app/referrers/"+string(img.Digest()))
		}
		r.mirror("GET", "team/app/manifests/1")
		r.mirror("GET", "docker.io/team/app/manifests/"+string(img.Digest()))
		r.mirror("GET", "team/app/blobs/"+string(img.Layers[0].Digest)+"?ns=docker.io")
	}
	for _, route := range routes {
		r.switchTo(route)
		ask(route)
		r.idle()
		for _, d := range img.Blobs() {
			_ = r.cache.Delete(d)
		}
		r.pass(time.Hour)
	}
	r.hub.SetFaults(hubtest.Faults{Status: http.StatusTooManyRequests})
	for _, route := range routes {
		r.switchTo(route)
		r.mirror("GET", "team/app/manifests/1")
		r.mirror("GET", "team/app/blobs/"+string(img.Layers[0].Digest))
		r.pass(time.Minute)
	}
	r.hub.SetFaults()
	r.hub.Down()
	for _, route := range routes {
		r.switchTo(route)
		r.mirror("GET", "team/app/manifests/1")
		r.mirror("GET", "docker.io/team/app/manifests/"+string(img.Digest()))
		r.mirror("GET", "team/app/blobs/"+string(img.Layers[0].Digest))
		r.pass(time.Minute)
	}
	r.idle()
	wantSilence(t, "private", mirrors)
	r.wantNoSecrets()
}

// wantNoSecrets fails if an event holds a password or a token.
func (r *room) wantNoSecrets() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := json.Marshal(r.events)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, secret := range []string{"alice-secret", "bob-secret", "Bearer ", "Basic ", "Signature=", "X-Amz", "verify="} {
		if strings.Contains(string(text), secret) {
			r.t.Errorf("an event holds %q", secret)
		}
	}
}

// TestUnknownAndTheOriginAway: what nobody has asked about before may be anybody's;
// the client is told why no mirror was asked.
func TestUnknownAndTheOriginAway(t *testing.T) {
	r, mirrors := mirroredRoom(t)
	r.hub.Push("team/app", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.Down()
	alice := r.engine("alice", "alice-secret")
	for _, what := range []string{"manifests/1", "manifests/" + someDigest, "blobs/" + someDigest, "tags/list", "referrers/" + someDigest} {
		for status, got := range map[int]answer{
			http.StatusBadGateway:   r.mirror("GET", "docker.io/team/app/"+what),
			http.StatusNotFound:     r.mirror("GET", "team/app/"+what+"?ns=docker.io"),
			http.StatusUnauthorized: func() answer { alice.login("team/app"); return alice.ask("GET", "team/app/"+what) }(),
		} {
			text := string(got.body)
			if got.StatusCode != status || strings.Contains(text, "\n") {
				t.Errorf("%s: %d %s", what, got.StatusCode, text)
			}
			cause := strings.Index(text, "connection refused")
			why := strings.Index(text, "team/app is not known to be public, so that no mirror was told of it")
			next := strings.Index(text, "try: pulley egress add NAME URL --for docker.io, or private = true at the mirror")
			if !(0 <= cause && cause < why && why < next) {
				t.Errorf("%s: %s", what, text)
			}
			if strings.Count(text, "not known to be public") != 1 {
				t.Errorf("%s says it more than once: %s", what, text)
			}
		}
		r.pass(time.Minute)
	}
	wantSilence(t, "unknown", mirrors)
}

// TestPublicForTheLoggedIn: whoever is logged in has the mirrors too, once an
// anonymous HEAD has said that anybody may know; and they hear nothing of who it is.
func TestPublicForTheLoggedIn(t *testing.T) {
	for _, style := range styles {
		t.Run(string(style), func(t *testing.T) {
			r := newRoom(t, &hubtest.Hub{Users: twoUsers()})
			one := r.addMirror("one", style)
			r.switchTo("one")
			pull := func(seed uint64, repository string) {
				r.hub.Push(repository, "1", hubtest.RandomImage(seed, 3, 100_000))
				wantStatus(t, repository, r.engine("alice", "alice-secret").pull(repository, "1"), http.StatusOK)
				r.idle()
			}
			pull(1, "team/app")
			heads := 0
			for _, q := range r.hub.Requests() {
				if q.Method == http.MethodHead && q.User == "" && q.Repository == "team/app" && q.Status == http.StatusOK {
					heads++
				}
			}
			if heads != 1 {
				t.Errorf("%d anonymous HEAD, want 1", heads)
			}
			if n := r.hub.Count("GET", "/v2/team/app/blobs/*"); n > 1 || one.Count("GET", "/v2/**/blobs/*") < 3 {
				t.Errorf("%d blobs from the origin, %d from the mirror", n, one.Count("GET", "/v2/**/blobs/*"))
			}
			r.hub.Reset()
			r.pass(time.Hour)
			pull(2, "team/app")
			if n := r.hub.Count("GET", "/v2/team/app/blobs/*"); n != 0 {
				t.Errorf("once it is known, %d blobs came from the origin", n)
			}
			for _, q := range r.hub.Requests() {
				if q.User == "" && q.Kind != hubtest.Token && q.Kind != hubtest.Ping && q.Kind != hubtest.CDN {
					t.Errorf("asked anonymously again: %s %s", q.Method, q.Path)
				}
			}
			wantNoCredentials(t, r, map[string]*hubtest.Hub{"one": one})
			r.wantNoSecrets()
		})
	}
}

// TestMadePrivateIsToldNoMore: a repository that is private by now is no longer told of; the
// one who finds out is somebody without credentials, or the check after a day.
func TestMadePrivateIsToldNoMore(t *testing.T) {
	for _, finder := range []string{"a stranger", "a day"} {
		t.Run(finder, func(t *testing.T) {
			r, mirrors := mirroredRoom(t)
			r.hub.Push("team/app", "1", hubtest.RandomImage(1, 1, 100_000))
			wantStatus(t, "public", r.engine("alice", "alice-secret").pull("team/app", "1"), http.StatusOK)
			r.idle()
			r.hub.SetPrivate("team/app", "alice")
			img := hubtest.RandomImage(2, 2, 100_000)
			r.hub.Push("team/app", "1", img)
			if finder == "a stranger" {
				r.pass(time.Hour)
				wantStatus(t, "stranger", r.engine("", "").pull("team/app", "1"), http.StatusUnauthorized)
			} else {
				r.pass(25 * time.Hour)
			}
			r.idle()
			for _, m := range mirrors {
				m.Reset()
			}
			for _, route := range []string{config.RouteAuto, "plain", "host", "prefix", "ns"} {
				r.switchTo(route)
				wantStatus(t, "alice", r.engine("alice", "alice-secret").pull("team/app", "1"), http.StatusOK)
				r.idle()
				for _, d := range img.Blobs() {
					_ = r.cache.Delete(d)
				}
				r.pass(time.Minute)
			}
			wantSilence(t, "made private", mirrors)
		})
	}
}

// TestPublicADayAgo is not public until the origin says so again, however long that
// takes.
func TestPublicADayAgo(t *testing.T) {
	r, mirrors := mirroredRoom(t)
	r.hub.Push("team/app", "1", hubtest.RandomImage(1, 1, 100_000))
	alice := r.engine("alice", "alice-secret")
	wantStatus(t, "public", alice.pull("team/app", "1"), http.StatusOK)
	r.idle()
	r.pass(25 * time.Hour)
	img := hubtest.RandomImage(2, 2, 100_000)
	r.hub.Push("team/app", "1", img)
	for _, m := range mirrors {
		m.Reset()
	}
	alice.login("team/app")
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Token, Latency: time.Hour})
	for _, route := range []string{config.RouteAuto, "plain", "host", "prefix", "ns"} {
		r.switchTo(route)
		wantStatus(t, "manifest", alice.ask("GET", "team/app/manifests/1").StatusCode, http.StatusOK)
		for _, d := range img.Blobs() {
			wantStatus(t, "blob", alice.ask("GET", "team/app/blobs/"+string(d)).StatusCode, http.StatusOK)
		}
		r.until("downloads to end", func() bool { return len(r.handler.Active()) == 0 })
		for _, d := range img.Blobs() {
			_ = r.cache.Delete(d)
		}
	}
	wantSilence(t, "public a day ago", mirrors)
	r.hub.SetFaults()
}

// TestMadePrivateMeanwhile: a download that is under way tells no mirror anything
// more.
func TestMadePrivateMeanwhile(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: twoUsers()})
	one := r.addMirror("one", hubtest.StyleHost)
	r.place("one").Prove()
	r.switchTo("one")
	img := hubtest.RandomImage(1, 1, 8*mib)
	r.hub.Push("team/app", "1", img)
	alice := r.engine("alice", "alice-secret")
	wantStatus(t, "before", alice.pull("team/app", "1"), http.StatusOK)
	r.idle()
	d := img.Layers[0].Digest
	if err := r.cache.Delete(d); err != nil {
		t.Fatal(err)
	}
	one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Stall: hubtest.At(2 * mib)})
	rsp, err := r.start(t.Context(), "GET", "http://"+hubHost+"/v2/team/app/blobs/"+string(d), nil, "Authorization", "Bearer "+alice.token)
	if err != nil {
		t.Fatal(err)
	}
	s := &reader{t, rsp, func() {}}
	defer s.hangUp()
	s.take(mib)
	r.hub.SetPrivate("team/app", "alice")
	r.pass(6 * time.Minute) // the token from before has run out
	wantStatus(t, "stranger", r.engine("", "").pull("team/app", "1"), http.StatusUnauthorized)
	one.Reset()
	one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Cut: hubtest.At(mib)})
	one.Release()
	if rest, err := s.rest(); err != nil || mib+int64(len(rest)) != img.Layers[0].Content.Size() {
		t.Fatalf("%d bytes, %v", len(rest), err)
	}
	wantSilence(t, "made private", map[string]*hubtest.Hub{"one": one})
}

// TestPrivateMirror: one that a person has said may know is told, with its own
// credentials and never the client's.
func TestPrivateMirror(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: twoUsers()})
	one := r.addMirror("one", hubtest.StyleHost, private)
	two := r.addMirror("two", hubtest.StyleHost)
	r.switchTo("one")
	img := hubtest.RandomImage(1, 1, 100_000)
	r.hub.Push("team/app", "1", img)
	one.Push("team/app", "1", img)
	r.hub.SetPrivate("team/app", "alice")
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Status: http.StatusInternalServerError})
	wantStatus(t, "pull", r.engine("alice", "alice-secret").pull("team/app", "1"), http.StatusOK)
	if one.Count("GET", "/v2/team/app/blobs/*") == 0 {
		t.Error("it was not asked")
	}
	wantSilence(t, "the other", map[string]*hubtest.Hub{"two": two})
	wantNoCredentials(t, r, map[string]*hubtest.Hub{"one": one})
}
