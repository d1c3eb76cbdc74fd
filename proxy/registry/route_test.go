package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

var styles = []hubtest.Style{hubtest.StyleHost, hubtest.StylePrefix, hubtest.StyleNS}

// TestRoutes: where a blob comes from is what the route says, at the next request.
func TestRoutes(t *testing.T) {
	for _, style := range styles {
		t.Run(string(style), func(t *testing.T) {
			r := newRoom(t, nil)
			one, two := r.addMirror("one", style), r.addMirror("two", style)
			r.place("one").Prove()
			r.place("two").Prove()
			seed := uint64(0)
			for _, c := range []struct {
				route, from string
				status      int
			}{
				{"one", "one", http.StatusOK}, {"two", "two", http.StatusOK}, {config.RouteDirect, "origin", http.StatusOK},
				{config.RouteOffline, "", http.StatusNotFound}, {"one", "one", http.StatusOK},
			} {
				seed++
				d, _ := bigBlob(r, seed, 100_000)
				r.switchTo(c.route)
				for _, h := range []*hubtest.Hub{r.hub, one, two} {
					h.Reset()
				}
				wantStatus(t, c.route, r.do("GET", blobURL(d)).StatusCode, c.status)
				e := r.blobEvent()
				if e.Source != c.from || c.from != "" && !strings.HasPrefix(e.Way, "direct 127.0.0.1") {
					t.Errorf("%s: source %q, way %q, note %q", c.route, e.Source, e.Way, e.Note)
				}
				for name, h := range map[string]*hubtest.Hub{"origin": r.hub, "one": one, "two": two} {
					if sent := h.BytesSent(d); (sent > 0) != (name == c.from) {
						t.Errorf("%s: %s sent %d bytes", c.route, name, sent)
					}
				}
				r.idle()
			}
		})
	}
}

// TestAutoUsesWhatIsThere: with the route auto a large blob comes from all.
func TestAutoUsesWhatIsThere(t *testing.T) {
	r := newRoom(t, nil)
	r.set(func(c *config.Config) { c.Fetch.RangeMin = 1 * mib })
	one := r.addMirror("one", hubtest.StyleHost)
	r.place("one").Prove()
	for _, h := range []*hubtest.Hub{r.hub, one} {
		h.SetFaults(hubtest.Faults{Bandwidth: 2 * mib})
	}
	d, _ := bigBlob(r, 1, 8*mib)
	r.wantBlob("auto", d)
	e := r.blobEvent()
	if !strings.Contains(e.Source, "origin") || !strings.Contains(e.Source, "one") {
		t.Errorf("source %q", e.Source)
	}
	if n := r.hub.BytesSent(d) + one.BytesSent(d); n > 8*mib*105/100 {
		t.Errorf("upstream sent %d bytes of %d", n, 8*mib)
	}
	if e.FromNet < 8*mib || e.FromNet > 8*mib*105/100 {
		t.Errorf("the event accounts for %d bytes", e.FromNet)
	}
}

// TestASwitchMovesADownload that is under way, and its client notices nothing.
func TestASwitchMovesADownload(t *testing.T) {
	for _, proven := range []bool{true, false} {
		r := newRoom(t, nil)
		r.switchTo(config.RouteDirect)
		one := r.addMirror("one", hubtest.StyleHost)
		if r.switchTo("one"); proven {
			r.place("one").Prove()
		}
		r.switchTo(config.RouteDirect)
		d, c := bigBlob(r, 1, 8*mib)
		r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(2 * mib)})
		s := r.reading(d)
		head := s.take(mib)
		r.switchTo("one")
		rest, err := s.rest()
		if err != nil || !same(append(head, rest...), content(t, c, 0, 8*mib)) {
			t.Fatalf("proven %v: %d bytes after the switch, %v", proven, len(rest), err)
		}
		e := r.blobEvent()
		if e.Source != "one+origin" || !strings.Contains(e.Way, "one direct") || !strings.Contains(e.Way, "origin direct") {
			t.Errorf("source %q, way %q", e.Source, e.Way)
		}
		if n := one.BytesSent(d); n < 5*mib || n > 7*mib {
			t.Errorf("the mirror sent %d bytes", n)
		}
		// And back, for the next one.
		one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Stall: hubtest.At(2 * mib)})
		r.hub.SetFaults()
		d, c = bigBlob(r, 2, 8*mib)
		s = r.reading(d)
		if proven || r.standing("one").Proven { // it brought a whole blob by now
			head = s.take(mib)
		}
		r.switchTo(config.RouteDirect)
		if rest, err = s.rest(); err != nil || !same(append(head, rest...), content(t, c, 0, 8*mib)) {
			t.Fatalf("proven %v, back: %d bytes after the switch, %v", proven, len(rest), err)
		}
		r.idle()
	}
}

// TestASwitchToOffline ends a download cleanly, and what arrived is kept.
func TestASwitchToOffline(t *testing.T) {
	r := newRoom(t, nil)
	d, c := bigBlob(r, 1, 8*mib)
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(2 * mib)})
	s := r.reading(d)
	head := s.take(mib)
	r.switchTo(config.RouteOffline)
	rest, err := s.rest()
	if err == nil {
		t.Fatalf("a short body of %d bytes ended as if whole", len(rest))
	}
	r.idle()
	r.hub.SetFaults()
	r.hub.Reset()
	wantStatus(t, "offline", r.do("GET", blobURL(d)).StatusCode, http.StatusNotFound)
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests went upstream while offline", n)
	}
	r.switchTo(config.RouteAuto)
	got := r.do("GET", blobURL(d), "Range", "bytes=1048576-")
	if got.StatusCode != http.StatusPartialContent || !same(append(head, got.body...), content(t, c, 0, 8*mib)) {
		t.Fatalf("resumed: %d, %d bytes", got.StatusCode, len(got.body))
	}
	r.idle()
	if n := r.hub.BytesSent(d); n > 7*mib {
		t.Errorf("%d bytes were fetched again", n)
	}
}

