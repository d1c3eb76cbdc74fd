package source_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/source"
)

// The storage that a blob was redirected to is asked again for its next ranges,
// for a minute, by this fetch alone.
func TestRedirectIsUsedAgain(t *testing.T) {
	hub := &hubtest.Hub{}
	w := newTown(t, hub)
	c := &clock{now: time.Now()}
	w.opts.Now = c.Now
	w.restart()
	data := blobOf(100_000)
	d := hub.AddBlob(repo, data)
	want := source.Want{Repository: repo, Digest: d.String()}
	ref := w.place("origin").Blob(want)
	get := func(ref *source.BlobRef, off, end int64) {
		t.Helper()
		got, err := read(t, ref, off, end)
		if err != nil || !bytes.Equal(got, data[off:end]) {
			t.Fatalf("%d to %d: %d bytes, %v", off, end, len(got), err)
		}
	}
	asked := func() int { return hub.Count("GET", "/v2/library/debian/blobs/*") }
	get(ref, 0, 1000)
	before := asked() // with what the token cost
	for i := range int64(5) {
		get(ref, 1000*i, 1000*i+500)
	}
	if n := asked() - before; n > 0 {
		t.Errorf("the registry was asked %d times more", n)
	}
	get(w.place("origin").Blob(want), 0, 10)
	if n := asked() - before; n != 1 {
		t.Errorf("another fetch asked it %d times", n)
	}
	c.pass(time.Minute)
	get(ref, 0, 10)
	if n := asked() - before; n != 2 {
		t.Errorf("after a minute it was asked %d times", n)
	}
	for _, q := range hub.Requests() {
		if q.Kind == hubtest.CDN && (q.Authorization != "" || q.Header.Get("Referer") != "") {
			t.Errorf("the CDN got %v", q.Header)
		}
	}
}

// A target that fails is forgotten at once, and the registry asked instead,
// without anybody noticing.
func TestRedirectThatFails(t *testing.T) {
	data := blobOf(1000)
	var broken atomic.Value
	broken.Store("")
	store := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == broken.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		serve(data)(w, r)
	})
	var n atomic.Int64
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(store.URL, "127.0.0.1", "localhost", 1)+"/"+strings.Repeat("x", int(n.Add(1))), http.StatusTemporaryRedirect)
	})
	w, _ := timed(t, s.mirror("m", "host"))
	p := w.place("m")
	ref := p.Blob(debian)
	for _, b := range []string{"", "/x", "/xx"} {
		broken.Store(b)
		for range 3 {
			if got, err := read(t, ref, 10, 20); err != nil || !bytes.Equal(got, data[10:20]) {
				t.Fatalf("%q: %v", b, err)
			}
		}
	}
	if n.Load() != 3 || store.count() != 9+2 {
		t.Errorf("%d at the registry, %d at the storage", n.Load(), store.count())
	}
	if p.Connections() < 100 {
		t.Error("it is held against the mirror")
	}
}

