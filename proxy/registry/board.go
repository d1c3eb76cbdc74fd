package registry

import (
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// What a PullProgress is about.
const (
	WhatManifest = "manifest"
	WhatConfig   = "config"
	WhatLayer    = "layer"
)

// PullProgress is how far one blob of an image is.
type PullProgress struct {
	Image      string // full reference, the digest's if there is no tag
	Digest     digest.Digest
	What       string // manifest, config or layer; of a lone blob ([Handler.Fetch]) perhaps layer for what is a config
	Have, Size int64  // bytes; Size -1 while unknown
	Source     string // who brings it: "origin", "daocloud+origin"; "cache" if it was here
	Done       bool
	Cached     bool   // it was here
	Err        string // why it could not be had
}

// boardEvery is how often the board is read out: nobody sees more, and a slow
// reader is to be told the latest and not everything.
const boardEvery = 100 * time.Millisecond

// board is how far everything is that one pull brings.
type board struct {
	image string

	mu   sync.Mutex
	rows []*row
}

// row is one line of it, guarded by the board's mu.
type row struct {
	board *board
	PullProgress
	from *drive // that brings it; nil: nobody yet, or nobody any more
	new  bool   // not told yet
}

// add begins a line.
func (b *board) add(d digest.Digest, what string, size int64) *row {
	r := &row{board: b, PullProgress: PullProgress{Image: b.image, Digest: d, What: what, Size: size}, new: true}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows = append(b.rows, r)
	return r
}

// change has f change the line.
func (r *row) change(f func(*row)) {
	r.board.mu.Lock()
	defer r.board.mu.Unlock()
	f(r)
	r.new = true
}

// done ends the line: so many bytes are here, and who brought them.
func (r *row) done(size int64, source string) {
	r.change(func(r *row) {
		r.Have, r.Size, r.Source, r.Done, r.Cached, r.from, r.Err = size, size, source, true, source == fromCache, nil, ""
	})
}

// by is who brought what an event says the source of: of a download that was joined,
// those of that download.
func (r *row) by(source string) string {
	r.board.mu.Lock()
	defer r.board.mu.Unlock()
	if source == joined && r.Source != "" {
		return r.Source
	}
	return source
}

// failed ends it with a reason.
func (r *row) failed(err error) {
	r.change(func(r *row) { r.sample(); r.from, r.Err = nil, reason(err) })
}

// sample takes down how far the download is. Needs the board's mu.
func (r *row) sample() {
	if r.from == nil {
		return
	}
	have, size, source := r.from.fill.Have(), r.from.fill.Size(), r.from.tale.sources()
	if size < 0 {
		size = r.Size
	}
	if have != r.Have || size != r.Size || source != r.Source {
		r.Have, r.Size, r.Source, r.new = have, size, source, true
	}
}

// news are the lines that are not as they were last told.
func (b *board) news() (list []PullProgress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.rows {
		if r.sample(); r.new {
			r.new = false
			list = append(list, r.PullProgress)
		}
	}
	return list
}

// tell reads the board out to progress, from one goroutine, until stop is called,
// which has the last word told first.
func (b *board) tell(progress func(PullProgress)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(boardEvery)
		defer tick.Stop()
		for last := false; !last; {
			select {
			case <-tick.C:
			case <-end:
				last = true
			}
			for _, p := range b.news() {
				progress(p)
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}