// TestAChosenMirrorFails: the next one serves, down to the origin, and the event
// says which way it went and why.
func TestAChosenMirrorFails(t *testing.T) {
	for name, fault := range map[string]hubtest.Faults{
		"404":         {Kind: hubtest.Blob, Status: http.StatusNotFound},
		"401":         {Kind: hubtest.Blob, Status: http.StatusUnauthorized},
		"403":         {Kind: hubtest.Blob, Status: http.StatusForbidden},
		"429":         hubtest.Abuse("3600"),
		"500":         {Kind: hubtest.Blob, Status: http.StatusInternalServerError},
		"503":         {Kind: hubtest.Blob, Status: http.StatusServiceUnavailable},
		"reset":       {Reset: true},
		"refused":     {Refuse: true},
		"certificate": {WrongCert: true},
		"cut":         {Kind: hubtest.Blob, Method: "GET", Cut: hubtest.At(mib)},
		"dies":        {Kind: hubtest.Blob, Method: "GET", Die: hubtest.At(mib), CutReset: true},
		"wrong size":  {Kind: hubtest.Blob, Method: "GET", Length: -1000},
		"a page":      {Kind: hubtest.Blob, Status: http.StatusOK, Body: "<html>blocked</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t, nil)
			one, two := r.addMirror("one", hubtest.StyleHost), r.addMirror("two", hubtest.StylePrefix)
			img := hubtest.RandomImage(1, 1, 4*mib)
			r.hub.Push("library/a", "1", img)
			d := img.Layers[0].Digest
			r.switchTo("one")
			one.SetFaults(fault)
			wantStatus(t, "pull", r.pullMirror("", "library/a", "1"), http.StatusOK)
			e := r.blobEvent(d)
			if !strings.Contains(e.Note, "one: ") || e.Err != "" || !strings.Contains(e.Source, "two") && !strings.Contains(e.Source, "origin") {
				t.Errorf("source %q, way %q, note %q, err %q", e.Source, e.Way, e.Note, e.Err)
			}
			r.idle()
			two.SetFaults(fault) // and no other is left but the origin
			r.settle(func(c *config.Config) {
				reg, _ := c.Registry("docker.io")
				reg.Mirrors = reg.Mirrors[len(reg.Mirrors)-1:]
				reg.Route = "two"
			})
			img = hubtest.RandomImage(2, 1, 4*mib)
			r.hub.Push("library/a", "2", img)
			wantStatus(t, "down to the origin", r.pullMirror("", "library/a", "2"), http.StatusOK)
			if e := r.blobEvent(img.Layers[0].Digest); !strings.Contains(e.Note, "two: ") || e.Err != "" || !strings.Contains(e.Source, "origin") && fault.Cut == nil {
				t.Errorf("to the origin: source %q, note %q, err %q", e.Source, e.Note, e.Err)
			}
		})
	}
}

// TestNoMoreRequestsThanWithout: mirrors and routes cost a direct pull nothing: the requests
// are the same as without any.
func TestNoMoreRequestsThanWithout(t *testing.T) {
	requests := func(set func(*room), user string) (origin int) {
		r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
		r.hub.Push("team/a", "1", hubtest.RandomImage(1, 3, 100_000))
		set(r)
		r.hub.Reset()
		password := ""
		if user != "" {
			password = "secret"
		}
		wantStatus(t, "pull", r.engine(user, password).pull("team/a", "1"), http.StatusOK)
		r.idle()
		return len(r.hub.Requests())
	}
	for _, user := range []string{"", "alice"} {
		bare := requests(func(*room) {}, user)
		direct := requests(func(r *room) { r.addMirror("one", hubtest.StyleHost); r.switchTo(config.RouteDirect) }, user)
		off := requests(func(r *room) {
			r.addMirror("one", hubtest.StyleHost, func(m *config.Mirror) { m.Enabled = false })
		}, user)
		if direct != bare || off != bare {
			t.Errorf("user %q: %d requests without mirrors, %d with the route direct, %d with a mirror that is off", user, bare, direct, off)
		}
	}
	bare := requests(func(*room) {}, "")
	with := requests(func(r *room) { r.addMirror("one", hubtest.StyleHost); r.switchTo("one") }, "")
	if with > bare {
		t.Errorf("anonymous: %d requests at the origin with a mirror, %d without", with, bare)
	}
}

// TestOfflineIsSaidToBeSwitchedOff: whoever reads the log learns that a person did
// that, also of a blob that is known of and not here.
func TestOfflineIsSaidToBeSwitchedOff(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 1, 1000)
	r.hub.Push("library/a", "1", img)
	wantStatus(t, "cold", r.pullMirror("", "library/a", "1"), http.StatusOK)
	r.idle()
	layer := img.Layers[0].Digest
	if err := r.cache.Delete(layer); err != nil {
		t.Fatal(err)
	}
	r.route("docker.io", config.RouteOffline)
	for _, prefix := range []string{"", "docker.io/"} {
		got := r.mirror("GET", prefix+"library/a/blobs/"+string(layer))
		if got.StatusCode != http.StatusNotFound || !has(string(got.body), "docker.io is switched to offline; try: pulley route docker.io auto") {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
		e := r.event(func(e registry.Event) bool { return e.What == "blob" && e.Digest == layer && e.Err != "" })
		if !has(e.Err, "switched to offline") || e.Cause != registry.CauseOffline {
			t.Errorf("the log says %q (%s)", e.Err, e.Cause)
		}
	}
}
