package registry_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/proxy/token"
)

// answer is a whole answer.
type answer struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

func (a answer) code() string {
	var e struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(a.body, &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Code
}

// do sends a request; header alternates names and values.
func (r *room) do(method, target string, header ...string) answer {
	r.t.Helper()
	rsp, err := r.start(context.Background(), method, target, nil, header...)
	if err != nil { // a connection cut before the head of an answer
		return answer{&http.Response{Header: http.Header{}}, nil, err}
	}
	defer func() { _ = rsp.Body.Close() }()
	body, err := io.ReadAll(rsp.Body)
	return answer{rsp, body, err}
}

func (r *room) start(ctx context.Context, method, target string, body io.Reader, header ...string) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Add(header[i], header[i+1])
	}
	return r.client.Do(q)
}

// mirror asks at the mirror door, as an engine with registry-mirrors does.
func (r *room) mirror(method, path string, header ...string) answer {
	r.t.Helper()
	return r.do(method, "http://127.0.0.1:5055/v2/"+path, append([]string{"Accept", accepts}, header...)...)
}

// engine is a client behind the proxy: it learns how to authenticate, fetches
// its token and pulls, as dockerd does.
type engine struct {
	*room
	host           string
	user, password string
	token          string
}

func (r *room) engine(user, password string) *engine {
	return &engine{room: r, host: hubHost, user: user, password: password}
}

// login does ping and token for a repository.
func (e *engine) login(repository string) {
	e.t.Helper()
	ping := e.do("GET", "http://"+e.host+"/v2/")
	if ping.StatusCode != http.StatusUnauthorized {
		e.t.Fatalf("ping: %d, want 401", ping.StatusCode)
	}
	list, err := token.ParseChallenges(ping.Header)
	c, ok := token.Find(list, token.Bearer)
	if err != nil || !ok {
		e.t.Fatalf("ping: challenge %q: %v", ping.Header.Get("Www-Authenticate"), err)
	}
	q := url.Values{"service": {c.Params["service"]}, "scope": {"repository:" + repository + ":pull"}}
	var header []string
	if e.user != "" {
		q.Set("account", e.user)
		header = []string{"Authorization", basic(e.user, e.password)}
	}
	got := e.do("GET", c.Params["realm"]+"?"+q.Encode(), header...)
	var t struct{ Token string }
	if err := json.Unmarshal(got.body, &t); got.StatusCode != http.StatusOK || err != nil || t.Token == "" {
		e.token = ""
		return
	}
	e.token = t.Token
}

func basic(user, password string) string {
	q := http.Request{Header: http.Header{}}
	q.SetBasicAuth(user, password)
	return q.Header.Get("Authorization")
}

func (e *engine) ask(method, path string, header ...string) answer {
	e.t.Helper()
	header = append([]string{"Accept", accepts}, header...)
	if e.token != "" {
		header = append(header, "Authorization", "Bearer "+e.token)
	}
	return e.do(method, "http://"+e.host+"/v2/"+path, header...)
}

// pull does what docker pull does: ping, token, HEAD of the tag, GET by digest,
// and every blob, all checked. It returns the first status that is not 200.
func (e *engine) pull(repository, reference string) int {
	e.t.Helper()
	e.login(repository)
	return pull(e.t, repository, reference, e.ask)
}

// pullMirror is pull at the mirror door; prefix is "" or "ghcr.io/".
func (r *room) pullMirror(prefix, repository, reference string) int {
	r.t.Helper()
	return pull(r.t, prefix+repository, reference, r.mirror)
}

func pull(t testing.TB, repository, reference string, ask func(method, path string, header ...string) answer) int {
	t.Helper()
	head := ask("HEAD", repository+"/manifests/"+reference)
	if head.StatusCode != http.StatusOK {
		return head.StatusCode
	}
	d := digest.Digest(head.Header.Get("Docker-Content-Digest"))
	return pullManifest(t, repository, d, ask)
}

func pullManifest(t testing.TB, repository string, d digest.Digest, ask func(method, path string, header ...string) answer) int {
	t.Helper()
	got := ask("GET", repository+"/manifests/"+string(d))
	if got.StatusCode != http.StatusOK {
		return got.StatusCode
	}
	if digest.FromBytes(got.body) != d {
		t.Fatalf("manifest %s: other bytes", d)
	}
	var m struct {
		Config    *struct{ Digest digest.Digest }
		Layers    []struct{ Digest digest.Digest }
		Manifests []struct{ Digest digest.Digest }
	}
	if err := json.Unmarshal(got.body, &m); err != nil {
		t.Fatal(err)
	}
	for _, child := range m.Manifests {
		if status := pullManifest(t, repository, child.Digest, ask); status != http.StatusOK {
			return status
		}
	}
	blobs := m.Layers
	if m.Config != nil {
		blobs = append(blobs, *m.Config)
	}
	for _, b := range blobs {
		got := ask("GET", repository+"/blobs/"+string(b.Digest))
		if got.StatusCode != http.StatusOK {
			return got.StatusCode
		}
		if got.err != nil || digest.FromBytes(got.body) != b.Digest {
			t.Fatalf("blob %s: %d other bytes: %v", b.Digest, len(got.body), got.err)
		}
	}
	return http.StatusOK
}

// tokenIn is the token in an answer of a token service.
func tokenIn(t testing.TB, got answer) string {
	t.Helper()
	var a struct{ Token string }
	if err := json.Unmarshal(got.body, &a); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	return a.Token
}
