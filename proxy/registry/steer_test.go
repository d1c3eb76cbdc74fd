package registry_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// TestParallelRangesSteerOneFill: what containerd does, over several sources: every
// byte comes once, and nobody waits for what somebody else asked for.
func TestParallelRangesSteerOneFill(t *testing.T) {
	for _, proven := range []bool{true, false} {
		r := newRoom(t, nil)
		r.set(func(c *config.Config) { c.Fetch.RangeMin = 2 * mib })
		one := r.addMirror("one", hubtest.StyleNS)
		if proven {
			r.place("one").Prove()
		}
		d, want := r.layer(1, 8*mib)
		for _, h := range []*hubtest.Hub{r.hub, one} {
			h.SetFaults(hubtest.Faults{Bandwidth: 4 * mib})
		}
		var clients sync.WaitGroup
		for off := 0; off < len(want); off += mib {
			clients.Go(func() {
				end := min(off+mib, len(want))
				got := r.do("GET", blobURL(d), "Range", fmt.Sprintf("bytes=%d-%d", off, end-1))
				if got.StatusCode != http.StatusPartialContent || got.err != nil || !same(got.body, want[off:end]) {
					t.Errorf("proven %v, at %d: %d, %d bytes, %v", proven, off, got.StatusCode, len(got.body), got.err)
				}
			})
		}
		clients.Wait()
		r.idle()
		if sent := r.hub.BytesSent(d) + one.BytesSent(d); sent > int64(len(want))*105/100 {
			t.Errorf("proven %v: upstream sent %d bytes of %d", proven, sent, len(want))
		}
		var net int64
		r.mu.Lock()
		for _, e := range r.events {
			if e.What == "blob" {
				net += e.FromNet
			}
		}
		r.mu.Unlock()
		if sent := r.hub.BytesSent(d) + one.BytesSent(d); net > sent || net < int64(len(want)) {
			t.Errorf("proven %v: the events account for %d bytes, %d were sent", proven, net, sent)
		}
	}
}

// TestARangeOfWhatIsWithheld waits for the digest, and not with an error: its
// client is told at once that it will come.
func TestARangeOfWhatIsWithheld(t *testing.T) {
	r := newRoom(t, nil)
	r.wait = registry.Waits{First: 400 * time.Millisecond}
	r.restart()
	one := r.addMirror("one", hubtest.StyleHost)
	d, want := r.layer(1, 4*mib)
	r.switchTo("one")
	one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Bandwidth: 2 * mib})
	got := r.do("GET", blobURL(d), "Range", "bytes=1000-1999")
	if got.StatusCode != http.StatusPartialContent || got.err != nil || !same(got.body, want[1000:2000]) {
		t.Errorf("%d, %d bytes, %v: %s", got.StatusCode, len(got.body), got.err, got.Header)
	}
	r.idle()
}

// TestResumeWithMirrors: after a restart nothing is fetched again, and what was
// withheld still is until the digest fits.
func TestResumeWithMirrors(t *testing.T) {
	for _, lies := range []bool{false, true} {
		r := newRoom(t, nil)
		r.set(func(c *config.Config) { c.Fetch.Finish = config.FinishNever })
		one := r.addMirror("one", hubtest.StyleHost)
		r.switchTo("one")
		d, want := r.layer(1, 8*mib)
		fault := hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Stall: hubtest.At(3 * mib)}
		if lies {
			fault.WrongByte = hubtest.At(1000)
		}
		one.SetFaults(fault)
		s := r.reading(d)
		r.until("3 MiB", func() bool {
			a := r.handler.Active()
			return len(a) == 1 && a[0].Have >= 2*mib
		})
		s.hangUp()
		r.restart()
		one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Stall: hubtest.At(mib)})
		if r.standing("one").Proven {
			t.Fatal("it has proved nothing yet")
		}
		s = r.reading(d)
		first := make(chan struct{})
		var rest []byte
		var err error
		var reading sync.WaitGroup
		reading.Go(func() {
			b := make([]byte, 1)
			n, rerr := s.rsp.Body.Read(b)
			close(first)
			if rest, err = s.rest(); rerr != nil {
				err = rerr
			}
			rest = append(b[:n:n], rest...)
		})
		r.until("the rest to begin", func() bool {
			a := r.handler.Active()
			return len(a) == 1 && a[0].Have > 2*mib+mib/2
		})
		select {
		case <-first:
			t.Error("a byte that was withheld before the restart was shown after it")
		default:
		}
		one.SetFaults()
		one.Release()
		reading.Wait()
		if err != nil || !same(rest, want) {
			t.Errorf("lies %v: %d bytes, %v", lies, len(rest), err)
		}
		r.idle()
		if st := r.standing("one"); (st.Expelled != nil) != lies || st.Proven == lies {
			t.Errorf("lies %v: %+v", lies, st)
		}
		if sent := one.BytesSent(d); sent > int64(len(want))+mib {
			t.Errorf("lies %v: the mirror sent %d bytes of %d", lies, sent, len(want))
		}
	}
}

