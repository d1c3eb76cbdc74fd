package daemon_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/internal/daemon"
	"pulley/internal/hubtest"
)

// watched is a daemon whose clock can be put forward.
type watched struct {
	*running
	ahead atomic.Int64
}

func startWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{}
	w.running = startWith(t, func(o *daemon.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	})
	return w
}

func (w *watched) later(d time.Duration) { w.ahead.Add(int64(d)) }

// failed are the pulls that a person is told of.
func (w *watched) failed() (list []control.Problem) {
	return slices.DeleteFunc(w.State().Problems, func(p control.Problem) bool { return p.Kind != control.ProblemPull })
}

// try asks for a blob over the mirror door and says how it ended.
func (w *watched) try(ctx context.Context, t *testing.T, path string, most int64) (status int, err error) {
	t.Helper()
	before, err := w.Events(10_000)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := w.client.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.CopyN(io.Discard, response.Body, most)
	_ = response.Body.Close()
	for n := len(before) + 1; ; n++ { // what was fetched for nobody is told of too
		events := w.logged(t, n)
		if events[n-1].Method == http.MethodGet {
			return response.StatusCode, err
		}
	}
}

func (w *watched) manifest(t *testing.T) {
	t.Helper()
	if status, err := w.try(t.Context(), t, "/v2/library/app/manifests/latest", whole); status != http.StatusOK || !errors.Is(err, io.EOF) {
		t.Fatalf("%d, %v", status, err)
	}
}

func (w *watched) expect(t *testing.T, image, why string) {
	t.Helper()
	for changed := w.Changed(); len(w.State().Active) > 0; changed = w.Changed() { // a download ends after its last answer
		<-changed
	}
	w.later(31 * time.Second)
	got := w.failed()
	if len(got) != 1 || got[0].Key != control.KeyPullFailed || got[0].Thing != image || !strings.Contains(got[0].About, why) {
		t.Errorf("%+v, want %s: … %s …", got, image, why)
	}
}

func (w *watched) expectNone(t *testing.T, of string) {
	t.Helper()
	w.later(31 * time.Second)
	if got := w.failed(); len(got) > 0 {
		t.Errorf("%s: %+v", of, got)
	}
}

const whole = 1 << 40

// A blob that breaks off behind its 200, whichever way, is told of when nobody gets it meanwhile, and until somebody does.
func TestPullThatBreaksOffIsToldOf(t *testing.T) {
	at := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		faults []hubtest.Faults
		why    string
	}{
		"the registry has it no more": {[]hubtest.Faults{
			{Kind: hubtest.CDN, Cut: at(600 << 10), First: 1},
			{Kind: hubtest.CDN, Skip: 1, Status: http.StatusForbidden}, // the signed URL has ended
			{Kind: hubtest.Blob, Skip: 1, Status: http.StatusNotFound},
		}, "404"},
		"the digest is wrong": {[]hubtest.Faults{{Kind: hubtest.CDN, WrongByte: at(1000)}}, "upstream sent bytes that"},
	} {
		t.Run(name, func(t *testing.T) {
			w := startWatched(t)
			image := hubtest.RandomImage(90, 1, 2<<20)
			w.hub.Push("library/app", "latest", image)
			blob := "/v2/library/app/blobs/" + image.Layers[0].Digest.String()
			w.manifest(t)
			w.hub.SetFaults(c.faults...)
			if status, err := w.try(t.Context(), t, blob, whole); status != http.StatusOK || err == nil || errors.Is(err, io.EOF) {
				t.Fatalf("%d, %v", status, err)
			}
			if got := w.failed(); len(got) > 0 {
				t.Errorf("told before anybody could have tried again: %+v", got)
			}
			w.expect(t, "docker.io/library/app", c.why)
			w.hub.SetFaults()
			w.later(5 * time.Minute) // for who failed to be asked again
			if status, err := w.try(t.Context(), t, blob, whole); status != http.StatusOK || !errors.Is(err, io.EOF) {
				t.Fatalf("%d, %v", status, err)
			}
			w.expectNone(t, "it came good")
		})
	}
}

// An engine that is sent to the registry itself because nobody here can be reached is told of; a name that the registry does
// not know, or that no registry is known by, is not.
func TestPullHandedBackIsToldOf(t *testing.T) {
	w := startWatched(t)
	w.hub.Push("library/app", "latest", hubtest.RandomImage(93, 1, 1000))
	if status, err := w.try(t.Context(), t, "/v2/library/app/manifests/nothing", whole); status != http.StatusNotFound {
		t.Fatalf("%d, %v", status, err)
	}
	if status, err := w.try(t.Context(), t, "/v2/a/b/manifests/latest?ns=nobody.example", whole); status != http.StatusNotFound {
		t.Fatalf("%d, %v", status, err)
	}
	w.expectNone(t, "there is no such thing")
	w.hub.Down()
	if status, err := w.try(t.Context(), t, "/v2/library/app/manifests/1.2", whole); status != http.StatusNotFound {
		t.Fatalf("%d, %v", status, err)
	}
	w.expect(t, "docker.io/library/app:1.2", "refused")
	w.later(10 * time.Minute)
	w.expectNone(t, "long ago")
	if status, _ := w.intercepted(t, "")("/v2/library/app/manifests/1.3"); status != http.StatusBadGateway {
		t.Fatal(status)
	}
	w.expect(t, "docker.io/library/app:1.3", "refused")
}

