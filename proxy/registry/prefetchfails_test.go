package registry_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// Errors say what went wrong and what to do, on one line.
func TestPrefetchErrors(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{RateLimit: 1})
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.Push("library/b", "1", hubtest.RandomImage(2, 1, 1000))
	fails := func(image string, cause registry.Cause, words ...string) {
		t.Helper()
		_, err := r.prefetch(image)
		var no *registry.PullError
		if !errors.As(err, &no) || no.Cause != cause || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", image, err)
			return
		}
		for _, w := range words {
			if !has(err.Error(), w) {
				t.Errorf("%s does not say %q: %v", image, w, err)
			}
		}
	}
	r.mustPrefetch("a:1")
	fails("b:1", registry.CauseLimit, "docker.io/library/b:1: ", "docker login raises the limit", "try again within 6h")
	fails("localhost:7/a:1", registry.CauseRequest, "localhost:7 is not a configured registry")
	r.hub.SetRateLimit(0)
	fails("a:none", registry.CauseMissing, "check the spelling")
	r.set(func(c *config.Config) { c.Enabled = false })
	fails("a:1", registry.CauseRequest, "pulley on")
	r.set(func(c *config.Config) { c.Enabled = true })
	r.hub.Down()
	fails("b:1", registry.CauseUnreachable, "try again")
}

// A wrong byte on the way costs a second try, and no more.
func TestPrefetchOfWrongBytes(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 2, 300<<10).WithPlatform(own())
	r.hub.Push("library/a", "1", img)
	r.hub.SetFaults(hubtest.Faults{Digest: img.Layers[0].Digest, WrongByte: new(int64(1000)), First: 1})
	r.mustPrefetch("a:1")
	r.hub.Push("library/b", "1", hubtest.RandomImage(2, 1, 300<<10))
	r.hub.SetFaults(hubtest.Faults{WrongByte: new(int64(10))})
	_, err := r.prefetch("b:1")
	var no *registry.PullError
	if !errors.As(err, &no) || no.Cause != registry.CauseDigest {
		t.Errorf("%v", err)
	}
}

// One part that cannot be had is named once, and says why.
func TestPrefetchOfWhatIsNotThere(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 4, 300<<10).WithPlatform(own())
	r.hub.Push("library/a", "1", img)
	gone := img.Layers[2].Digest
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Digest: gone, Status: http.StatusNotFound})
	var w watched
	_, err := r.handler.Pull(t.Context(), registry.Pull{Image: r.image("a:1")}, w.progress(t))
	var no *registry.PullError
	if !errors.As(err, &no) || no.Cause != registry.CauseMissing || no.Status != http.StatusNotFound || !has(err.Error(), "push it anew") {
		t.Errorf("%v", err)
	}
	for _, l := range img.Layers {
		if p, _ := w.last(l.Digest); (p.Err != "") != (l.Digest == gone) {
			t.Errorf("%+v", p)
		}
	}
	r.hub.SetFaults()
	wantStatus(t, "a client's pull, afterwards", r.engine("", "").pull("library/a", "1"), http.StatusOK)
}

// Who closes is not waited for by those who pull.
func TestPrefetchEndsWithTheHandler(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 2, 4<<20).WithPlatform(own())
	r.hub.Push("library/a", "1", img)
	r.hub.SetFaults(hubtest.Faults{Digest: img.Layers[0].Digest, Stall: new(int64(1 << 20))})
	var once sync.Once
	begun := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := r.handler.Pull(context.Background(), registry.Pull{Image: r.image("a:1")}, func(p registry.PullProgress) {
			if p.Digest == img.Layers[0].Digest && p.Have > 1000 {
				once.Do(func() { close(begun) })
			}
		})
		done <- err
	}()
	<-begun
	r.handler.Close()
	if err := <-done; err == nil || !has(err.Error(), "being stopped") {
		t.Errorf("%v", err)
	}
	if _, err := r.prefetch("a:1"); err == nil {
		t.Error("pulled after the end")
	}
}
