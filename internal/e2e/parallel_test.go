//go:build e2e

package e2e

import (
	"testing"

	"pulley/internal/hubtest"
)

// TestParallelRanges: containerd that asks for a layer in many ranges at once, each of them to the end of the layer and
// hung up when it has its chunk (containerd/containerd#12476), steers one download: upstream sends it once,
// and not once for each of them.
func TestParallelRanges(t *testing.T) {
	for _, m := range []mode{viaHTTP, viaMirror} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			r := newRigWith(t, settings{tagTTL: "1h", fetch: "range_min = \"1MiB\"\nconnections = 4"})
			image := simple(400, 16<<20)
			layer := image.Layers[0]
			r.hub.Push("library/big", "1", image)
			// Slow enough that containerd waits for bytes, and not Pulley for containerd.
			r.hub.SetFaults(hubtest.Faults{Digest: layer.Digest, Bandwidth: 4 << 20})
			e := engine{"containerd (new, parallel)", openParallelContainerd}
			s := r.open(t, e, m)
			name := r.wiring(t, m).name("library/big", "1")
			if err := s.pull(t, name, nil); err != nil {
				t.Fatal(err)
			}
			s.check(t, name, image)
			if n := r.readers(t, layer.Digest.String()); n < 16 {
				t.Errorf("containerd asked for the layer %d times: it does not fetch in parallel", n)
			}
			size, spans := layer.Content.Size(), r.hub.Ranges(layer.Digest)
			// A connection that is taken from what nobody waits for yet leaves behind what was on its way.
			if sent := spans.Total(); sent > size*11/10 {
				t.Errorf("upstream sent %d bytes of a layer of %d: %v", sent, size, spans)
			}
			t.Logf("containerd asked %d times, upstream %d times; sent twice: %v", r.readers(t, layer.Digest.String()), len(spans), spans.Twice())
		})
	}
}
