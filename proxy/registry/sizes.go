package registry

import (
	"encoding/json"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// sizes remembers how large the blobs of manifests that went by are. That tells a
// fetch how to begin; it is believed for nothing else.
type sizes struct {
	mu   sync.Mutex
	of   map[digest.Digest]int64
	seen map[digest.Digest]bool // manifests that were read
}

const maxSizes = 1 << 15

func newSizes() *sizes {
	return &sizes{of: map[digest.Digest]int64{}, seen: map[digest.Digest]bool{}}
}

// read takes the sizes out of a manifest, once.
func (s *sizes) read(d digest.Digest, body []byte) {
	s.mu.Lock()
	seen := s.seen[d]
	s.mu.Unlock()
	if seen || d == "" || len(body) == 0 {
		return
	}
	var m ocispec.Manifest
	if json.Unmarshal(body, &m) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of) >= maxSizes || len(s.seen) >= maxSizes {
		clear(s.of)
		clear(s.seen)
	}
	s.seen[d] = true
	for _, l := range append(m.Layers, m.Config) {
		if l.Digest != "" {
			s.of[l.Digest] = l.Size
		}
	}
}

// hint is the size of a blob, 0 if no manifest told it.
func (s *sizes) hint(d digest.Digest) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.of[d], 0)
}