// A client that hangs up has what it wanted, or will come again.
func TestClientThatLeavesHasNotFailed(t *testing.T) {
	w := startWatched(t)
	image := hubtest.RandomImage(91, 1, 2<<20)
	w.hub.Push("library/app", "latest", image)
	w.manifest(t)
	stall := int64(1 << 20)
	w.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Stall: &stall})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	if status, err := w.try(ctx, t, "/v2/library/app/blobs/"+image.Layers[0].Digest.String(), 100<<10); status != http.StatusOK || err != nil {
		t.Fatalf("%d, %v", status, err)
	}
	w.expectNone(t, "it left")
}

// What an engine gets by asking again, or is getting, is no failure; what it asks for ever is one.
func TestPullThatComesGoodIsNotToldOf(t *testing.T) {
	w := startWatched(t)
	image := hubtest.RandomImage(92, 1, 2<<20)
	w.hub.Push("library/app", "latest", image)
	w.hub.Down()
	for range 3 {
		if status, err := w.try(t.Context(), t, "/v2/library/app/manifests/latest", whole); status != http.StatusNotFound {
			t.Fatalf("%d, %v", status, err)
		}
		w.later(20 * time.Second)
		if got := w.failed(); len(got) > 0 {
			t.Errorf("told while it is asked for: %+v", got)
		}
	}
	if err := w.hub.Up(); err != nil {
		t.Fatal(err)
	}
	w.later(5 * time.Minute)
	if got := w.failed(); len(got) != 1 {
		t.Errorf("not told: %+v", got)
	}
	w.manifest(t)
	if got := w.failed(); len(got) > 0 {
		t.Errorf("it came good: %+v", got)
	}
}

// A name that is none is in no command that a person may copy, and who pulls ahead is told by that.
func TestOtherFailuresAreNotToldOf(t *testing.T) {
	w := startWatched(t)
	w.hub.Down()
	get := w.intercepted(t, "")
	for _, path := range []string{"/v2/library/app;reboot/manifests/1", "/v2/library/app/manifests/$(reboot)"} {
		if status, _ := get(path); status < http.StatusBadRequest {
			t.Errorf("%s: %d", path, status)
		}
	}
	pulled, err := w.Pull(t.Context(), ask("library/app:1"), ignore)
	if err != nil || pulled.Images[0].Error == "" {
		t.Fatalf("%+v, %v", pulled, err)
	}
	w.expectNone(t, "not told of")
}

// A pull that fails is told of by the daemon that comes after, be it that the one before ended or that it handed over.
func TestFailureIsToldOfByTheNextDaemon(t *testing.T) {
	for name, next := range map[string]func(w *watched, o daemon.Options) *running{
		"hand-over": func(w *watched, o daemon.Options) *running {
			o.TakeOver = true
			b := serve(t, w.hub, o, func(*daemon.Daemon) {})
			w.client.CloseIdleConnections()
			w.ended()
			return b
		},
		"restart": func(w *watched, o daemon.Options) *running {
			w.client.CloseIdleConnections()
			w.stop()
			w.ended()
			return serve(t, w.hub, o, func(*daemon.Daemon) {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := startWatched(t)
			image := hubtest.RandomImage(95, 1, 2<<20)
			w.hub.Push("library/app", "latest", image)
			w.manifest(t)
			w.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, WrongByte: new(int64)})
			blob := "/v2/library/app/blobs/" + image.Layers[0].Digest.String()
			if status, err := w.try(t.Context(), t, blob, whole); status != http.StatusOK || errors.Is(err, io.EOF) {
				t.Fatalf("%d, %v", status, err)
			}
			b := &watched{}
			b.running = next(w, daemon.Options{Places: w.places, Version: "next", Now: func() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }})
			eventually(t, "it serves", func() bool { return b.answers(t, b.Address()) })
			if got := b.failed(); len(got) > 0 {
				t.Errorf("told at once: %+v", got)
			}
			b.expect(t, "docker.io/library/app", "upstream sent bytes that")
			b.hub.SetFaults()
			b.later(5 * time.Minute)
			if status, err := b.try(t.Context(), t, blob, whole); status != http.StatusOK || !errors.Is(err, io.EOF) {
				t.Fatalf("%d, %v", status, err)
			}
			b.expectNone(t, "it came good")
			b.later(11 * time.Minute)
			b.expectNone(t, "it is long ago")
		})
	}
}
