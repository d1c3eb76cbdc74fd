package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// A person's credentials open what is theirs, for them alone, and go to the origin
// and its token service alone.
func TestPrefetchPrivate(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret", "bob": "hunter2"}})
	mirror := r.addMirror("m1", hubtest.StyleHost)
	img := hubtest.RandomImage(1, 2, 1000).WithPlatform(own())
	r.hub.Push("alice/app", "1", img)
	r.hub.SetPrivate("alice/app", "alice")
	as := func(user, password string) func(*registry.Pull) {
		return func(p *registry.Pull) { p.Authorization = basic(user, password) }
	}
	for who, change := range map[string]func(*registry.Pull){"nobody": func(*registry.Pull) {}, "bob": as("bob", "hunter2"), "wrong": as("alice", "x")} {
		_, err := r.prefetch("alice/app:1", change)
		var no *registry.PullError
		if !errors.As(err, &no) || no.Cause != registry.CauseDenied {
			t.Errorf("%s: %v", who, err)
		}
		if err != nil && (has(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") || who == "nobody" && !has(err.Error(), "docker login")) {
			t.Errorf("%s: %v", who, err)
		}
	}
	r.mustPrefetch("alice/app:1", as("alice", "secret"))
	wantStatus(t, "alice", r.engine("alice", "secret").pull("alice/app", "1"), http.StatusOK)
	for who, e := range map[string]*engine{"nobody": r.engine("", ""), "bob": r.engine("bob", "hunter2")} {
		if got := e.pull("alice/app", "1"); got == http.StatusOK {
			t.Errorf("%s pulled alice's image", who)
		}
	}
	if _, err := r.prefetch("alice/app:1"); err == nil {
		t.Error("nobody prefetched alice's image out of the cache")
	}
	if n := len(mirror.Requests()); n != 0 {
		t.Errorf("a mirror was told of it %d times", n)
	}
	r.hub.Down()
	r.restart()
	wantStatus(t, "alice, offline", r.engine("alice", "secret").pull("alice/app", "1"), http.StatusOK)
	if got := r.mustPrefetch("alice/app:1", as("alice", "secret"), fresh); !got.Unchecked {
		t.Errorf("%+v", got)
	}
	if _, err := r.prefetch("alice/app:1", as("bob", "hunter2")); err == nil {
		t.Error("bob prefetched alice's image, offline")
	}
}

// An identity token, as docker login keeps them, opens what is its owner's.
func TestPrefetchWithAnIdentityToken(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	img := hubtest.RandomImage(1, 1, 1000).WithPlatform(own())
	r.hub.Push("alice/app", "1", img)
	r.hub.SetPrivate("alice/app", "alice")
	refresh := r.refreshToken("alice", "secret")
	with := func(token string) func(*registry.Pull) {
		return func(p *registry.Pull) { p.Authorization = "Refresh " + token }
	}
	if _, err := r.prefetch("alice/app:1", with("wrong")); err == nil || has(err.Error(), "wrong;") {
		t.Errorf("a wrong one: %v", err)
	}
	r.mustPrefetch("alice/app:1", with(refresh))
	for _, q := range r.hub.Requests() {
		if has(q.Header.Get("Authorization"), refresh) {
			t.Errorf("the identity token went to %s%s", q.Host, q.Path)
		}
	}
	r.pass(time.Hour)
	r.hub.Down()
	if got := r.mustPrefetch("alice/app:1", with(refresh)); !got.Unchecked {
		t.Errorf("%+v", got)
	}
	if _, err := r.prefetch("alice/app:1", with("wrong")); err == nil {
		t.Error("a wrong one, offline")
	}
}

// refreshToken logs in as docker login does, which keeps the identity token.
func (r *room) refreshToken(user, password string) string {
	r.t.Helper()
	form := url.Values{
		"grant_type": {"password"}, "username": {user}, "password": {password}, "access_type": {"offline"},
		"service": {"registry.docker.io"}, "client_id": {"test"},
	}
	rsp, err := r.start(context.Background(), "POST", "http://"+hubHost+"/.pulley/token", strings.NewReader(form.Encode()),
		"Content-Type", "application/x-www-form-urlencoded")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = rsp.Body.Close() }()
	var got struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.NewDecoder(rsp.Body).Decode(&got); err != nil || got.RefreshToken == "" {
		r.t.Fatalf("%d, no identity token: %v", rsp.StatusCode, err)
	}
	return got.RefreshToken
}
