package registry

import (
	"context"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/proxy/source"
)

// Pull is an image to have in the cache before anybody pulls it.
type Pull struct {
	Image     source.Image
	Platforms []ocispec.Platform // none: Linux on this machine's processor
	All       bool               // every platform there is, attestations too, whatever Platforms says
	Fresh     bool               // ask the origin what the tag stands for, however short ago it said so

	// Authorization is the person's own, for the origin alone: a header as a
	// client sends it ("Basic …", "Bearer …"), or "Refresh " with an identity token
	// as docker's login keeps them; "" for nobody.
	Authorization string
}

// PullResult is what is in the cache after a pull.
type PullResult struct {
	Image     string // full reference
	Name      cache.Name
	Digest    digest.Digest // of what the reference stands for
	MediaType string
	Platforms []ocispec.Platform // that were pulled; none if the image does not say
	Blobs     int                // manifests included
	Size      int64              // bytes of them all
	Fetched   int64              // of those, of what was not here before
	Sources   map[string]int64   // bytes by who sent them on this pull's account: what others fetched at the same time is theirs
	Unchecked bool               // the origin did not say that the tag still stands for this: Note says why
	Note      string             // what a person should know
}

// Pull brings an image into the cache as a client's pull would: from the same
// places, by the same rights, through the same downloads, which clients that pull at
// the same time share. Foreign layers are left where they are. What is here already
// is not read again.
//
// progress, if not nil, is told of each blob at most ten times a second, by one
// goroutine at a time and not after Pull has returned. When ctx ends, downloads go
// on or are given up as those of a client that hangs up (fetch.finish); the next
// Pull goes on at the byte.
//
// Errors are *PullError, *PlatformError and ctx's cause.
func (h *Handler) Pull(ctx context.Context, p Pull, progress func(PullProgress)) (PullResult, error) {
	u, err := h.pulling(p)
	if err != nil {
		return PullResult{Image: p.Image.String()}, err
	}
	defer u.release()
	defer u.board.tell(progress)()
	return u.run(ctx)
}

// pulling begins a pull.
func (h *Handler) pulling(p Pull) (*pulling, error) {
	cfg := h.settings()
	u := &pulling{h: h, Pull: p, board: &board{image: p.Image.String()}}
	no := func(format string, a ...any) error {
		return &PullError{Image: u.board.image, Cause: CauseRequest, Why: fmt.Sprintf(format, a...)}
	}
	if p.Image.Registry == nil {
		return nil, no("%s is not a configured registry; add it to config.toml", p.Image.Host)
	}
	reg, ok := cfg.Registry(p.Image.Registry.Name)
	switch {
	case !ok:
		return nil, no("%s is not a configured registry any more; add it to config.toml", p.Image.Registry.Name)
	case !cfg.Enabled:
		return nil, no("pulley is switched off; try: pulley on")
	case !ValidRepository(p.Image.Repository):
		return nil, no("%s", problemText[NameInvalid])
	}
	host := ""
	if p.Image.Host != reg.Name {
		host = plainHost(reg, p.Image.Host)
	}
	u.target = Target{Registry: reg, Scheme: "https", Host: originHost(reg, host), Door: doorPull}
	if who, no := h.person(u.target, p.Authorization); no == nil {
		u.who = who
	}
	u.result = PullResult{Image: u.board.image, Name: home{reg: reg, host: u.target.Host, repository: p.Image.Repository}.cacheName()}
	return u, nil
}

// person is for whom a pull is made.
func (h *Handler) person(t Target, authorization string) (Asker, *refusalError) {
	if refresh, ok := source.RefreshToken(authorization); ok {
		key := h.hash.sum(t.Registry.Name, kindRefresh, refresh)
		return Asker{Authorization: authorization, Key: key, Subject: key, refresh: refresh}, nil
	}
	return h.askerOf(t.Registry.Name, t.Host, authorization)
}

// The doors of what no client asked for.
const (
	doorPull = "pull" // a prefetch
	doorHeal = "heal" // what had gone bad on the disk
)

// pullAccepts is what is taken for a tag.
var pullAccepts = []string{
	ocispec.MediaTypeImageIndex, "application/vnd.docker.distribution.manifest.list.v2+json",
	ocispec.MediaTypeImageManifest, "application/vnd.docker.distribution.manifest.v2+json",
}

// request is one of the pull's, as a client's would be.
func (p *pulling) request(ctx context.Context, what What, reference string) *Request {
	header := http.Header{"User-Agent": {"pulley"}}
	if what == Manifest {
		header["Accept"] = pullAccepts
	}
	r := &Request{
		Registry: p.target.Registry, Target: p.target, Door: p.target.Door, Named: Explicit, Asker: p.who, Fresh: p.Fresh,
		Path:    Path{What: what, Repository: p.Image.Repository, Reference: reference},
		Request: (&http.Request{Method: http.MethodGet, Header: header}).WithContext(ctx),
	}
	if d := digest.Digest(reference); valid(d) {
		r.Digest = d
	}
	return r
}

// switchedOff says that a person did that, and how to undo it.
func switchedOff(registry string) string {
	return registry + " is switched to offline; try: pulley route " + registry + " " + config.RouteAuto
}
