package registry_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// wantParts checks that parts say of each byte up to size who brought it, once, and returns how many each brought.
func wantParts(t *testing.T, parts []registry.Part, size int64) map[string]int64 {
	t.Helper()
	by, at := map[string]int64{}, int64(0)
	for _, p := range parts {
		if p.From != at || p.To <= p.From {
			t.Fatalf("parts %+v", parts)
		}
		by[p.Source] += p.To - p.From
		at = p.To
	}
	if at != size || len(parts) > 32 {
		t.Fatalf("%d parts up to %d of %d: %+v", len(parts), at, size, parts)
	}
	return by
}

// An event tells where the bytes of a blob came from, and who was asked in vain before.
func TestTheStoryOfADownload(t *testing.T) {
	r := newRoom(t, nil)
	r.set(func(c *config.Config) { c.Fetch.Finish = config.FinishNever })
	d, want := r.layer(1, 8*mib)
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(3 * mib)})
	s := r.reading(d)
	s.take(2 * mib)
	r.until("who brings it", func() bool {
		a := r.handler.Active()
		return len(a) == 1 && a[0].Rate > 0 && fmt.Sprint(a[0].Sources) == "[origin]"
	})
	s.hangUp()
	if by := wantSome(t, r.blobEvent(d).Parts); by["origin"] < 2*mib {
		t.Errorf("first %v", by)
	}
	r.restart()

	one := r.addMirror("one", hubtest.StyleHost)
	one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Status: http.StatusForbidden})
	r.hub.SetFaults()
	r.switchTo("one")
	r.wantBlob("the rest", d)
	e := r.blobEvent(d)
	if by := wantParts(t, e.Parts, int64(len(want))); by["cache"] < 2*mib || by["origin"] < 4*mib || len(by) != 2 {
		t.Errorf("then %v", by)
	}
	if len(e.Failed) == 0 || e.Failed[0].Source != "one" || e.Failed[0].Err == "" || e.Failed[0].After < 0 || e.Failed[0].After > e.Duration {
		t.Errorf("failed %+v in %v", e.Failed, e.Duration)
	}
	r.idle()
	r.wantBlob("once more", d)
	if e := r.blobEvent(d); e.Source != "cache" || e.Parts != nil || e.Failed != nil {
		t.Errorf("from the cache: %+v", e)
	}
}

// wantSome is wantParts of a blob that is not all there.
func wantSome(t *testing.T, parts []registry.Part) map[string]int64 {
	t.Helper()
	if len(parts) == 0 {
		t.Fatal("no parts")
	}
	return wantParts(t, parts, parts[len(parts)-1].To)
}

// A manifest that a mirror did not have says so as well.
func TestTheStoryOfAManifest(t *testing.T) {
	r := newRoom(t, nil)
	image := hubtest.RandomImage(1, 1, 1000)
	d := r.hub.Push("library/a", "1", image)
	one := r.addMirror("one", hubtest.StyleHost)
	one.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Method: "GET", Status: http.StatusInternalServerError})
	r.switchTo("one")
	wantStatus(t, "the tag", r.mirror("HEAD", "library/a/manifests/1").StatusCode, http.StatusOK)
	wantStatus(t, "the manifest", r.mirror("GET", "library/a/manifests/"+string(d)).StatusCode, http.StatusOK)
	e := r.event(func(e registry.Event) bool { return e.What == "manifest" && e.Method == http.MethodGet })
	if len(e.Failed) != 1 || e.Failed[0].Source != "one" || e.Failed[0].After > time.Minute {
		t.Errorf("%+v", e)
	}
}
