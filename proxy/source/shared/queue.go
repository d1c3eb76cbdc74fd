package shared

import (
	"context"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/time/rate"
)

// An Item is something to be put into the store.
type Item struct {
	Key     string
	Type    string        // media type
	Digest  digest.Digest // of its content; "" for a Ref
	Replace bool          // also if the key is there already: a Ref
	Mark    string        // what it says, if that may change: not sent again while it is the same

	// Open opens the content, which is closed when it has been sent. It fails when
	// there is nothing to send any more. It is not called before it is needed.
	Open func() (Content, error)
	// Allowed is asked right before anything of the item is sent; nil: it is.
	Allowed func() bool
}

// Content is what an Item consists of.
type Content interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// maxQueue bounds what waits: about the layers of a hundred images.
const maxQueue = 2048

// queue is what waits to be put into the store, first come first served.
type queue struct {
	mu      sync.Mutex
	items   []Item
	waiting map[string]bool // keys that wait or are being sent
	lost    int             // since the last one that went
	said    bool            // that some are lost
	more    chan struct{}   // one token for whoever waits
	pace    *rate.Limiter
}

func (q *queue) init() {
	q.waiting, q.more = map[string]bool{}, make(chan struct{}, uploads)
	q.pace = rate.NewLimiter(rate.Inf, paceBurst)
}

// stir has those look who wait for something to do.
func (q *queue) stir() {
	for range uploads {
		select {
		case q.more <- struct{}{}:
		default:
		}
	}
}

// put takes an item, and reports whether the queue is over full for the first time.
func (q *queue) put(it Item) (full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting[it.Key] {
		return false
	}
	if len(q.items) >= maxQueue {
		delete(q.waiting, q.items[0].Key)
		q.items = append(q.items[:0], q.items[1:]...)
		q.lost++
		full = !q.said
		q.said = true
	}
	q.items = append(q.items, it)
	q.waiting[it.Key] = true
	q.stir()
	return full
}

// take is the next item, which waits until it is done with.
func (q *queue) take() (Item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return Item{}, false
	}
	it := q.items[0]
	q.items = append(q.items[:0], q.items[1:]...)
	return it, true
}

// done forgets an item that was taken.
func (q *queue) done(it Item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, it.Key)
}

// went tells that one has arrived, so that the next loss is news.
func (q *queue) went() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.said, q.lost = false, 0
}

// drop forgets all, and says how many that were.
func (q *queue) drop() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.items)
	for _, it := range q.items {
		delete(q.waiting, it.Key)
	}
	q.items = nil
	return n
}

// waits is how many there are.
func (q *queue) waits() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

const (
	// paceBurst is what may go at once.
	paceBurst = 256 << 10
	// leastPaced is what is too small to be slowed down.
	leastPaced = 64 << 10
)

// paced reads no faster than the limit of now.
func (q *queue) paced(ctx context.Context, r io.ReadCloser, limit func() int64) io.ReadCloser {
	return &pacedReader{ReadCloser: r, ctx: ctx, q: q, limit: limit}
}

type pacedReader struct {
	io.ReadCloser
	ctx   context.Context //nolint:containedctx // the request's
	q     *queue
	limit func() int64
}

func (p *pacedReader) Read(b []byte) (int, error) {
	want := rate.Inf
	if n := p.limit(); n > 0 {
		want = rate.Limit(n)
		b = b[:min(len(b), paceBurst)]
	}
	if p.q.pace.Limit() != want {
		p.q.pace.SetLimit(want)
	}
	n, err := p.ReadCloser.Read(b)
	if n > 0 && want != rate.Inf {
		if werr := p.q.pace.WaitN(p.ctx, n); werr != nil {
			return n, werr
		}
	}
	return n, err
}
