package daemon_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"pulley/internal/hubtest"
)

// A client that leaves in the middle of a stored blob is what the log says, not a failure.
func TestAClientThatLeavesAStoredBlob(t *testing.T) {
	r := start(t, nil)
	const size = 32 << 20 // more than fits into buffers on the way
	image := hubtest.RandomImage(1, 1, size)
	r.hub.Push("library/left", "latest", image)
	r.settled(t, "library/left", image)
	before, err := r.Events(10_000)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", r.Address())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /v2/library/left/blobs/%s HTTP/1.1\r\nHost: %s\r\n\r\n", image.Layers[0].Digest, r.Address())
	if _, err := io.CopyN(io.Discard, c, 1<<20); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	events := r.logged(t, len(before)+1)
	e := events[len(events)-1]
	if e.Cause != "client_left" || !strings.Contains(e.Note, "the client left") || e.Source != "cache" || e.Status != 200 || e.Bytes >= size || e.FromNet != 0 {
		t.Errorf("in the log as %+v", e)
	}
	if list := r.State().Problems; len(list) > 0 {
		t.Errorf("a problem: %+v", list)
	}
}
