// Package fetch brings one blob from many sources into a sink, whatever happens
// on the way.
//
// A large blob comes over several connections at once, spread over the sources by
// how fast they turn out to be, its front first. A connection that breaks is taken
// up at the byte where it stopped, by whoever can; one that would hold up the end
// gives its rest to a faster one; a source that says no is asked nothing more.
// When all is there and the digest does not fit, the origin's word settles whose
// bytes were wrong: those are replaced and their source is named.
//
// The package knows neither what a sink does with bytes nor whose they are, and no
// registry: a sink says which ranges it wants by handing out claims and proves the
// digest, a [Source] opens connections and keeps its own health.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"pulley/proxy/source"
)

// A Source is one place that the blob can be had from. Sources are compared by ==
// and must be comparable. All methods may be called concurrently.
type Source interface {
	// Name is "origin" or a mirror's name: what provenance and log say.
	Name() string
	// Origin reports whether its word settles who lied.
	Origin() bool
	// Proven reports whether its bytes may be shown before the digest fits.
	Proven() bool
	// Rate is how many bytes a second one connection is expected to bring, 0 if
	// that is not known.
	Rate() float64
	// Connections is how many connections this blob may have to it, those that it
	// has included. 0: the source cannot be used now.
	Connections() int
	// Tier orders sources: only those of the lowest tier that has a usable one are
	// used.
	Tier() int
	// Open opens the blob at off, up to end (exclusive; -1 for its end). The body
	// may begin at 0 if the source sends no ranges.
	Open(ctx context.Context, off, end int64) (*source.Body, error)
}

// A Counted source has an operator who counts requests. It is optional: Source is
// asked whether it is one.
type Counted interface {
	// Span is how long one request should last so that as many connections as the
	// source may have never make more of them than are allowed; 0: nobody counts.
	Span() time.Duration
}

// Sources are all places that the blob can be had from. All methods may be called
// concurrently, and must not wait for the Run that calls them.
type Sources interface {
	// List returns them in order of preference, as of now.
	List() []Source
	// Changed is closed when List may answer differently. Connections to sources
	// that are not listed any more are given up then. Nil: it never does.
	Changed() <-chan struct{}
	// Proved says that a blob was verified in which the source brought bytes.
	Proved(src Source)
	// Lied says that bytes of the source, somewhere in [off,end), differ from the
	// origin's.
	Lied(src Source, off, end int64)
	// Failed says that a connection was not had, or ended early.
	Failed(src Source, err error)
}

// A Part is a range of the blob, and who brought it. Source is "" if nobody knows.
type Part struct {
	Off, End int64
	Source   string
	Withheld bool // until the digest fits
}

// A Sink takes a blob. It is used by several goroutines.
type Sink interface {
	// Size returns the blob's size, -1 if it is not known yet.
	Size() int64
	// SetSize tells the size. It fails if another one is known, which Size shows
	// then, or if the sink is over, with Size the one told.
	SetSize(n int64) error
	// Claim waits for a range that is wanted and that nobody has or fetches, what
	// is wanted most first. It fails with ErrIdle when nothing is wanted any more,
	// ErrComplete when everything is there, or ctx's error. Every claim is
	// released once.
	Claim(ctx context.Context) (Claim, error)
	// Provenance says who brought what.
	Provenance() []Part
	// Commit closes the blob. An error that is ErrDigest says that its bytes are
	// wrong: Amend may repair them, and Commit be tried again.
	Commit() error
	// Amend replaces the bytes at off and reports whether any of them differed. It
	// is called by one goroutine at a time.
	Amend(p []byte, off int64, source string) (differs bool, err error)
}

// A Claim is a range that its holder alone writes, front to back. Write and From
// are for one goroutine, the rest for any.
type Claim interface {
	// Range returns the next byte to write and the end (exclusive), -1 for the
	// blob's end. The end may come nearer, never go further.
	Range() (off, end int64)
	// Write takes bytes. It fails with ErrStop when the rest is not wanted from
	// this claim any more.
	Write(p []byte) (int, error)
	// Limit gives back everything behind the next n bytes.
	Limit(n int64)
	// Done is closed when nothing more of the claim is wanted.
	Done() <-chan struct{}
	// From says who brings what is written from now on, and whether it must not be
	// shown before the digest fits.
	From(source string, withhold bool)
	// Release gives back what was not written.
	Release()
}

// What sinks and claims say, possibly wrapped.
var (
	ErrStop     = errors.New("not wanted any more")
	ErrIdle     = errors.New("nobody is waiting")
	ErrComplete = errors.New("complete")
	ErrDigest   = errors.New("the bytes do not fit the digest")
)

// Why connections, and fetches, are given up.
var (
	// ErrStalled is what a source failed with whose connection was silent.
	ErrStalled = errors.New("the connection is silent")
	// ErrNoSource is what Run fails with when there is nobody to ask.
	ErrNoSource = errors.New("there is no source to ask now")
)

// Options of [Run]. The zero value is usable.
type Options struct {
	// Connections is how many there are at once, over all sources; 0 is 4.
	Connections int
	// RangeMin is the size in bytes from which on a blob is fetched over several
	// connections; 0 is 16 MiB.
	RangeMin int64
	// Hint is the size in bytes as somebody other than the sources tells it (a
	// manifest does), 0 if nobody did. It decides how a fetch begins, and which
	// mirror is not believed.
	Hint int64
	// Rate, if set, limits the bytes per second of all who share it. Its limit may be
	// set anew at any time, which counts for those too who wait.
	Rate *rate.Limiter
	// StallTimeout is how long a body may stay silent before its connection is
	// given up; 0 is 30 s.
	StallTimeout time.Duration
	// Patience is how long a connection may stay silent, before its first byte or
	// later, when another source could bring the same; 0 is 5 s.
	Patience time.Duration
	// Attempts is how many in a row may bring no byte from one source; 0 is 4
	// before anything came from it, 10 after: what worked a moment ago is worth
	// waiting for through a change of network.
	Attempts int
	// MaxWait caps what a Retry-After can make us wait when nothing else is left,
	// and for how long sources that cannot be used now are waited for; 0 is 30 s.
	MaxWait time.Duration
	// Line, if set, tells when the network has become another one.
	Line *Line
	// Received, if set, is called with each number of bytes that came over the
	// network, by any of the goroutines.
	Received func(src Source, n int)
	Log      *slog.Logger // nil discards
}

func (o Options) withDefaults() Options {
	if o.Connections <= 0 {
		o.Connections = 4
	}
	if o.RangeMin <= 0 {
		o.RangeMin = 16 << 20
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = 30 * time.Second
	}
	if o.Patience <= 0 {
		o.Patience = 5 * time.Second
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 30 * time.Second
	}
	if o.Received == nil {
		o.Received = func(Source, int) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// A SizeError says that a source contradicts what is known of a blob's size.
type SizeError struct {
	Host string
	Size int64 // bytes, as the source says
	Err  error
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s: says the blob has %d bytes: %v", e.Host, e.Size, e.Err)
}

func (e *SizeError) Unwrap() error { return e.Err }
