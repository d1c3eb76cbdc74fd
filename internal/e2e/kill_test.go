//go:build e2e

package e2e

import (
	"fmt"
	"runtime"
	"testing"

	"pulley/internal/hubtest"
)

// TestKill: the daemon is killed in the middle of an engine's pull. Once it is back the same pull, or the next one by the
// same engine, completes with the right bytes, and upstream did not send the layer all over again.
func TestKill(t *testing.T) {
	const rate, enough, size = 24 << 20, 20 << 20, 32 << 20
	image := hubtest.RandomImage(33, 1, size).WithPlatform("linux/" + runtime.GOARCH)
	layer := image.Layers[0]
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "1h")
			r.hub.Push("library/large", "1", image)
			// Slow enough that what was sent has arrived, and is not in the buffers of a connection that dies.
			r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Digest: layer.Digest, Total: rate})
			s := r.open(t, e, viaHTTP)
			name := r.wiring(t, viaHTTP).name("library/large", "1")
			pulled := make(chan error, 1)
			go func() { pulled <- s.pull(t, name, nil) }()
			r.daemon.wait(t, func() error {
				if sent := r.hub.BytesSent(layer.Digest); sent < enough {
					return fmt.Errorf("upstream has sent %d bytes", sent)
				}
				return nil
			})
			r.kill(t)
			r.hub.SetFaults()
			r.up(t)
			if err := <-pulled; err != nil {
				t.Logf("the pull that was cut: %v", err)
				if err := s.pull(t, name, nil); err != nil {
					t.Fatal(err)
				}
			}
			s.check(t, name, image)
			if sent := r.hub.BytesSent(layer.Digest); sent > layer.Content.Size()*12/10 {
				t.Errorf("upstream sent %d bytes of a layer of %d", sent, layer.Content.Size())
			}
		})
	}
}
