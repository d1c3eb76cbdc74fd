package registry_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// TestPush with a real client, cross-repository mount included; what was pushed
// is known here at once.
func TestPush(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	r.hub.Push("alice/app", "1", hubtest.RandomImage(1, 1, 1000))
	alice := r.engine("alice", "secret")
	wantStatus(t, "before", alice.pull("alice/app", "1"), http.StatusOK)
	app := cache.Name{Registry: "docker.io", Repository: "alice/app"}
	if err := r.cache.Pin(app, "1", true); err != nil {
		t.Fatal(err)
	}

	img, err := random.Image(100_000, 3)
	if err != nil {
		t.Fatal(err)
	}
	options := []remote.Option{
		remote.WithTransport(r.client.Transport), remote.WithAuth(&authn.Basic{Username: "alice", Password: "secret"}), remote.WithJobs(1),
	}
	push := func(repository string) {
		t.Helper()
		tag, err := name.NewTag(hubHost+"/"+repository, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(tag, img, options...); err != nil {
			t.Fatal(err)
		}
	}
	push("alice/app:1")
	want, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r.hub.Reset()
	got := alice.ask("HEAD", "alice/app/manifests/1")
	if got.Header.Get("Docker-Content-Digest") != want.String() {
		t.Errorf("the tag is %s after a push of %s", got.Header.Get("Docker-Content-Digest"), want)
	}
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests upstream to know what was pushed a moment ago", n)
	}
	if tag, err := r.cache.Tag(app, "1"); err != nil || !tag.Pinned || tag.Digest.String() != want.String() {
		t.Errorf("a tag that was pinned, after a push: %+v, %v", tag, err)
	}
	push("alice/other:1")
	if d, _, _, ok := r.hub.Site("").Manifest("alice/other", "1"); !ok || d != digest.Digest(want.String()) {
		t.Errorf("alice/other:1 is %s", d)
	}
	for _, q := range r.hub.Requests() {
		if q.Received > 0 && q.Kind == hubtest.Upload && strings.Contains(q.Query, "mount") {
			t.Errorf("a mount sent %d bytes", q.Received)
		}
	}

	alice.login("alice/app")
	del := r.do("DELETE", "http://"+hubHost+"/v2/alice/app/manifests/1", "Authorization", "Bearer "+r.tokenFor(alice, "repository:alice/app:delete"))
	wantStatus(t, "delete", del.StatusCode, http.StatusAccepted)
	wantStatus(t, "after delete", alice.ask("HEAD", "alice/app/manifests/1").StatusCode, http.StatusNotFound)
}

// TestPushOfAHugeManifest: what is too large to be kept is nobody's pin to lose, and is
// what everybody gets from then on.
func TestPushOfAHugeManifest(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}, MaxManifest: 8 << 20})
	r.hub.Push("alice/app", "1", hubtest.RandomImage(1, 1, 1000))
	alice := r.engine("alice", "secret")
	wantStatus(t, "before", alice.pull("alice/app", "1"), http.StatusOK)
	app := cache.Name{Registry: "docker.io", Repository: "alice/app"}
	if err := r.cache.Pin(app, "1", true); err != nil {
		t.Fatal(err)
	}
	body := `{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[],"annotations":{"x":"` + strings.Repeat("y", 5<<20) + `"}}`
	put, err := r.start(t.Context(), "PUT", "http://"+hubHost+"/v2/alice/app/manifests/1", strings.NewReader(body),
		"Authorization", "Bearer "+r.tokenFor(alice, "repository:alice/app:pull,push"), "Content-Type", indexType)
	if err != nil {
		t.Fatal(err)
	}
	_ = put.Body.Close()
	wantStatus(t, "put", put.StatusCode, http.StatusCreated)
	if got := alice.ask("GET", "alice/app/manifests/1"); digest.FromBytes(got.body) != digest.FromString(body) {
		t.Errorf("after it: %d, %d bytes", got.StatusCode, len(got.body))
	}
	if tag, err := r.cache.Tag(app, "1"); err != nil || !tag.Pinned {
		t.Errorf("the pin, after it: %+v, %v", tag, err)
	}
}

func (r *room) tokenFor(e *engine, scope string) string {
	r.t.Helper()
	got := r.do("GET", "http://"+hubHost+"/.pulley/token?service=registry.docker.io&scope="+scope, "Authorization", basic(e.user, e.password))
	var t struct{ Token string }
	if err := json.Unmarshal(got.body, &t); err != nil {
		r.t.Fatalf("%v: %s", err, got.body)
	}
	return t.Token
}

// TestPushStreams: what the client has sent is at the origin before it has sent
// the rest, and an upload's Location stays on the host the client sees.
func TestPushStreams(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	own := "Bearer " + r.tokenFor(r.engine("alice", "secret"), "repository:alice/app:pull,push")
	begun := r.do("POST", "http://"+hubHost+"/v2/alice/app/blobs/uploads/", "Authorization", own)
	wantStatus(t, "POST", begun.StatusCode, http.StatusAccepted)
	location := begun.Header.Get("Location")
	if strings.HasPrefix(location, "/") {
		location = "http://" + hubHost + location
	}
	if !strings.HasPrefix(location, "http://"+hubHost+"/v2/alice/app/blobs/uploads/") {
		t.Fatalf("Location %q leads elsewhere", location)
	}
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		rsp, err := r.start(context.Background(), "PATCH", location, in, "Authorization", own, "Content-Type", "application/octet-stream")
		if err == nil {
			_ = rsp.Body.Close()
			if rsp.StatusCode != http.StatusAccepted {
				err = fmt.Errorf("status %d", rsp.StatusCode)
			}
		}
		done <- err
	}()
	piece := bytes.Repeat([]byte("x"), mib)
	for i := range 3 {
		if _, err := out.Write(piece); err != nil {
			t.Fatal(err)
		}
		r.until("the origin to have it", func() bool {
			for _, q := range r.hub.Requests() {
				if q.Method == "PATCH" && q.Received >= int64(i)*mib+mib/2 {
					return true
				}
			}
			return false
		})
	}
	_ = out.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestUnauthorizedInTheMiddleOfAnUpload reaches the client, and leads it to our