// Proof and expulsion are remembered; a person ends an expulsion.
func TestProvenAndExpelled(t *testing.T) {
	s := newShop(t, serve(blobOf(10)))
	w := newTown(t, &hubtest.Hub{}, s.mirror("one", "host"), s.mirror("two", "host"))
	p := w.place("one")
	if p.Proven() || !w.place("origin").Proven() {
		t.Error("proven from the beginning, or the origin not")
	}
	p.Prove()
	w.restart()
	if p = w.place("one"); !p.Proven() || w.place("two").Proven() {
		t.Error("proof is forgotten over a restart, or is everybody's")
	}
	changed := w.Changed()
	p.Expel("its bytes 10 to 20 of sha256:0 differ from the origin's")
	select {
	case <-changed:
	default:
		t.Error("nobody is told")
	}
	for range 2 {
		if got := w.names(); got != "origin two" {
			t.Errorf("after an expulsion: %s", got)
		}
		w.restart()
	}
	st := w.Standings(w.reg())[1]
	if st.Name != "one" || st.Usable || st.Expelled == nil || st.Expelled.Since.IsZero() || !strings.Contains(st.Why, "10 to 20") || st.Proven {
		t.Errorf("%+v", st)
	}
	if text := w.log.String(); strings.Count(text, "mirror expelled") != 1 || !strings.Contains(text, "mirror on one") {
		t.Errorf("log: %s", text)
	}
	w.change(func(r *config.Registry) { r.Mirrors[0].Enabled = false })
	w.change(func(r *config.Registry) { r.Mirrors[0].Enabled = true })
	if got := w.names(); got != "origin one two" || w.place("one").Proven() {
		t.Errorf("switched off and on: %s", got)
	}
	w.place("one").Expel("again")
	if !w.Readmit("docker.io", "one") || w.Readmit("docker.io", "one") || w.Readmit("docker.io", "none") || w.Readmit("none", "one") {
		t.Error("readmitted what was not expelled, or the reverse")
	}
	w.restart()
	if got := w.names(); got != "origin one two" {
		t.Errorf("readmitted: %s", got)
	}
	w.place("one").Expel("again")
	w.change(func(r *config.Registry) { r.Route = "one" })
	if got := w.names(); got != "origin two" || w.place("two").Tier() != 0 {
		t.Errorf("a route to an expelled one: %s", got)
	}
}

func TestDisputesAreOfMirrorsThatAreOn(t *testing.T) {
	s := newShop(t, serve(blobOf(1<<20)))
	off := s.mirror("off", "host")
	off.Enabled = false
	w, _ := timed(t, s.mirror("one", "host"), off, s.mirror("two", "host"), s.mirror("honest", "host"))
	for _, name := range []string{"two", "off", "one"} {
		w.Disagrees(w.reg(), name, "library/debian", "12", "sha256:1", "sha256:2")
	}
	if got := w.Disputes(w.reg(), "library/debian", "12"); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("a tag that is disputed: %q", got)
	}
	for _, other := range [][2]string{{"library/debian", "11"}, {"library/alpine", "12"}} {
		if got := w.Disputes(w.reg(), other[0], other[1]); got != nil {
			t.Errorf("%s: %q", other, got)
		}
	}
	w.Agrees(w.reg(), "one", "library/debian", "12")
	if got := w.Disputes(w.reg(), "library/debian", "12"); !slices.Equal(got, []string{"two"}) {
		t.Errorf("after one agreed: %q", got)
	}
}

func TestStandings(t *testing.T) {
	s := newShop(t, serve(blobOf(1<<20)))
	off := s.mirror("off", "host")
	off.Enabled, off.Closed, off.About = false, "2022-08", "somebody's"
	on := s.mirror("on", "prefix")
	on.Quota = quota(2<<20, "day")
	w, c := timed(t, on, off, config.Mirror{Name: "lacks", URL: "https://{id}.example.com", Style: "host", Enabled: true, Needs: "an id"})
	if _, err := read(t, w.place("on").Blob(debian), 0, -1); err != nil {
		t.Fatal(err)
	}
	w.Disagrees(w.reg(), "on", "library/debian", "12", "sha256:1", "sha256:2")
	w.Disagrees(w.reg(), "on", "library/debian", "12", "sha256:1", "sha256:2")
	w.Disagrees(w.reg(), "on", "library/debian", "11", "sha256:1", "sha256:2")
	list := w.Standings(w.reg())
	if len(list) != 4 || list[0].Name != "origin" || list[0].URL != "https://registry-1.docker.io" || !list[0].Usable || !list[0].Origin {
		t.Fatalf("%+v", list)
	}
	if st := list[1]; st.Name != "on" || !st.Usable || !st.Listed || st.FirstByte == 0 || !st.Last.Equal(c.Now()) || st.Quota.Used != 1<<20 || len(st.Quarrels) != 2 || st.Style != "prefix" {
		t.Errorf("%+v", st)
	}
	if st := list[2]; st.Usable || st.Listed || st.Why != "switched off" || st.Closed != "2022-08" || st.About != "somebody's" {
		t.Errorf("%+v", st)
	}
	if st := list[3]; st.Usable || st.Listed || !strings.Contains(st.Why, "an id") {
		t.Errorf("%+v", st)
	}
	if n := strings.Count(w.log.String(), "mirror disagrees"); n != 2 {
		t.Errorf("logged %d times", n)
	}
	w.Agrees(w.reg(), "on", "library/debian", "12")
	w.change(func(r *config.Registry) { r.Route = "direct" })
	if st := w.Standings(w.reg())[1]; st.Usable || st.Why != "the route is direct" || len(st.Quarrels) != 1 {
		t.Errorf("%+v", st)
	}
}

