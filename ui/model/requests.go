package model

import (
	"strconv"
	"time"

	"pulley/internal/control"
)

// Request is one answered request, as a log has it. It is never changed.
type Request struct {
	control.Event
	Seq uint64 // stays with it; later ones have higher ones
}

// ID is Seq as a text.
func (r *Request) ID() string { return strconv.FormatUint(r.Seq, 10) }

// Bad tells whether it failed. A 401 alone is none: it is how registries ask who asks (distribution spec, token
// authentication).
func (r *Request) Bad() bool {
	return r.Err != "" || r.Status >= 400 && r.Status != 401
}

// Amount is what was served, or what was fetched where nobody was, in bytes.
func (r *Request) Amount() int64 {
	if r.Bytes == 0 && r.Client == "" {
		return r.FromNet
	}
	return r.Bytes
}

// Rate is how fast that was, in bytes a second; 0 where it was too little to tell.
func (r *Request) Rate() float64 {
	const tellable = 1 << 20
	if n := r.Amount(); n >= tellable && r.Duration > 0 {
		return float64(n) / r.Duration.Seconds()
	}
	return 0
}

// Title is what was asked for, as Docker says it: "debian:12", "debian@1f2e3d4c5b6a".
func (r *Request) Title() string {
	name := Familiar(r.Registry, r.Repository)
	if r.Repository == "" {
		name = r.Registry
	}
	switch {
	case r.Reference == "":
		return name
	case isDigest(r.Reference):
		return name + "@" + ShortDigest(r.Reference)
	default:
		return name + ":" + r.Reference
	}
}

// Full is the same in full.
func (r *Request) Full() string {
	name := r.Registry
	if r.Repository != "" {
		name += "/" + r.Repository
	}
	switch {
	case r.Reference == "":
		return name
	case isDigest(r.Reference):
		return name + "@" + r.Reference
	default:
		return name + ":" + r.Reference
	}
}

func isDigest(reference string) bool {
	for n := range len(reference) {
		if reference[n] == ':' {
			return true
		}
	}
	return false
}

// Kept is how many requests a log keeps, and slack how many more before the oldest go: not one at a time.
const (
	Kept  = 100_000
	slack = 5_000
)

// Requests is a log of requests as a person looks through it: the last Kept, and of those the ones that a filter lets
// through. It is for one goroutine; sifting many for a new filter is for another (see Sift).
type Requests struct {
	all    []*Request // in order; only ever appended to or replaced, so that a Sift can read on
	shown  []*Request // the same of shown
	filter Filter
	next   uint64
	sifts  uint64 // how many were begun
	told   map[sameness]bool
	recent []sameness // in told, oldest first
	words  map[string]string
	hold   bool
	unseen int
}

// NewRequests makes an empty log.
func NewRequests() *Requests {
	return &Requests{told: map[sameness]bool{}, words: map[string]string{}}
}

// sameness tells requests apart: no two end in the same nanosecond with all this the same.
type sameness struct {
	at                    int64
	took                  time.Duration
	client, what, digest  string
	repository, reference string
	bytes                 int64
}

func same(e *control.Event) sameness {
	return sameness{e.Time.UnixNano(), e.Duration, e.Client, e.What, e.Digest, e.Repository, e.Reference, e.Bytes}
}

// memory is how many are remembered so that what is told twice is shown once: the past is asked for while news come.
const memory = 10_000

// Add takes requests in the order in which they were answered; those that it has already are left out. It says how many
// were new and shown.
func (l *Requests) Add(events ...control.Event) (shown int) {
	for n := range events {
		e := &events[n]
		key := same(e)
		if l.told[key] {
			continue
		}
		l.remember(key)
		l.next++
		r := &Request{Event: *e, Seq: l.next}
		l.intern(&r.Event)
		l.all = append(l.all, r)
		if l.filter.Lets(r) {
			l.shown = append(l.shown, r)
			shown++
		}
	}
	if l.hold {
		l.unseen += shown
	}
	l.trim()
	return shown
}

func (l *Requests) remember(key sameness) {
	l.told[key] = true
	l.recent = append(l.recent, key)
	if len(l.recent) > 2*memory {
		for _, old := range l.recent[:memory] {
			delete(l.told, old)
		}
		l.recent = append([]sameness(nil), l.recent[memory:]...)
	}
}

// intern has equal words share their memory: a log of 100,000 requests has a few hundred different ones.
func (l *Requests) intern(e *control.Event) {
	const most = 10_000
	if len(l.words) > most {
		clear(l.words)
	}
	for _, s := range []*string{&e.Door, &e.Client, &e.Agent, &e.Method, &e.Registry, &e.Repository, &e.What, &e.Reference, &e.Digest, &e.Source, &e.Way} {
		if known, ok := l.words[*s]; ok {
			*s = known
		} else {
			l.words[*s] = *s
		}
	}
}

// trim drops the oldest. While somebody reads further up it waits, so that nothing moves under their eyes, but not for ever.
func (l *Requests) trim() {
	limit := Kept + slack
	if l.hold {
		limit = Kept + 10*slack
	}
	if len(l.all) <= limit {
		return
	}
	l.all = append([]*Request(nil), l.all[len(l.all)-Kept:]...)
	oldest := l.all[0].Seq
	n := 0
	for n < len(l.shown) && l.shown[n].Seq < oldest {
		n++
	}
	l.shown = append([]*Request(nil), l.shown[n:]...)
}

// Hold says that somebody reads further up: what comes now is counted until Follow.
func (l *Requests) Hold() { l.hold = true }

// Follow says that the end is looked at.
func (l *Requests) Follow() {
	l.hold, l.unseen = false, 0
	l.trim()
}

// Holding tells whether Hold is in force.
func (l *Requests) Holding() bool { return l.hold }

// Unseen is how many were shown since Hold.
func (l *Requests) Unseen() int { return l.unseen }

// Clear forgets all that is shown. What was told stays told.
func (l *Requests) Clear() {
	l.all, l.shown, l.unseen = nil, nil, 0
	l.sifts++
}

// Len is how many are shown.
func (l *Requests) Len() int { return len(l.shown) }

// At is one of those that are shown.
func (l *Requests) At(n int) *Request { return l.shown[n] }

// All is how many there are.
func (l *Requests) All() int { return len(l.all) }

// Index is where a request is shown, -1 for nowhere.
func (l *Requests) Index(id string) int {
	seq, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return -1
	}
	low, high := 0, len(l.shown)
	for low < high {
		if middle := (low + high) / 2; l.shown[middle].Seq < seq {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(l.shown) && l.shown[low].Seq == seq {
		return low
	}
	return -1
}

// Get is a request by its ID; nil if it is not shown.
func (l *Requests) Get(id string) *Request {
	if n := l.Index(id); n >= 0 {
		return l.shown[n]
	}
	return nil
}
