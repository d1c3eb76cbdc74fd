package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/proxy/source"
)

// ErrCredentials is why [Handler.Fetch] brings nothing of a private repository:
// nobody's credentials are at hand.
var ErrCredentials = errors.New("it is private, which needs a pull with credentials")

// Fetch brings back one blob or manifest of a repository that is not in the cache
// any more, or not as it was ([cache.Cache.Verify]), on nobody's behalf: only a
// public one can be had so. What is here and right is left alone. progress is as
// Pull's.
//
// Errors are *PullError, perhaps with ErrCredentials in it, and ctx's cause.
func (h *Handler) Fetch(ctx context.Context, n cache.Name, d digest.Digest, progress func(PullProgress)) error {
	image := source.Image{Host: n.Registry, Repository: n.Repository, Digest: d}
	cfg := h.settings()
	image.Registry, _ = cfg.Registry(n.Registry)
	if image.Registry == nil {
		image.Registry, _ = cfg.RegistryByHost(n.Registry)
	}
	if n.Registry == cache.Local {
		return &PullError{Image: n.String(), Cause: CauseMissing, Why: string(d) + " of an image of your own is lost, and nobody else has it; push it again"}
	}
	u, err := h.pulling(Pull{Image: image})
	if err != nil {
		return err
	}
	u.target.Door = doorHeal
	defer u.release()
	defer u.board.tell(progress)()
	if h.isManifest(n, d) {
		_, err = u.manifest(ctx, string(d), -1)
	} else {
		err = u.bring(ctx, piece{what: WhatLayer, Descriptor: descriptorOf(d, h.sizes.hint(d))})
	}
	var told *PullError
	if errors.As(err, &told) && told.Cause == CauseDenied {
		told.Why, told.Err = ErrCredentials.Error()+": pulley pull "+h.heldAs(n, d), fmt.Errorf("%w: %w", ErrCredentials, told.Err)
	}
	return err
}

// isManifest reports whether a repository that is cached has this digest as a
// manifest: under a tag, by itself or in an index.
func (h *Handler) isManifest(n cache.Name, d digest.Digest) bool {
	if _, err := h.cache.Image(n, string(d)); err == nil {
		return true
	}
	tags, err := h.cache.Tags(n)
	if err != nil {
		return false
	}
	for _, tag := range tags {
		t, err := h.cache.Tag(n, tag)
		if err == nil && (t.Digest == d || h.lists(t.Digest, d, 0, map[digest.Digest]bool{})) {
			return true
		}
	}
	return false
}

// lists reports whether a stored index has this digest below it. Each is looked at
// once: indexes that name one another many times stand for more paths than can be
// followed.
func (h *Handler) lists(index, d digest.Digest, depth int, seen map[digest.Digest]bool) bool {
	if seen[index] {
		return false
	}
	seen[index] = true
	body, _, err := h.cache.Manifest(index)
	var m document
	if err != nil || depth > maxDepth || json.Unmarshal(body, &m) != nil {
		return false
	}
	for _, child := range m.Manifests {
		if child.Digest == d || h.lists(child.Digest, d, depth+1, seen) {
			return true
		}
	}
	return false
}

// heldAs is a name of a repository's image that a person can pull.
func (h *Handler) heldAs(n cache.Name, d digest.Digest) string {
	if tags, err := h.cache.Tags(n); err == nil {
		for _, tag := range tags {
			t, err := h.cache.Tag(n, tag)
			if err == nil && (t.Digest == d || h.cache.References(n, d)) {
				return n.String() + ":" + tag
			}
		}
	}
	return n.String()
}

func descriptorOf(d digest.Digest, size int64) ocispec.Descriptor {
	if size <= 0 {
		size = -1
	}
	return ocispec.Descriptor{Digest: d, Size: size}
}