// token service for the next try.
func TestUnauthorizedInTheMiddleOfAnUpload(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	own := "Bearer " + r.tokenFor(r.engine("alice", "secret"), "repository:alice/app:pull,push")
	begun := r.do("POST", "http://"+hubHost+"/v2/alice/app/blobs/uploads/", "Authorization", own)
	location := begun.Header.Get("Location")
	if strings.HasPrefix(location, "/") {
		location = "http://" + hubHost + location
	}
	r.hub.SetFaults(hubtest.Faults{Method: "PATCH", Status: http.StatusUnauthorized, StatusAfter: 100_000})
	rsp, err := r.start(context.Background(), "PATCH", location, bytes.NewReader(make([]byte, 200_000)), "Authorization", own)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rsp.Body.Close() }()
	c := rsp.Header.Get("Www-Authenticate")
	if rsp.StatusCode != http.StatusUnauthorized || !has(c, `realm="http://`+hubHost+`/.pulley/token"`) || !has(c, "pull,push") {
		t.Errorf("%d %q", rsp.StatusCode, c)
	}
}

// TestAnonymousPush: a token of ours does not push, and does not leave.
func TestAnonymousPush(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	e := r.engine("", "")
	e.login("library/a")
	got := e.ask("POST", "library/a/blobs/uploads/")
	if got.StatusCode != http.StatusUnauthorized || !has(got.Header.Get("Www-Authenticate"), "/.pulley/token") {
		t.Errorf("%d %q", got.StatusCode, got.Header.Get("Www-Authenticate"))
	}
	for _, q := range r.hub.Requests() {
		if q.Method == "POST" && q.Authorization != "" {
			t.Errorf("%s went along", q.Authorization)
		}
	}
}

// TestPushProvesNoPull: that anybody, or a robot, may put something somewhere does not
// say that they may have what is there, with an origin or without.
func TestPushProvesNoPull(t *testing.T) {
	t.Run("anybody", func(t *testing.T) { pushOnly(t) })
	t.Run("robot", func(t *testing.T) { pushOnly(t, "Authorization", basic("robot", "s3cret")) })
}

func pushOnly(t *testing.T, who ...string) {
	t.Helper()
	r := newRoom(t, nil)
	body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch {
		case q.Method == http.MethodPut:
			w.WriteHeader(http.StatusCreated)
		case q.URL.Path != "/v2/":
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer origin.Close()
	host := strings.TrimPrefix(origin.URL, "http://")
	r.set(func(c *config.Config) {
		c.Registries = append(c.Registries, config.Registry{Name: "box", Hosts: []string{host}, Insecure: true})
	})
	rsp, err := r.start(context.Background(), "PUT", "http://"+host+"/v2/letters/manifests/1", strings.NewReader(body), append(who, "Content-Type", indexType)...)
	if err != nil {
		t.Fatal(err)
	}
	_ = rsp.Body.Close()
	wantStatus(t, "PUT", rsp.StatusCode, http.StatusCreated)
	d := digest.FromString(body)
	if _, _, err := r.cache.Manifest(d); err != nil {
		t.Fatalf("what was put is not here: %v", err)
	}
	for _, state := range []string{"online", "offline"} {
		for _, reference := range []string{"1", string(d)} {
			got := r.do("GET", "http://"+host+"/v2/letters/manifests/"+reference, append(who, "Accept", accepts)...)
			if got.StatusCode/100 != 4 {
				t.Errorf("%s, %s: %d %s", state, reference, got.StatusCode, got.body)
			}
		}
		origin.Close()
	}
}

// TestExpectContinue: the client is told to go on by the origin, not by us, and
// sends nothing when the origin refuses.
func TestExpectContinue(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	own := "Bearer " + r.tokenFor(r.engine("alice", "secret"), "repository:alice/app:pull,push")
	for _, refuse := range []bool{false, true} {
		begun := r.do("POST", "http://"+hubHost+"/v2/alice/app/blobs/uploads/", "Authorization", own)
		location := strings.TrimPrefix(begun.Header.Get("Location"), "http://"+hubHost)
		if refuse {
			r.hub.SetFaults(hubtest.Faults{Method: "PATCH", Status: http.StatusForbidden})
		}
		c, err := net.Dial("tcp", r.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(c, "PATCH %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n", location, hubHost, own); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(c)
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if refuse {
			if !strings.HasPrefix(line, "HTTP/1.1 403") {
				t.Errorf("refused upload: %q", line)
			}
			_ = c.Close()
			continue
		}
		if !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Errorf("%q", line)
		}
		if _, err := c.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if _, err := in.ReadString('\n'); err != nil { // the end of the 100
			t.Fatal(err)
		}
		rsp, err := http.ReadResponse(in, nil)
		if err != nil || rsp.StatusCode != http.StatusAccepted {
			t.Errorf("%v %v", rsp, err)
		}
		if err == nil {
			_ = rsp.Body.Close()
		}
		_ = c.Close()
	}
}
