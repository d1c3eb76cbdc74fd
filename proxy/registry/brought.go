package registry

import (
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// Whoever runs this machine may bring images to it by hand, and has them then,
// whatever their registry would say to anybody who asks: a bundle proves that its
// bytes were had. They open to clients on this machine while the origin cannot be
// asked, and only they do: not what else is here of their repository, which may be
// somebody else's.

// Brought notes that the machine's owner brought an image of a repository: parts
// are the digests that came, the image's own among them. It holds over restarts,
// until Dropped.
func (h *Handler) Brought(n cache.Name, image digest.Digest, parts []digest.Digest) error {
	return h.ledger.book.update(n.String(), func(s standing) (standing, bool) {
		if slices.Equal(s.Brought[image], parts) {
			return s, false
		}
		brought := map[digest.Digest][]digest.Digest{image: slices.Clone(parts)}
		for other, of := range s.Brought {
			if other != image {
				brought[other] = of
			}
		}
		s.Brought = brought
		return s, true
	})
}

// Dropped notes that images of a repository were removed: those that were brought
// by hand and are not here any more open to nobody, should they come again.
func (h *Handler) Dropped(n cache.Name) error {
	return h.ledger.book.update(n.String(), func(s standing) (standing, bool) {
		left := maps.Clone(s.Brought)
		maps.DeleteFunc(left, func(image digest.Digest, _ []digest.Digest) bool { return !h.cache.References(n, image) })
		changed := len(left) != len(s.Brought)
		s.Brought = left
		return s, changed
	})
}

// brought says that the client is on this machine and that its owner brought d
// with an image of the repository that is still here.
func (h *Handler) brought(req *Request, d digest.Digest) bool {
	return isHere(req.Request) && h.keeps(req, d)
}

// keeps is brought, whoever asks.
func (h *Handler) keeps(req *Request, d digest.Digest) bool {
	if d == "" {
		return false
	}
	for image, parts := range h.ledger.book.get(req.name()).Brought {
		if slices.Contains(parts, d) && h.cache.References(req.cacheName(), image) {
			return true
		}
	}
	return false
}

// keepsTag says that a tag stands for what the machine's owner brought.
func (h *Handler) keepsTag(req *Request) bool {
	e, ok := h.shelf.lastResort(tagKey{name: req.cacheName(), tag: req.Reference})
	return ok && h.keeps(req, e.Digest)
}

// admitsOfflineTo is admitsOffline for one digest of the repository.
func (h *Handler) admitsOfflineTo(req *Request, d digest.Digest) bool {
	return h.admitsOffline(req) || h.brought(req, d)
}
