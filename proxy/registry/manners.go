package registry

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/lapse"
)

// manners remembers, for a short while, what clients did about the blobs they
// were given: who asks again right after a complete transfer was perhaps served
// a wrong byte, and who resumes after a transfer that was broken off because the
// blob was wrong would put right bytes behind wrong ones.
type manners struct {
	mu  sync.Mutex
	now func() time.Time
	had *lapse.Map[visit, deed]
}

// visit is one client and one blob. A client is known by its address and the
// name it gives itself: ports change with every request of dockerd.
type visit struct {
	client, agent string
	digest        digest.Digest
}

type deed struct {
	at       time.Time
	broken   bool      // broken off for a wrong digest
	verified time.Time // when the blob was last hashed on this client's account
}

const (
	// againWithin is how soon asking again counts as a complaint: engines try
	// again within seconds.
	againWithin = time.Minute
	// brokenFor is how long a wrong prefix is remembered; engines give up on a
	// pull long before.
	brokenFor = 10 * time.Minute
	maxVisits = 4096
)

func newManners(now func() time.Time) *manners {
	return &manners{now: now, had: lapse.New[visit](maxVisits, func(d deed) bool { return now().Sub(d.at) >= brokenFor })}
}

func (x *exchange) visit(d digest.Digest) visit {
	return visit{x.event.Client, x.event.Agent, d}
}

// complains says that the client was given the whole blob a moment ago and
// wants it again. Verifying costs a hash, and layers shared by two images are
// asked for twice quite properly: once hashed, it is not hashed again for as long
// as a complaint could be about what was served before that.
func (m *manners) complains(v visit) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.had.Get(v)
	now := m.now()
	return ok && !d.broken && now.Sub(d.at) < againWithin && now.Sub(d.verified) >= againWithin
}

// served notes a complete transfer.
func (m *manners) served(v visit, verified bool) {
	m.mu.Lock()
	d, _ := m.had.Get(v)
	m.mu.Unlock()
	d.broken = false
	if verified {
		d.verified = m.now()
	}
	m.put(v, d)
}

// broke notes a transfer broken off because the digest did not fit.
func (m *manners) broke(v visit) { m.put(v, deed{broken: true}) }

// startsOver says, once, that the client must get the whole blob whatever range
// it asks for: what it has of it is wrong.
func (m *manners) startsOver(v visit) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.had.Get(v)
	if !ok || !d.broken {
		return false
	}
	return m.had.Delete(v)
}

func (m *manners) put(v visit, d deed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d.at = m.now()
	m.had.Put(v, d)
}

// neverHeals says of a client, by the name it gives itself, that it cannot make up
// for a wrong byte it was sent. containerd takes up a broken transfer behind what
// it has, whatever it is answered (of a whole blob it drops as many bytes as it has
// already), and once it has as many as there should be it asks no more until its
// garbage collector has been by (Fetch and Copy in its core/remotes and
// core/content). Docker Engine may use containerd's store since version 23. Such a
// client is shown a mirror's bytes when the digest fits, and the origin's at once.
func neverHeals(agent string) bool {
	for _, name := range [...]string{"containerd/", "buildkit/", "nerdctl/", "stargz-snapshotter/"} {
		if strings.HasPrefix(agent, name) {
			return true
		}
	}
	version, docker := strings.CutPrefix(agent, "docker/")
	if !docker {
		return false
	}
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err != nil || n >= 23
}
