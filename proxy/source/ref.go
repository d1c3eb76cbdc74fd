package source

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// Want is one blob of a repository, on somebody's behalf.
type Want struct {
	Repository string
	Digest     string
	Public     bool     // the repository is known to be public
	As         Identity // whose right it is at the origin; a mirror never sees it
}

// BlobRef is one blob at one place, for as long as it is being fetched: ask for
// a new one for each fetch. It is what a fetch calls a source, and is compared
// by its pointer. Its methods may be called concurrently.
//
// Where the registry redirected to is asked again for further ranges of this
// blob, for at most reuse and until it fails: signed URLs run out. With the
// BlobRef it is forgotten.
type BlobRef struct {
	*Place
	want Want

	mu    sync.Mutex
	open  int
	to    *url.URL // nil: ask the registry
	until time.Time
}

// reuse is how long a redirect's target may be asked without the registry. The
// shortest-lived URLs seen in the field hold for a few minutes.
const reuse = time.Minute

// Blob returns a reference to a blob there.
func (p *Place) Blob(w Want) *BlobRef { return &BlobRef{Place: p, want: w} }

// Connections is how many the blob may have from here, those that it has
// included.
func (r *BlobRef) Connections() int {
	more := r.Place.Connections()
	r.mu.Lock()
	defer r.mu.Unlock()
	return more + r.open
}

// Open opens the blob at off, up to end (exclusive; -1 to its end). A Range is sent
// when off > 0 or end is known. A source that ignores it answers with the whole
// blob, seen in Start = 0 and Ranged = false. The body may be shorter than asked for
// where a mirror's quota ends; its Length says so.
//
// Errors are *StatusError (a 416's with the blob's size), *LieError, the context's,
// and *UnusableError if the place is not asked.
func (r *BlobRef) Open(ctx context.Context, off, end int64) (*Body, error) {
	if !r.MayKnow(r.want.Public, r.want.Repository) {
		return nil, r.unusable(errTold, time.Time{})
	}
	n := int64(maxUnbounded)
	if end >= 0 {
		n = end - off
	}
	hold, err := r.enter(n, 1)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.open++
	r.mu.Unlock()
	r.set.open.Add(1)
	if hold.account != nil { // ask for no more than may come
		end = off + hold.reserved
	}
	b, err := r.get(ctx, off, end)
	if err == nil {
		err = hold.fit(b)
	}
	if err != nil {
		r.heard(ctx, err)
		if ctx.Err() != nil { // it may be answering
			hold.sent(firstFlight)
		}
		hold.leave(0)
		r.left()
		return nil, err
	}
	r.set.health.answered(r.key, b.took)
	since, late := r.set.now(), b.took >= slowAnswer
	if late {
		since = since.Add(-b.took)
	}
	m := &meter{ReadCloser: b.ReadCloser, ctx: ctx, place: r.Place, hold: hold, want: b.Length, most: -1, since: since, left: r.left, late: late}
	if hold.account != nil {
		m.most = hold.reserved
	}
	b.ReadCloser = m
	return b, nil
}

const (
	// maxUnbounded is how much of a quota a request reserves that does not say
	// how much it wants; blobs above it are rare, and come in several pieces.
	maxUnbounded = 4 << 30

	// slowAnswer is a first byte so late that it belongs to the throughput:
	// there are mirrors that sleep a second for each MiB before they send it
	// (DaoCloud/public-image-mirror#6196).
	slowAnswer = time.Second
)

func (r *BlobRef) left() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	r.set.open.Add(-1)
}

// get asks where the registry sent us before, or the registry.
func (r *BlobRef) get(ctx context.Context, off, end int64) (*Body, error) {
	if b := r.again(ctx, off, end); b != nil {
		return b, nil
	}
	if r.shared != nil {
		return r.storeBlob(ctx, digest.Digest(r.want.Digest), off, end)
	}
	id, path, query := r.want.As, "/v2/"+r.want.Repository+"/blobs/"+r.want.Digest, ""
	if r.mirror != nil {
		var err error
		if path, query, err = r.style.rewrite(path, ""); err != nil {
			return nil, r.unusable(err.Error(), time.Time{})
		}
		if id, err = r.set.logins.of(ctx, r.mirror.Auth, r.at.host); err != nil {
			return nil, r.unusable(err.Error(), time.Time{})
		}
	}
	b, err := r.at.blob(ctx, path, query, off, end, id)
	if r.mirror != nil && statusOf(nil, err) == http.StatusUnauthorized {
		r.set.logins.forget(r.mirror.Auth, r.at.host)
	}
	if err != nil {
		return nil, err
	}
	if b.target != nil {
		r.mu.Lock()
		r.to, r.until = b.target, r.set.now().Add(reuse)
		r.mu.Unlock()
	}
	return b, nil
}

// again asks the target of an earlier redirect; nil if there is none or it does
// not give what was asked for.
func (r *BlobRef) again(ctx context.Context, off, end int64) *Body {
	r.mu.Lock()
	to, until := r.to, r.until
	r.mu.Unlock()
	if to == nil || !r.set.now().Before(until) {
		return nil
	}
	b, err := r.at.blobAt(ctx, to, off, end)
	if err != nil {
		r.mu.Lock()
		if r.to == to {
			r.to = nil
		}
		r.mu.Unlock()
		return nil
	}
	return b
}

// rangeOf is the Range header for a part, "" for the whole.
func rangeOf(off, end int64) string {
	if off <= 0 && end < 0 {
		return ""
	}
	last := ""
	if end >= 0 {
		last = strconv.FormatInt(end-1, 10)
	}
	return "bytes=" + strconv.FormatInt(off, 10) + "-" + last
}
