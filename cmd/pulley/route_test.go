//go:build !darwin

package main

import (
	"testing"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// stalls is an origin that sends so much of a blob, and then no more until somebody is content with less.
func stalls(at int64) hubtest.Faults {
	return hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(at)}
}

// arrived waits until so much of a blob is here, and no more comes.
func (p *trip) arrived(n int64) {
	p.t.Helper()
	p.until("download of that size", func() bool {
		var state control.State
		p.json(&state, "status")
		return len(state.Active) == 1 && state.Active[0].Have == n
	})
}

// TestRouteIsSwitchedInTheMiddle of a download: its client sees one stream without a break, the rest of which comes from
// where the person wants it.
func TestRouteIsSwitchedInTheMiddle(t *testing.T) {
	p := newTrip(t)
	p.withMirrors, p.settings.Fetch = true, "" // one connection
	p.settings.Registry = `route = "direct"`
	p.start()
	layer := p.image.Layers[0]
	size, got := layer.Content.Size(), int64(2<<20)
	p.origin.SetFaults(stalls(got))
	p.pull(func() {
		p.arrived(got)
		if n := p.mirrors[0].BytesSent(layer.Digest) + p.mirrors[1].BytesSent(layer.Digest); n != 0 {
			t.Errorf("mirrors sent %d bytes on the route direct", n)
		}
		p.want("route", p.says("route", "docker.io", "m2"), `docker\.io +m2 `)
	})
	if n := p.mirrors[1].BytesSent(layer.Digest); n != size-got {
		t.Errorf("m2 sent %d bytes of the %d that were missing", n, size-got)
	}
	if n := p.origin.BytesSent(layer.Digest); n != got {
		t.Errorf("the origin sent %d bytes, %d before it was switched away from", n, got)
	}
	if n := p.mirrors[0].Count("", "/v2/*/**"); n != 0 {
		t.Errorf("m1 was asked %d times", n)
	}
	p.logSays(`blob .* from m2\+origin .*by m2 direct 127\.0\.0\.1:\d+, origin direct 127\.0\.0\.1:\d+\n`)
	p.want("status", p.says("status"), `route +docker\.io +m2 `)
}

// TestRouteIsSwitchedToOffline in the middle of a download: nobody is asked any more, so it ends, as short as it is; what
// came is kept, and comes to nobody twice when the person is online again.
func TestRouteIsSwitchedToOffline(t *testing.T) {
	p := newTrip(t)
	p.settings.Fetch = ""
	p.start()
	layer := p.image.Layers[0]
	size, got := layer.Content.Size(), int64(2<<20)
	p.origin.SetFaults(stalls(got))
	client := pull(t, p.address, p.repository, p.image)
	client.manifest("latest")
	if err := client.read(size, func() { p.arrived(got); p.says("route", "docker.io", "offline") }); err == nil || client.have > got {
		t.Fatalf("%d bytes came, %v", client.have, err)
	}
	if err := p.origin.Quiet(t.Context()); err != nil { // or what was given up goes on when it stalls no more
		t.Fatal(err)
	}
	p.origin.SetFaults()
	asked := p.origin.Count("", "")
	if err := client.read(size, nil); err == nil {
		t.Error("the rest came from nowhere")
	}
	if n := p.origin.Count("", ""); n != asked {
		t.Errorf("the origin was asked %d times on the route offline", n-asked)
	}
	p.logSays(` 200 GET +blob .*; the registry is switched to offline`, ` 404 GET +blob .*; the registry is switched to offline`)

	p.says("route", "docker.io", "auto")
	client.rest(nil)
	if n := p.origin.BytesSent(layer.Digest); n != size {
		t.Errorf("%d bytes were sent of %d", n, size)
	}
}
