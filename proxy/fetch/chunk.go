package fetch

import "time"

// How much of the blob one connection is given at a time: what it brings in about
// chunkTime, so that a source that turns slow holds up little, but no less than a
// request is worth and no more than may be lost with a connection.
const (
	chunkTime = 3500 * time.Millisecond
	minChunk  = 1 << 20
	maxChunk  = 64 << 20
	// fastChunk is enough where it comes sooner than that: what is not yet joined to
	// the front is neither passed on nor hashed, and all of it still has to be when the
	// last byte is here. It is more where requests would take more than a part of the
	// time, which is requestShare.
	fastChunk    = 4 << 20
	requestShare = 1.0 / 16
	// growth is how much longer a claim may be than any before it at that source:
	// a burst out of some buffer says little about the rate.
	growth = 8
	// countedChunk is what a source whose operator counts requests is asked for
	// at least, and while its rate is not known.
	countedChunk = 8 << 20
	// lastChunk is the least that is asked for near the end, where a claim must be
	// short enough to end with the others …
	lastChunk = 256 << 10
	// … but not shorter than this, or than four times what it takes a source to
	// begin.
	lastTime = 250 * time.Millisecond
)

// portion cuts a claim to what one connection to the chosen peer should bring, and
// reports whether it would cut it if the blob were large.
func (r *run) portion(c choice, claim Claim) (loose bool) {
	r.mu.Lock()
	whole, largest, firstByte, span := c.peer.whole, c.peer.largest, c.peer.first, c.peer.span
	grain := r.grain
	r.mu.Unlock()
	if whole || !r.wide() {
		return true
	}
	off, end := claim.Range()
	left := end - off
	if end < 0 {
		left = r.size() - off // by the hint
	}
	n := min(chunk(c.rate, largest, span), enough(c.rate, firstByte, span))
	if grain > 0 && span == 0 {
		n = min(n, grain)
	}
	least := max(int64(c.rate*max(lastTime, 4*firstByte).Seconds()), lastChunk)
	if span > 0 {
		least = max(least, countedChunk)
	}
	n = min(n, max(int64(float64(left+r.underWay())*c.share*endgame), least))
	switch {
	case n+n/4 < left: // no crumbs
		claim.Limit(n)
	case end < 0 && left > 0: // see squeeze
		claim.Limit(left)
	}
	return false
}

// endgame is which part of a fair share of all that is not there yet is given out
// at once: the rest makes up for rates that change.
const endgame = 0.9

// underWay is how much the connections have still to bring.
func (r *run) underWay() (n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.workers {
		if left, ok := r.left(w); ok {
			n += left
		}
	}
	return n
}

// chunk is how many bytes a connection of that rate is given while there is much
// left. Largest is the longest claim that its source has served, 0 none; span is
// how long a request to it should last.
func chunk(rate float64, largest int64, span time.Duration) int64 {
	least := int64(minChunk)
	if span > 0 {
		least = countedChunk
	}
	if rate <= 0 {
		return least
	}
	n := min(max(int64(rate*max(chunkTime, span).Seconds()), least), maxChunk)
	if largest > 0 {
		n = min(n, max(growth*largest, least))
	}
	return n
}

// enough is the most that a connection of that rate, 0 unknown, is given. First is how
// long its source takes to begin, 0 unknown; span as for chunk.
func enough(rate float64, first, span time.Duration) int64 {
	if span > 0 {
		return maxChunk
	}
	return min(max(int64(rate*first.Seconds()/requestShare), fastChunk), maxChunk)
}

// widen cuts the first claim, which goes to the end of a blob that turns out to be
// large, to a share of it.
func (r *run) widen(w *worker) {
	if !w.loose || !r.wide() || w.peer.whole {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w.limit(min(max(r.size()/int64(r.Connections), minChunk), enough(w.peer.rate, w.peer.first, w.peer.span)))
}

// squeeze cuts claims that go on for long while another one waits: somebody wants
// a part that is far away. Needs mu.
func (r *run) squeeze() {
	for w := range r.workers {
		if w.claim == nil {
			continue
		}
		off, end := w.claim.Range()
		n := chunk(w.peer.rate, 0, 0)
		if end < 0 && r.size() >= 0 { // a claim from behind the blob's end on would contradict its size
			end = r.size()
			n = min(n, end-off)
		}
		if n > 0 && w.loose && !w.peer.whole && !w.squeezed && (end < 0 || end-off > 2*n) {
			w.squeezed = true
			w.limit(n)
		}
	}
}
