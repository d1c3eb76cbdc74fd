//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/control"
	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// team is several machines with one store, before one origin.
type team struct {
	*trip // the first machine
	store *waytest.ObjectStore
	at    string // cache.shared
}

func newTeam(t *testing.T) *team {
	t.Helper()
	m := &team{trip: newTrip(t), store: waytest.Objects(t, "", "")}
	m.at = m.store.URL("team")
	m.env = m.store.Environ()
	return m
}

// machine is one more, which has pulled nothing. What it says on stderr is in its home.
func (m *team) machine(more string) *trip {
	m.t.Helper()
	p := *m.trip
	p.home, p.daemon = "", nil
	p.settings.More += "[cache]\ntag_ttl = \"0s\"\nshared = \"" + m.at + "\"\n" + more
	p.home = homeWith(m.t, p.settings)
	p.launch()
	return &p
}

// launch is start with stderr in a file, as a service has it.
func (p *trip) launch() {
	p.t.Helper()
	said, err := os.OpenFile(filepath.Join(p.home, "stderr"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	old := os.Stderr
	os.Stderr = said
	p.start()
	os.Stderr = old
	p.t.Cleanup(func() {
		_ = said.Close()
		if text, err := os.ReadFile(said.Name()); err == nil && p.t.Failed() {
			p.t.Logf("%s", text)
		}
	})
}

// shared is the store as the machine lists it.
func (p *trip) shared() control.Source {
	p.t.Helper()
	var list []control.Source
	p.json(&list, "mirror", "ls", "docker.io")
	i := slices.IndexFunc(list, func(s control.Source) bool { return s.Name == "shared" })
	if i < 0 {
		p.t.Fatalf("the store is not listed: %+v", list)
	}
	return list[i]
}

// found waits until the machine has found the store.
func (p *trip) found() *trip {
	p.t.Helper()
	p.until("shared store", func() bool { return p.shared().Usable })
	return p
}

// engine pulls as docker does: what the tag stands for, then all by digest.
func (p *trip) engine() {
	p.t.Helper()
	if status := p.head("latest"); status != http.StatusOK {
		p.t.Fatalf("HEAD latest: %d", status)
	}
	client := pull(p.t, p.address, p.repository, p.image)
	client.manifest(p.image.Digest().String())
	client.rest(nil)
}

func (p *trip) head(reference string) int {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodHead, "http://"+p.address+"/v2/"+p.repository+"/manifests/"+reference, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, */*")
	rsp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = rsp.Body.Close()
	return rsp.StatusCode
}

// layer is the key of the image's layer.
func (m *team) layer(image hubtest.Image) string {
	hex := image.Layers[0].Digest.Encoded()
	return "team/blobs/sha256/" + hex[:2] + "/" + hex
}

// filled waits until the store has a whole image.
func (m *team) filled(p *trip) {
	m.t.Helper()
	want := []string{
		m.layer(p.image), "team/manifests/docker.io/" + p.repository + "/sha256/" + p.image.Digest().Encoded(), "team/refs/docker.io/" + p.repository + "/latest",
	}
	defer func() {
		if p.t.Failed() {
			p.t.Logf("the store has %v", m.store.Keys())
		}
	}()
	p.until("image in the store", func() bool {
		keys := m.store.Keys()
		return !slices.ContainsFunc(want, func(key string) bool { return !slices.Contains(keys, key) })
	})
}

// keepsSecrets looks for what nobody may write down into everything that machines have written.
func (m *team) keepsSecrets(machines ...*trip) {
	m.t.Helper()
	for _, p := range machines {
		p.says("status", "--json")
		err := filepath.WalkDir(p.home, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || strings.Contains(path, "/cache/") {
				return err
			}
			body, err := os.ReadFile(path)
			for _, secret := range []string{m.store.Secret, "X-Amz-Signature", "AWS4-HMAC", "X-Amz-Credential"} {
				if bytes.Contains(body, []byte(secret)) {
					m.t.Errorf("%s holds %q", path, secret)
				}
			}
			return err
		})
		if err != nil {
			m.t.Error(err)
		}
		for _, command := range [][]string{{"status", "--json"}, {"log", "--json"}, {"mirror", "ls", "--json"}, {"mirror", "test", "docker.io", "shared"}, {"config", "get", "cache.shared"}} {
			out, said, _ := p.run(command...)
			if strings.Contains(out+said, m.store.Secret) || strings.Contains(out+said, "AWS4-HMAC") || strings.Contains(out+said, "X-Amz-Signature") {
				m.t.Errorf("pulley %v tells secrets", command)
			}
		}
	}
}

// asked is what the origin was asked for but what tags stand for and who may ask.
func (p *trip) asked() (list []string) {
	for _, r := range p.origin.Requests() {
		if r.Kind == hubtest.Blob || r.Kind == hubtest.CDN || r.Kind == hubtest.Manifest && r.Method == http.MethodGet {
			list = append(list, r.Method+" "+r.Path)
		}
	}
	return list
}

// TestSharedStore: what one machine has pulled, another has without the origin, which is asked for its word alone.
func TestSharedStore(t *testing.T) {
	m := newTeam(t)
	a := m.machine("").found()
	a.engine()
	m.filled(a)
	b := m.machine("").found()
	a.origin.Reset()
	b.engine()
	if asked := b.asked(); len(asked) > 0 {
		t.Errorf("the origin was asked for %v", asked)
	}
	b.logSays(`blob .* from shared `, `manifest .* from shared `)
	if s := b.shared(); !s.Proven || s.Rate == 0 {
		t.Errorf("after a pull: %+v", s)
	}
	b.want("mirror ls", b.says("mirror", "ls"), `shared +on`)
	b.want("mirror test", b.says("mirror", "test", "docker.io", "shared"), `shared`)

	// A large blob, by several connections to a store that is known.
	m.next(40 << 20)
	a.image, b.image = m.image, m.image
	a.engine()
	m.filled(a)
	a.origin.Reset()
	b.engine()
	if asked := b.asked(); len(asked) > 0 {
		t.Errorf("the origin was asked for %v", asked)
	}

	// Nobody has the origin any more.
	a.origin.Down()
	b.engine() // it has been told what the tag stands for
	c := m.machine("").found()
	if status := c.head("latest"); status < 400 {
		t.Errorf("a tag by the store's word alone: %d", status)
	}
	client := pull(t, c.address, c.repository, c.image)
	client.manifest(c.image.Digest().String())
	client.rest(nil)
	m.keepsSecrets(a, b, c)
}

// TestSharedStoreDies: the store is lost in the middle of a layer. The client sees nothing of it.
func TestSharedStoreDies(t *testing.T) {
	m := newTeam(t)
	m.next(24 << 20)
	a := m.machine("").found()
	a.engine()
	m.filled(a)
	relay := waytest.NewRelay(t, m.store.Addr)
	m.at = m.store.URLAt("team", "http://"+relay.Addr)
	b := m.machine("").found()
	relay.CutAfter(5 << 20)
	b.engine()
	b.logSays(`blob .* from (origin\+shared|shared\+origin) `)
	b.until("word of it", func() bool { return !b.shared().Usable })
	if s := b.shared(); s.Why == "" {
		t.Errorf("%+v", s)
	}
	m.next(1 << 20)
	b.image = m.image
	b.engine() // from the origin
	m.keepsSecrets(a, b)
}

// TestSharedStoreLies: an object holds other bytes. The pull is right, and the store is not asked any more until a person
// says so.
func TestSharedStoreLies(t *testing.T) {
	m := newTeam(t)
	a := m.machine("").found()
	a.engine()
	m.filled(a)
	name := filepath.Join(m.store.Dir, m.layer(m.image))
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, bytes.Repeat([]byte("lie "), int(info.Size()+3)/4)[:info.Size()], 0o600); err != nil {
		t.Fatal(err)
	}
	b := m.machine("").found()
	b.engine()
	b.until("expulsion", func() bool { return strings.Contains(b.shared().Why, "wrong bytes") })
	var state control.State
	b.json(&state, "status")
	if n := len(slices.DeleteFunc(state.Problems, func(p control.Problem) bool { return !strings.Contains(p.Text, "shared store") })); n != 1 {
		t.Errorf("problems %+v", state.Problems)
	}
	m.next(1 << 20)
	b.image = m.image
	before := b.origin.BytesSent(b.image.Layers[0].Digest)
	b.engine()
	if b.origin.BytesSent(b.image.Layers[0].Digest) == before {
		t.Error("the origin was not asked")
	}
	b.says("mirror", "on", "shared")
	b.found()
}

// TestSharedStoreIsAHole: a store that swallows everything costs a pull next to nothing, whether it never answered or
// has just ceased to.
func TestSharedStoreIsAHole(t *testing.T) {
	m := newTeam(t)
	relay := waytest.NewRelay(t, m.store.Addr)
	took := func(p *trip, n int) (sum time.Duration) {
		for range n {
			m.next(1 << 20)
			p.image = m.image
			began := time.Now()
			p.engine()
			sum += time.Since(began)
		}
		return sum / time.Duration(n)
	}
	const pulls = 10
	m.at = "" // none
	without := took(m.machine(""), pulls)
	m.at = m.store.URLAt("team", "http://"+relay.Addr)
	relay.Hole(true)
	hole := m.machine("")
	with := took(hole, pulls)
	relay.Hole(false)
	relay.Cut()
	hole.found()
	relay.Hole(true)
	first := took(hole, 1)
	later := took(hole, pulls)
	t.Logf("a pull takes %v without a store, %v with a hole, %v when it has just become one, %v after that", without, with, first, later)
	if with > 2*without+50*time.Millisecond || later > 2*without+50*time.Millisecond || first > without+2*time.Second {
		t.Error("the store is waited for")
	}
}

// token is what the origin's token service gives a user for a repository.
func (p *trip) token(user, repository string) string {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+p.origin.PlainAddr()+"/token?service=registry.docker.io&scope=repository:"+repository+":pull", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Host = p.origin.AuthHost
	if r.Host == "" {
		r.Host = "auth.docker.io"
	}
	r.SetBasicAuth(user, p.origin.Site("").Password(user, time.Hour))
	rsp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rsp.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(rsp.Body).Decode(&answer); err != nil || answer.Token == "" {
		p.t.Fatalf("%s: %v", rsp.Status, err)
	}
	return answer.Token
}

// TestSharedStoreAndPrivate: nothing of a private repository goes to the store, unless it may; and then only who has a
// right to it at the origin gets it out of there.
func TestSharedStoreAndPrivate(t *testing.T) {
	m := newTeam(t)
	image := hubtest.RandomImage(77, 1, 2<<20)
	m.origin.Push("alice/app", "latest", image)
	m.origin.SetPrivate("alice/app", "alice")
	tokens := map[string]string{}
	for _, user := range []string{"alice", "mallory"} {
		tokens[user] = m.token(user, "alice/app")
	}
	layer := image.Layers[0].Digest
	of := func(p *trip, user string) error { // as containerd asks a mirror, with what it has for the registry
		request := func(path string) (int, string) {
			r, err := http.NewRequest(http.MethodGet, "http://"+p.address+"/v2/alice/app/"+path+"?ns=docker.io", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+tokens[user])
			rsp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer rsp.Body.Close()
			body, err := io.ReadAll(rsp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return rsp.StatusCode, digest.FromBytes(body).String()
		}
		for _, want := range []digest.Digest{image.Digest(), layer} {
			path := "blobs/" + want.String()
			if want != layer {
				path = "manifests/" + want.String()
			}
			if status, got := request(path); status != http.StatusOK || got != want.String() {
				return fmt.Errorf("%s as %s: %d", path, user, status)
			}
		}
		return nil
	}
	a := m.machine("").found()
	a.engine() // something public beside it
	m.filled(a)
	if err := of(a, "alice"); err != nil {
		t.Fatal(err)
	}
	m.next(1 << 20)
	a.image = m.image
	a.engine() // what comes after it has arrived
	m.filled(a)
	for _, key := range m.store.Keys() {
		if strings.Contains(key, "alice") || strings.Contains(key, layer.Encoded()) {
			t.Errorf("%s is in the store", key)
		}
	}
	b := m.machine("shared_private = true\n").found()
	if err := of(b, "alice"); err != nil {
		t.Fatal(err)
	}
	b.until("private layer", func() bool { return slices.Contains(m.store.Keys(), m.layer(image)) })
	c := m.machine("shared_private = true\n").found()
	if err := of(c, "mallory"); err == nil {
		t.Errorf("somebody without a right had it:\n%s", c.says("log"))
	}
	m.origin.Reset()
	if err := of(c, "alice"); err != nil {
		t.Fatal(err)
	}
	if n := m.origin.BytesSent(layer); n != 0 {
		t.Errorf("%d bytes of the layer from the origin", n)
	}
	m.keepsSecrets(a, b, c)
}

// TestSharedStoreRefuses: wrong and missing credentials are one problem that says what to do, and no pull is the worse
// for it.
func TestSharedStoreRefuses(t *testing.T) {
	m := newTeam(t)
	for name, env := range map[string][]string{
		"wrong": {"AWS_SECRET_ACCESS_KEY=" + m.store.Secret + "not"},
		"none":  {"AWS_SECRET_ACCESS_KEY=", "AWS_ACCESS_KEY_ID="},
	} {
		m.env = append(m.store.Environ(), env...)
		p := m.machine("")
		var problems []control.Problem
		p.until("problem", func() bool {
			var state control.State
			p.json(&state, "status")
			problems = slices.DeleteFunc(state.Problems, func(p control.Problem) bool { return !strings.Contains(p.Text, "shared store") })
			return len(problems) > 0
		})
		if len(problems) != 1 || !strings.Contains(problems[0].Text, "AWS_SECRET_ACCESS_KEY") {
			t.Errorf("%s: %+v", name, problems)
		}
		p.engine()
		if s := p.shared(); s.Usable || s.Why == "" {
			t.Errorf("%s: %+v", name, s)
		}
		m.keepsSecrets(p)
	}
}

// TestSharedStoreIsSwitchedLive: the setting is taken up while the daemon runs.
func TestSharedStoreIsSwitchedLive(t *testing.T) {
	m := newTeam(t)
	at := m.at
	m.at = ""
	p := m.machine("")
	p.engine()
	p.says("config", "set", "cache.shared", at)
	p.found()
	m.next(1 << 20)
	p.image = m.image
	p.engine()
	m.filled(p)
	if out, said, err := p.run("config", "set", "cache.shared", "s3://AKIA:"+m.store.Secret+"@layers"); err == nil || strings.Contains(out+said, m.store.Secret) || !strings.Contains(said, "AWS_PROFILE") {
		t.Errorf("%v: %s%s", err, out, said)
	}
	p.says("config", "set", "cache.shared", "")
	var list []control.Source
	p.json(&list, "mirror", "ls", "docker.io")
	if slices.ContainsFunc(list, func(s control.Source) bool { return s.Name == "shared" }) {
		t.Errorf("%+v", list)
	}
}