// TestASilentQuestionHoldsNobodyUp: whether a repository is public is asked beside
// the download.
func TestASilentQuestionHoldsNobodyUp(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: twoUsers()})
	r.addMirror("one", hubtest.StyleHost)
	img := hubtest.RandomImage(1, 3, 100_000)
	r.hub.Push("team/app", "1", img)
	alice := r.engine("alice", "alice-secret")
	alice.login("team/app")
	nobody := r.engine("", "")
	nobody.login("team/other")
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Token, Latency: time.Hour})
	begun := time.Now()
	wantStatus(t, "manifest", alice.ask("GET", "team/app/manifests/1").StatusCode, http.StatusOK)
	for _, l := range img.Layers {
		wantStatus(t, "layer", alice.ask("GET", "team/app/blobs/"+string(l.Digest)).StatusCode, http.StatusOK)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	r.hub.SetFaults()
}

// TestAMirrorWithoutTheBlobKeepsNobodyFromTheOrigin, also if the origin did not
// answer a moment ago.
func TestAMirrorWithoutTheBlobKeepsNobodyFromTheOrigin(t *testing.T) {
	r := newRoom(t, nil)
	one := r.addMirror("one", hubtest.StyleHost)
	r.place("one").Prove()
	d, want := r.layer(1, mib)
	other, _ := r.layer(2, 100_000)
	r.hub.Down()
	r.pass(time.Minute)
	for range 3 {
		r.pass(11 * time.Second)
		r.mirror("GET", "docker.io/library/a/manifests/none")
	}
	r.wantBlob("from the mirror", other)
	if r.place("origin").Connections() != 0 {
		t.Fatal("the origin is not known to be out")
	}
	one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Status: http.StatusNotFound})
	if err := r.hub.Up(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	got := r.do("GET", blobURL(d))
	if got.StatusCode != http.StatusOK || !same(got.body, want) {
		t.Errorf("%d %s", got.StatusCode, got.body[:min(len(got.body), 300)])
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestCloseWaits for questions that are still being asked upstream though nobody
// waits for the answer: it would be written down after all is closed.
func TestCloseWaits(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	wantStatus(t, "warm", r.mirror("HEAD", "library/a/manifests/1").StatusCode, http.StatusOK)
	r.hub.Push("library/a", "2", hubtest.RandomImage(2, 1, 1000))
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Latency: 500 * time.Millisecond})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		rsp, err := r.start(ctx, "GET", "http://127.0.0.1/v2/library/a/manifests/2", nil)
		if err == nil {
			_ = rsp.Body.Close()
		}
	}()
	r.until("the question", func() bool { return r.hub.Count("GET", "/v2/library/a/manifests/2") > 0 })
	leave()
	<-left
	r.event(func(e registry.Event) bool { return e.Reference == "2" })
	hit, open := r.hold()
	<-hit // the answer has come, and is being written down
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		r.handler.Close()
	}()
	select {
	case <-closed:
		t.Error("closed while an answer was being written down")
	case <-time.After(100 * time.Millisecond):
	}
	open()
	<-closed
	if got := r.mirror("GET", "library/a/manifests/3"); got.StatusCode == http.StatusOK {
		t.Errorf("%d after Close", got.StatusCode)
	}
}

// TestBytesOfEachSource: each is named in the event of a blob that came from several.
func TestBytesOfEachSource(t *testing.T) {
	r := newRoom(t, nil)
	r.set(func(c *config.Config) { c.Fetch.RangeMin = mib })
	sources := map[string]*hubtest.Hub{"origin": r.hub}
	for i := range 3 {
		name := "m" + strconv.Itoa(i)
		sources[name] = r.addMirror(name, styles[i])
		r.place(name).Prove()
	}
	for _, h := range sources {
		h.SetFaults(hubtest.Faults{Bandwidth: mib})
	}
	d, want := r.layer(1, 16*mib)
	r.wantBlob("from all", d)
	e := r.blobEvent(d)
	var sum int64
	for name, h := range sources {
		n := h.BytesSent(d)
		if sum += n; n == 0 || !has(e.Source, name) {
			t.Errorf("%s sent %d bytes; source %q", name, n, e.Source)
		}
	}
	if sum > int64(len(want))*105/100 || e.FromNet > sum {
		t.Errorf("%d bytes were sent for %d, %d accounted for", sum, len(want), e.FromNet)
	}
}
