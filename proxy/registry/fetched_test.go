package registry_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// traffic sums up what all events say of each place, and what they say in all.
func (r *room) traffic() (places map[string]int64, all int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	places = map[string]int64{}
	for _, e := range r.events {
		for place, n := range e.Fetched {
			places[place] += n
		}
		all += e.FromNet
	}
	return places, all
}

// seen waits for an event that fits, and forgets none.
func (r *room) seen(what string, fits func(registry.Event) bool) {
	r.t.Helper()
	r.until(what, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.events, fits)
	})
}

// Whoever adds up the events knows what each place sent: of a download that its
// client waited for, of one that was joined, of one that was left and went on, and
// of a manifest.
func TestEventsSumUpToTheTrafficOfEachPlace(t *testing.T) {
	r := newRoom(t, nil)
	mirror := r.addMirror("m1", hubtest.StyleHost)
	r.settle(func(c *config.Config) { c.Fetch.Finish = config.FinishAlways })
	image := hubtest.RandomImage(1, 1, 1000)
	r.hub.Push("library/a", "latest", image)
	viaMirror := r.hub.AddRandomBlob("library/a", 2, 3<<20)
	viaOrigin := r.hub.AddRandomBlob("library/a", 3, 2<<20)
	left := r.hub.AddRandomBlob("library/a", 4, 5<<20)

	r.switchTo("m1")
	r.place("m1").Prove()
	r.wantBlob("by the mirror", viaMirror)
	r.switchTo("direct")
	first := r.reading(viaOrigin)
	first.take(1 << 20)
	r.wantBlob("joined", viaOrigin)
	if _, err := first.rest(); err != nil {
		t.Fatal(err)
	}
	r.hub.SetFaults(hubtest.Faults{Stall: hubtest.At(1 << 20), Digest: left})
	leaving := r.reading(left)
	leaving.take(1 << 20)
	leaving.hangUp()
	r.seen("the client that left", func(e registry.Event) bool { return e.Digest == left && e.Cause == registry.CauseLeft })
	r.hub.SetFaults()
	if got := r.mirror("GET", "library/a/manifests/latest"); got.StatusCode != http.StatusOK {
		t.Fatalf("manifest: %d", got.StatusCode)
	}
	r.idle()
	r.wantBlob("again", viaMirror)
	r.seen("the last one", func(e registry.Event) bool { return e.Digest == viaMirror && e.Source == "cache" })

	places, all := r.traffic()
	want := map[string]int64{
		"m1":     mirror.BytesSent(viaMirror),
		"origin": r.hub.BytesSent(viaMirror) + r.hub.BytesSent(viaOrigin) + r.hub.BytesSent(left) + r.hub.BytesSent(image.Digest()),
	}
	if !maps.Equal(places, want) || all != want["m1"]+want["origin"] || want["m1"] == 0 || want["origin"] < 7<<20 {
		t.Errorf("events say %v, %d in all; sent were %v", places, all, want)
	}
}

// A client that takes its time pays for its download all the same, which is long over
// by then.
func TestASlowClientPaysForItsDownload(t *testing.T) {
	r := newRoom(t, nil)
	d := r.hub.AddRandomBlob("library/a", 1, 32<<20)
	slow := r.reading(d)
	slow.take(1)
	r.until("the download to end", func() bool { return len(r.handler.Active()) == 0 })
	if _, err := slow.rest(); err != nil {
		t.Fatal(err)
	}
	if e := r.blobEvent(d); e.FromNet < 32<<20 || e.FromCache != 0 || e.Fetched["origin"] != e.FromNet || e.Source != "origin" { // more: a slow connection was helped
		t.Errorf("%d from the network, %d from the cache, %v, %s", e.FromNet, e.FromCache, e.Fetched, e.Source)
	}
	if places, all := r.traffic(); all != 0 {
		t.Errorf("and %v again", places)
	}
}

// What went wrong is sorted into few kinds.
func TestCausesAreFew(t *testing.T) {
	r := newRoom(t, nil)
	lie := r.hub.AddRandomBlob("library/a", 1, 1000)
	r.hub.Push("library/a", "latest", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetFaults(hubtest.Faults{WrongByte: hubtest.At(10), Digest: lie})
	for path, want := range map[string]registry.Cause{
		"library/a/manifests/latest":            "",
		"library/a/manifests/none":              registry.CauseMissing,
		"evil.example/a/manifests/latest":       registry.CauseMissing,
		"library/a/manifests/..x":               registry.CauseRequest,
		"library/a/blobs/" + string(lie):        registry.CauseDigest,
		"quay.io/nobody/none/manifests/latest":  registry.CauseUnreachable,
		"library/a/manifests/latest?ns=nowhere": registry.CauseMissing,
	} {
		r.mirror("GET", path)
		if e := r.event(func(e registry.Event) bool { return e.Method == "GET" }); e.Cause != want {
			t.Errorf("GET %s: %d %q: cause %q, want %q", path, e.Status, e.Err, e.Cause, want)
		}
	}
	r.switchTo("offline")
	r.mirror("GET", "library/other/manifests/latest")
	if e := r.event(func(e registry.Event) bool { return e.Repository == "library/other" }); e.Cause != registry.CauseOffline {
		t.Errorf("offline: cause %q", e.Cause)
	}
}
