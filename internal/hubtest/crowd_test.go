package hubtest_test

import (
	"io"
	"net/http"
	"testing"

	"pulley/internal/hubtest"
)

func TestPeak(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	d.SetFaults(hubtest.Faults{Stall: hubtest.At(10), Kind: hubtest.Blob})
	var open []*http.Response
	for range 3 {
		res, err := d.c.Get(d.url)
		must(t, err)
		_, err = io.ReadFull(res.Body, make([]byte, 10))
		must(t, err)
		open = append(open, res)
	}
	do(t, d.c, "GET", "http://auth.docker.io/token", "")
	do(t, d.c, "GET", "https://auth.docker.io/token", "")
	for host, want := range map[string]int{"open.example": 3, "auth.docker.io": 2, "": 5, "ghcr.io": 0} {
		if got := d.Peak(host); got != want {
			t.Errorf("%q: %d connections at once, want %d", host, got, want)
		}
	}
	if got := d.Concurrent("", "open.example/**"); got != 3 {
		t.Errorf("%d blobs at once", got)
	}
	if got := d.Concurrent("", "auth.docker.io/**"); got != 1 {
		t.Errorf("%d tokens at once", got)
	}
	for _, res := range open {
		res.Body.Close()
	}
	d.c.CloseIdleConnections()
	d.SetFaults()
	must(t, d.Quiet(t.Context()))
	for _, n := d.Connections(); n > 0; _, n = d.Connections() {
	}
	d.Reset()
	d.get()
	d.get()
	if got := d.Peak("open.example"); got != 1 {
		t.Errorf("after Reset %d", got)
	}
	if got := d.Concurrent("", ""); got != 1 {
		t.Errorf("after Reset %d requests at once", got)
	}
}
