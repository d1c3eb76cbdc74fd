package registry

import (
	"errors"
	"net/http"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/proxy/source"
	store "pulley/proxy/source/shared"
)

// What came into the cache is offered to the store that a team's machines share,
// if there is one. Who may have it out of there is decided as for the cache, by
// each machine with the origin.

// kept is something of a repository for the shared store. Whether the repository is
// public is asked when it is sent, which may be a while later.
func (h *Handler) kept(of home, d digest.Digest, mediaType string) source.Kept {
	return source.Kept{
		Registry: of.reg, Host: of.host, Repository: of.repository, Digest: d, MediaType: mediaType,
		Public: func() bool { return h.tellable(of) },
		Open: func() (store.Content, error) {
			release := h.cache.Hold(d)
			b, err := h.cache.Get(d)
			if err != nil {
				release()
				return nil, err
			}
			return &held{Blob: b, release: release}, nil
		},
	}
}

// held is a blob that is not evicted while it is being sent.
type held struct {
	*cache.Blob
	release func()
}

// Close may be called once.
func (b *held) Close() error {
	defer b.release()
	return b.Blob.Close()
}

// offerBlob offers a blob.
func (h *Handler) offerBlob(of home, d digest.Digest) {
	if h.opt.Sources.Keeps() {
		h.opt.Sources.Keep(h.kept(of, d, ""))
	}
}

// offerManifest offers a manifest, if it is the origin's word that the repository
// has it: to be in the store is to be taken for that.
func (h *Handler) offerManifest(req *Request, f *found) {
	if !h.opt.Sources.Keeps() || f.from == config.SharedName || f.MediaType == "" {
		return
	}
	if f.from == fromOrigin || h.cache.References(req.cacheName(), f.Digest) || h.ledger.said(req.name(), req.Asker, string(f.Digest)) {
		h.opt.Sources.Keep(h.kept(req.home(), f.Digest, f.MediaType))
	}
}

// offerTag writes down there what the origin said of a tag, where it says so to all
// clients.
func (h *Handler) offerTag(of home, k tagKey, e entry) {
	if !h.opt.Sources.Keeps() || !k.takes(e.MediaType) || k.class != everything && kindOf(e.MediaType) == 0 {
		return
	}
	h.opt.Sources.KeepTag(h.kept(of, e.Digest, e.MediaType), k.tag, e.Size)
}

// notShared says that an error is no more than that the shared store has not
// something, which is worth nobody's attention.
func notShared(p *source.Place, err error) bool {
	var status *source.StatusError
	return p.Shared() && errors.As(err, &status) && status.Status == http.StatusNotFound
}

// rightIsKnown says that the asker has a right to the repository, by the origin's
// word: without that, no place that may know of private repositories gives anything
// of them, whatever they are named by.
func (h *Handler) rightIsKnown(req *Request, d digest.Digest, away bool) bool {
	name, who := req.name(), req.Asker
	return h.tellable(req.home()) || h.ledger.admits(name, who) || h.ledger.said(name, who, string(d)) || away && h.admitsOffline(req)
}
