package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"pulley/internal/platform"
)

// pulling is one pull under way.
type pulling struct {
	h *Handler
	Pull
	target Target
	who    Asker
	board  *board

	mu     sync.Mutex
	result PullResult
	held   []func() // keep what was brought from being evicted before the rest is here
	pieces []piece
	have   map[digest.Digest]bool // of the pieces
	walked map[digest.Digest]bool // of the manifests in indexes
}

// piece is a config or layer.
type piece struct {
	ocispec.Descriptor
	what string
}

// document is what a pull needs of all kinds of manifests.
type document struct {
	MediaType string               `json:"mediaType"`
	Schema    int                  `json:"schemaVersion"`
	Manifests []ocispec.Descriptor `json:"manifests"`
	Config    *ocispec.Descriptor  `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
	Blobs     []ocispec.Descriptor `json:"blobs"`
}

const (
	// maxDepth is how deep indexes may stand in indexes.
	maxDepth = 4
	// bigAtOnce is how many layers are fetched at once, as dockerd does it: each
	// may have several connections.
	bigAtOnce = 3
	// smallAtOnce is how many of those that are over before a connection is up to
	// its speed, and smallPiece the size in bytes up to which they are.
	smallAtOnce = 8
	smallPiece  = 1 << 20
)

func (p *pulling) run(ctx context.Context) (PullResult, error) {
	reference := cmp.Or(string(p.Image.Digest), p.Image.Tag)
	root, err := p.manifest(ctx, reference, -1)
	if err != nil {
		return p.result, err
	}
	p.result.Digest, p.result.MediaType = root.Digest, root.MediaType
	p.result.Unchecked, p.result.Note = root.stale, root.note
	if err := p.walk(ctx, root, 0); err != nil {
		return p.result, err
	}
	if err := p.bringAll(ctx); err != nil {
		return p.result, err
	}
	p.single()
	if p.Image.Digest != "" { // it may be here because of another repository
		p.h.warn(p.h.cache.Link(p.result.Name, root.Digest, root.MediaType))
	}
	p.h.cache.Served(p.result.Name, root.Digest, 0)
	return p.result, nil
}

// release lets go of what was held.
func (p *pulling) release() {
	for _, release := range p.held {
		release()
	}
}

func (p *pulling) hold(d digest.Digest) {
	release := p.h.cache.Hold(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = append(p.held, release)
}

// manifest brings one manifest.
func (p *pulling) manifest(ctx context.Context, reference string, size int64) (*found, error) {
	req := p.request(ctx, Manifest, reference)
	p.hold(req.Digest)
	var line *row
	if req.Digest != "" {
		line = p.board.add(req.Digest, WhatManifest, size)
	}
	x := p.h.account(req)
	defer x.end()
	f, err := p.h.manifest(x, req) //nolint:contextcheck // req holds it
	if err == nil && f.body == nil {
		err = errors.New("there is a manifest, but it cannot be had")
	}
	if err != nil {
		err = p.failed(req, x, err) //nolint:contextcheck // req holds it
		if line != nil {
			line.failed(err)
		}
		return nil, err
	}
	p.hold(f.Digest)
	if line == nil {
		line = p.board.add(f.Digest, WhatManifest, int64(len(f.body)))
	}
	x.resolved(p.h, f)
	x.event.Status = statusOK
	p.h.sizes.read(f.Digest, f.body)
	line.done(int64(len(f.body)), x.event.Source)
	p.account(x, int64(len(f.body)), x.event.Source == fromCache)
	return f, nil
}

// account takes something into the result that is here now.
func (p *pulling) account(x *exchange, size int64, cached bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.result.Blobs++
	p.result.Size += size
	if !cached {
		p.result.Fetched += size
	}
	for place, n := range x.event.Fetched {
		if p.result.Sources == nil {
			p.result.Sources = map[string]int64{}
		}
		p.result.Sources[place] += n
	}
}

// walk finds the pieces of what a manifest stands for, bringing those below it.
func (p *pulling) walk(ctx context.Context, f *found, depth int) error {
	var m document
	if err := json.Unmarshal(f.body, &m); err != nil {
		return p.bad("its manifest cannot be read: " + reason(err))
	}
	switch {
	case m.Manifests != nil:
		return p.index(ctx, m.Manifests, depth)
	case m.Config == nil && m.Schema == 1:
		return p.bad("it is in the first format of images, which engines of today do not pull; push it anew")
	}
	lists := [][]ocispec.Descriptor{m.Layers, m.Blobs}
	if m.Config != nil {
		lists = append(lists, []ocispec.Descriptor{*m.Config})
		p.add(*m.Config, WhatConfig)
	}
	for _, list := range lists {
		for _, d := range list {
			if !valid(d.Digest) {
				return p.bad("its manifest lists something without a digest")
			}
		}
	}
	if depth == 0 {
		if err := p.suits(ctx, m.Config); err != nil {
			return err
		}
	}
	for _, list := range lists {
		for _, d := range list {
			if !foreign(d.MediaType) {
				p.add(d, WhatLayer)
			}
		}
	}
	return nil
}

// foreign layers are not to be had from a registry.
func foreign(mediaType string) bool {
	return strings.Contains(mediaType, ".foreign.") || strings.Contains(mediaType, ".nondistributable.")
}

func (p *pulling) add(d ocispec.Descriptor, what string) {
	if p.have == nil {
		p.have = map[digest.Digest]bool{}
	}
	if !p.have[d.Digest] {
		p.have[d.Digest] = true
		p.pieces = append(p.pieces, piece{d, what})
	}
}

// index brings the manifests that are wanted of an index.
func (p *pulling) index(ctx context.Context, children []ocispec.Descriptor, depth int) error {
	if depth >= maxDepth {
		return p.bad("its indexes stand too deep in one another")
	}
	if !p.All {
		wanted := p.Platforms
		if len(wanted) == 0 {
			wanted = []ocispec.Platform{platform.Own()}
		}
		chosen, missing := platform.Choose(wanted, children)
		if missing != nil {
			return &PlatformError{Image: p.board.image, Platform: platforms.Format(*missing), Have: platform.Names(children)}
		}
		children = chosen
	}
	children = p.unwalked(children)
	list := make([]*found, len(children))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(bigAtOnce)
	for i, d := range children {
		g.Go(func() (err error) {
			list[i], err = p.manifest(gctx, string(d.Digest), d.Size)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return p.ended(ctx, err)
	}
	for i, f := range list {
		if on := children[i].Platform; on != nil && !platform.Attests(children[i]) {
			p.result.Platforms = append(p.result.Platforms, *on)
		}
		if err := p.walk(ctx, f, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// unwalked are those that no index so far has named: indexes that name one another
// many times stand for more paths than can be followed.
func (p *pulling) unwalked(children []ocispec.Descriptor) (list []ocispec.Descriptor) {
	if p.walked == nil {
		p.walked = map[digest.Digest]bool{}
	}
	for _, d := range children {
		if !p.walked[d.Digest] {
			p.walked[d.Digest] = true
			list = append(list, d)
		}
	}
	return list
}

// ended is why several things together ended: what ctx says, if it was that.
func (p *pulling) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// suits says why an image of one platform is not what was asked for.
func (p *pulling) suits(ctx context.Context, config *ocispec.Descriptor) error {
	if len(p.Platforms) == 0 || p.All || config == nil || !isImageConfig(config.MediaType) {
		return nil
	}
	if err := p.bring(ctx, p.pieces[0]); err != nil {
		return err
	}
	p.pieces = p.pieces[1:]
	on, ok := p.platform(config.Digest)
	for _, want := range p.Platforms {
		if ok && !platform.Runs(want, on) {
			return &PlatformError{Image: p.board.image, Platform: platforms.Format(want), Have: []string{platforms.Format(on)}}
		}
	}
	return nil
}

func isImageConfig(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageConfig || mediaType == "application/vnd.docker.container.image.v1+json"
}

// platform reads what an image runs on out of its config.
func (p *pulling) platform(config digest.Digest) (on ocispec.Platform, ok bool) {
	f, err := p.h.cache.Get(config)
	if err != nil {
		return on, false
	}
	defer func() { _ = f.Close() }()
	if f.Size() > maxManifest || json.NewDecoder(f.File()).Decode(&on) != nil {
		return on, false
	}
	return on, on.OS != "" && on.Architecture != ""
}

// single says of an image that is for one platform only which that is.
func (p *pulling) single() {
	var m document
	body, _, err := p.h.cache.Manifest(p.result.Digest)
	if len(p.result.Platforms) > 0 || err != nil || json.Unmarshal(body, &m) != nil || m.Config == nil || !isImageConfig(m.Config.MediaType) {
		return
	}
	on, ok := p.platform(m.Config.Digest)
	if !ok {
		return
	}
	p.result.Platforms = []ocispec.Platform{on}
	if len(p.Platforms) == 0 && !p.All && !platform.Runs(platform.Own(), on) {
		p.result.Note = strings.TrimPrefix(p.result.Note+"; it is for "+platforms.Format(on)+" only", "; ")
	}
}

// bad is the error for an image that there is something wrong with.
func (p *pulling) bad(why string) error {
	return &PullError{Image: p.board.image, Cause: CauseUpstream, Why: why}
}

// failed makes an error of the handler's one for a person, and of the event.
func (p *pulling) failed(req *Request, x *exchange, err error) error {
	if req.Context().Err() != nil {
		err = context.Cause(req.Context())
		x.note("given up")
		x.cause(CauseLeft)
		x.fail(err)
		return err
	}
	told := p.h.explain(p.board.image, req, err)
	x.cause(told.Cause)
	x.fail(told)
	x.event.Status = told.Status
	return told
}
