package cache

import (
	"encoding/binary"
	"slices"
)

const (
	linkManifest = 1 << iota
	linkPlatform
	linkForeign
	linkConfig
)

// encodeLinks is what tableLinks keeps of a manifest.
func encodeLinks(l links) []byte {
	b := []byte{0}
	if l.index {
		b[0] = 1
	}
	b = appendText(appendText(b, l.mediaType), l.on)
	b = appendText(b, l.wrapper)
	for _, list := range [][]link{l.manifests, l.blobs} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, c := range list {
			flags := byte(0)
			for i, set := range []bool{c.manifest, c.platform, c.foreign, c.config} {
				if set {
					flags |= 1 << i
				}
			}
			b = appendText(append(append(b, flags), c.key[:]...), c.on)
		}
	}
	return sealed(b)
}

func decodeLinks(v []byte) (l links, ok bool) {
	b, ok := unsealed(v)
	if !ok || len(b) == 0 {
		return l, false
	}
	l.index = b[0] == 1
	b = b[1:]
	for _, to := range []*string{&l.mediaType, &l.on, &l.wrapper} {
		if *to, b, ok = cutText(b); !ok {
			return l, false
		}
	}
	for _, to := range []*[]link{&l.manifests, &l.blobs} {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)) {
			return l, false
		}
		b = b[used:]
		*to = make([]link, 0, n)
		for range n {
			if len(b) < 1+len(key{}) {
				return l, false
			}
			f := b[0]
			c := link{key: key(b[1 : 1+len(key{})]), manifest: f&linkManifest != 0, platform: f&linkPlatform != 0, foreign: f&linkForeign != 0, config: f&linkConfig != 0}
			if c.on, b, ok = cutText(b[1+len(key{}):]); !ok {
				return l, false
			}
			*to = append(*to, c)
		}
	}
	return l, len(b) == 0
}

// children is everything that a manifest points at, each once.
func (l links) children() []key {
	out := make([]key, 0, len(l.manifests)+len(l.blobs)+1)
	for _, list := range [][]link{l.manifests, l.blobs} {
		for _, c := range list {
			out = append(out, c.key)
		}
	}
	if l.wrapper != "" {
		out = append(out, key([]byte(l.wrapper)))
	}
	slices.SortFunc(out, key.compare)
	return slices.Compact(out)
}

// links is what a manifest in use that was stored points at. Needs mu.
func (s *store) links(k key) (l links, ok bool) {
	s.view(tableLinks, k[:], func(v []byte) error {
		if l, ok = decodeLinks(v); !ok {
			return errDamaged
		}
		return nil
	})
	return l, ok
}

// hold notes what a manifest points at, if it is in use and that is not known
// yet; else it returns false. Needs mu.
func (s *store) hold(k key, l links) bool {
	r := s.blob(k)
	if _, held := s.links(k); held || r.refs == 0 || !r.manifest {
		return false
	}
	s.set(tableLinks, k[:], encodeLinks(l))
	manifests := make(map[key]bool, len(l.manifests))
	for _, m := range l.manifests {
		manifests[m.key] = m.manifest
	}
	s.reading(func() {
		for _, c := range l.children() {
			s.addUse(c, manifests[c])
		}
	})
	return true
}
