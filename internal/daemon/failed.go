package daemon

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"pulley/internal/control"
	"pulley/proxy/registry"
)

// A pull that fails is told when it has not come good: dockerd asks five times for a layer, up to twenty seconds apart, and
// nobody is to hear of what the second answer mended. An engine that asks for ever, as Kubernetes does, is told of all the same.
const (
	failedAfter  = 30 * time.Second // since it was last asked for in vain
	failedAtMost = 2 * time.Minute  // since it first was
	failedFor    = 10 * time.Minute // so long a person is told of it
	failedKept   = 64               // things that are remembered to have failed
	failedTold   = 3                // images that are told of at a time
	failedRead   = 1000             // of the last requests of the daemon before this one
)

// failure is a tag or a blob that was asked for in vain.
type failure struct {
	registry, repository, reference string // reference: a tag, or a digest

	head        bool // only what there is was asked
	why         string
	first, last time.Time
}

func (f *failure) over(now time.Time) bool { return now.Sub(f.last) > failedFor }

func (f *failure) due(now time.Time) bool {
	return now.Sub(f.last) >= failedAfter || now.Sub(f.first) >= failedAtMost
}

// image is what a person calls it; the tag is known if that is what failed.
func (f *failure) image() string {
	name := f.registry + "/" + f.repository
	if _, err := digest.Parse(f.reference); err == nil {
		return name
	}
	return name + ":" + f.reference
}

// failures remember what was asked for in vain and not brought since. A client that hangs up has not failed, nor has a question
// whose answer is no.
type failures struct {
	mu   sync.Mutex
	list []failure // in the order of last
}

// none says that no pull has failed of late, as on most days.
func (s *failures) none() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.list) == 0
}

func (s *failures) note(e *registry.Event, now time.Time) {
	what := registry.What(e.What)
	if e.Repository == "" || e.Reference == "" || what != registry.Manifest && what != registry.Blob || e.Method != http.MethodGet && e.Method != http.MethodHead {
		return
	}
	if !failedPull(e) && s.none() {
		return
	}
	f := failure{registry: e.Registry, repository: e.Repository, reference: e.Reference, head: e.Method == http.MethodHead, why: why(e), first: now, last: now}
	if _, err := reference.ParseNormalizedNamed(f.image()); err != nil { // clients ask for anything, and this is in a command to copy
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.list, func(have failure) bool {
		return have.registry == f.registry && have.repository == f.repository && have.reference == f.reference
	})
	switch {
	case failedPull(e):
		if i >= 0 {
			f.first, f.head = s.list[i].first, f.head && s.list[i].head
			s.list = slices.Delete(s.list, i, i+1)
		}
		s.list = append(s.list, f)
		s.list = s.list[max(0, len(s.list)-failedKept):]
	case i >= 0 && answered(e) && (!f.head || s.list[i].head):
		s.list = slices.Delete(s.list, i, i+1)
	}
}

// recall notes what the daemon before this one had, which ended or has handed over, as far as a person is still told of it.
func (s *failures) recall(events []control.Event, now time.Time) {
	for _, e := range events {
		if ended := e.Time.Add(e.Duration); now.Sub(ended) <= failedFor {
			s.note(&registry.Event{
				Door: e.Door, Method: e.Method, Registry: e.Registry, Repository: e.Repository, What: e.What, Reference: e.Reference,
				Status: e.Status, Err: e.Err, Cause: registry.Cause(e.Cause),
			}, ended)
		}
	}
}

func why(e *registry.Event) string {
	if e.Cause == registry.CauseDigest {
		return "upstream sent bytes that are not what the digest says"
	}
	return e.Err
}

// failedPull tells what went wrong here or upstream from what a client did and from an answer.
func failedPull(e *registry.Event) bool {
	if e.Err == "" || e.Door == "pull" || e.Door == "heal" { // whoever asked for those was told
		return false
	}
	switch e.Cause {
	case registry.CauseLimit, registry.CauseUnreachable, registry.CauseUpstream, registry.CauseDigest, registry.CauseDisk, registry.CauseOther:
		return true
	case registry.CauseLeft, registry.CauseRequest:
		return false
	default:
		return e.Status/100 == 2 // and was broken off
	}
}

// answered says that the thing came, or that the registry does not have it.
func answered(e *registry.Event) bool {
	switch e.Cause {
	case "":
		return e.Status/100 == 2 || e.Status == http.StatusNotModified
	case registry.CauseDenied, registry.CauseMissing: // not after a 200: that is a failure
		return true
	default:
		return false
	}
}

// told are the images that a person is to know of, the latest first, with the reason. What is on its way again is not over:
// coming says so of a digest.
func (s *failures) told(now time.Time, coming func(reference string) bool) (list []failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(f failure) bool { return f.over(now) })
	for _, f := range slices.Backward(s.list) {
		known := slices.ContainsFunc(list, func(have failure) bool { return have.registry == f.registry && have.repository == f.repository })
		if !known && len(list) < failedTold && f.due(now) && !coming(f.reference) {
			list = append(list, f)
		}
	}
	return list
}
