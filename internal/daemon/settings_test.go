package daemon_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pulley/internal/control"
	"pulley/internal/daemon"
	"pulley/internal/hubtest"
)

// A mirror is changed where it stands: its name, its switch and its place stay, and what a refused change holds stays too.
func TestMirrorIsAmended(t *testing.T) {
	r := start(t, nil)
	mirror := hubtest.MirrorOf(t, r.hub, hubtest.StyleHost)
	add := control.Mirror{Registry: "docker.io", Name: "near", URL: mirror.PlainURL(), Quota: "10GiB/month", TrustTags: true}
	if err := r.AddMirror(add); err != nil {
		t.Fatal(err)
	}
	if err := r.SwitchMirror("docker.io", "near", false); err != nil {
		t.Fatal(err)
	}
	if err := r.AddMirror(control.Mirror{Registry: "docker.io", Name: "near", Amend: true, Quota: "1GiB/day", Auth: "env:NEAR"}); err != nil {
		t.Fatal(err)
	}
	near := func() (found control.Source) {
		list, err := r.Sources("docker.io")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if s.Name == "near" {
				found = s
			}
		}
		return found
	}
	if s := near(); s.URL != add.URL || s.Style != "host" || s.QuotaSet != "1GiB/day" || s.Auth != "env:NEAR" || s.TrustTags || s.Enabled || s.Place == 0 {
		t.Errorf("%+v", s)
	}
	if err := r.AddMirror(control.Mirror{Registry: "docker.io", Name: "near", Amend: true, URL: "ftp://x"}); err == nil || near().URL != add.URL {
		t.Errorf("%v, %+v", err, near())
	}
	if err := r.AddMirror(control.Mirror{Registry: "docker.io", Name: "far", Amend: true}); err == nil || !strings.Contains(err.Error(), "no mirror far") {
		t.Errorf("%v", err)
	}
}

func TestStateSaysWhatTheEnvironmentHoldsAndWhoMayComeIn(t *testing.T) {
	hub := hubtest.Start(t)
	places := daemon.PlacesOf(t)
	const hash = "$2a$04$XdmZW4Nd3fNKrVpIDwFpS.dpvXnWUYDkjPbIdzmDIuZMNzYxOQ4qC"
	if err := os.WriteFile(places.ConfigFile, []byte("listen = \"127.0.0.1:0\"\n[access]\nusers = { bob = \""+hash+"\", ann = \""+hash+"\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := serve(t, hub, daemon.Options{Places: places, Environ: []string{"PULLEY_CACHE_TAG_TTL=5s"}}, func(*daemon.Daemon) {})
	if held := r.State().Held; len(held) != 1 || held["cache.tag_ttl"] != "PULLEY_CACHE_TAG_TTL" {
		t.Errorf("%v", held)
	}
	if users := r.State().Users; !slices.Equal(users, []string{"ann", "bob"}) {
		t.Errorf("who may come in: %v", users)
	}
}
