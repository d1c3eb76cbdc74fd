package source

import (
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
)

// Disagreement is a tag for which a mirror names another digest than the origin.
type Disagreement struct {
	Registry, Mirror, Repository, Tag string
	Mirrors, Origins                  digest.Digest
	At                                time.Time
}

// quarrels are the latest of them, newest last.
type quarrels struct {
	mu   sync.Mutex
	list []Disagreement
}

// maxQuarrels bounds those remembered: one is enough to warn a person.
const maxQuarrels = 100

// Disagrees takes down that a mirror says otherwise than the origin, which is
// believed. It is logged once for each pair of digests.
func (s *Set) Disagrees(reg *config.Registry, mirror, repo, tag string, mirrors, origins digest.Digest) {
	d := Disagreement{reg.Name, mirror, repo, tag, mirrors, origins, s.now()}
	q := s.quarrels
	q.mu.Lock()
	i := slices.IndexFunc(q.list, func(o Disagreement) bool {
		return o.Registry == d.Registry && o.Mirror == d.Mirror && o.Repository == d.Repository && o.Tag == d.Tag
	})
	known := false
	if i >= 0 {
		known = q.list[i].Mirrors == d.Mirrors && q.list[i].Origins == d.Origins
		q.list = slices.Delete(q.list, i, i+1)
	}
	q.list = append(q.list, d)
	q.list = q.list[max(0, len(q.list)-maxQuarrels):]
	q.mu.Unlock()
	if !known {
		s.log.Warn("mirror disagrees with the origin about a tag; the origin is believed", "registry", d.Registry,
			"mirror", mirror, "repository", repo, "tag", tag, "mirror_digest", mirrors, "origin_digest", origins)
	}
}

// Agrees takes back what Disagrees took down about a tag.
func (s *Set) Agrees(reg *config.Registry, mirror, repo, tag string) {
	q := s.quarrels
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = slices.DeleteFunc(q.list, func(o Disagreement) bool {
		return o.Registry == reg.Name && o.Mirror == mirror && o.Repository == repo && o.Tag == tag
	})
}

// Disputes names the mirrors that are switched on, in the order of the settings, and have another digest for a tag than the
// origin. It is for whoever writes down each request: unlike Standings it looks at no health and no quota.
func (s *Set) Disputes(reg *config.Registry, repo, tag string) (mirrors []string) {
	reg, q := s.current(reg), s.quarrels
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return nil
	}
	for _, m := range reg.Mirrors {
		about := func(d Disagreement) bool {
			return d.Registry == reg.Name && d.Mirror == m.Name && d.Repository == repo && d.Tag == tag
		}
		if m.Enabled && slices.ContainsFunc(q.list, about) {
			mirrors = append(mirrors, m.Name)
		}
	}
	return mirrors
}

func (q *quarrels) of(registry, mirror string) (list []Disagreement) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range q.list {
		if d.Registry == registry && d.Mirror == mirror {
			list = append(list, d)
		}
	}
	return list
}