// mirror test, against mirrors that are good, disagree, know no ranges, lie, or
// are not there.
func TestTryingOut(t *testing.T) {
	hub := &hubtest.Hub{}
	w := newTown(t, hub)
	img, other := hubtest.RandomImage(1, 2, 50_000), hubtest.RandomImage(2, 1, 1000)
	hub.Push("library/alpine", "latest", hubtest.MultiArch(map[string]hubtest.Image{"linux/amd64": img, "linux/arm64": other}))
	start := func(m *hubtest.Hub) config.Mirror {
		m.Of, m.Style = hub, hubtest.StyleNS
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return mirrorOf(m, "m", hubtest.StyleNS)
	}
	good, odd, liar, down := &hubtest.Hub{}, &hubtest.Hub{}, &hubtest.Hub{}, &hubtest.Hub{}
	mirrors := map[string]config.Mirror{"good": start(good), "odd": start(odd), "liar": start(liar), "down": start(down)}
	odd.Push("docker.io/library/alpine", "latest", other)
	liar.Site("").AddContentAs("docker.io/library/alpine", img.Layers[0].Digest, hubtest.Bytes(make([]byte, img.Layers[0].Content.Size())))
	liar.Site("").AddContentAs("docker.io/library/alpine", img.Layers[1].Digest, hubtest.Bytes(make([]byte, img.Layers[1].Content.Size())))
	down.Down()
	for name, want := range map[string]source.Report{
		"good": {Reachable: true, Agrees: "yes", Ranges: "yes"}, "odd": {Reachable: true, Agrees: "no", Ranges: "yes"},
		"liar": {Reachable: true, Agrees: "yes", Ranges: "yes", Err: "do not use"}, "down": {Agrees: "unknown", Ranges: "unknown", Err: "127.0.0.1"},
	} {
		m := mirrors[name]
		m.Enabled, m.Quota = name == "good", quota(1<<30, "day")
		w.change(func(r *config.Registry) { r.Mirrors = []config.Mirror{m} })
		r, err := w.Test(t.Context(), w.reg(), "m")
		if err != nil || r.Reachable != want.Reachable || r.Agrees != want.Agrees || r.Ranges != want.Ranges || !strings.Contains(r.Err, want.Err) || (r.Err == "") != (want.Err == "") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if r.Reachable != (r.FirstByte > 0) || (want.Agrees != "unknown") != (r.Rate > 0 && r.Bytes > 0 && r.Image == "library/alpine:latest") {
			t.Errorf("%s: figures: %+v", name, r)
		}
		if name == "good" && r.Quota.Used < r.Bytes {
			t.Errorf("quota %+v", r.Quota)
		}
	}
	r, err := w.Test(t.Context(), w.reg(), "origin")
	if err != nil || !r.Reachable || r.Rate == 0 || r.Err != "" {
		t.Errorf("the origin: %+v, %v", r, err)
	}
	if _, err := w.Test(t.Context(), w.reg(), "none"); err == nil || !strings.Contains(err.Error(), "mirror ls") {
		t.Errorf("no such mirror: %v", err)
	}
	if n := hub.Count("GET", "/v2/library/alpine/manifests/latest"); n > 0 {
		t.Errorf("%d pulls of the limit", n)
	}
}
