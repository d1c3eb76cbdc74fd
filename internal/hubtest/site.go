package hubtest

import (
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Scheme is how a registry wants to be asked.
type Scheme int

const (
	Bearer Scheme = iota // tokens from TokenHost
	Basic                // user and password with each request, for everything
	Open                 // nobody is asked for anything
)

// Site is one registry. Exported fields are read at the hub's Start; methods may be called at any time after the hub
// knows it.
type Site struct {
	Host        string   // host name, or host:port where that matters
	Aliases     []string // further names
	Auth        Scheme
	TokenHost   string            // default: Host itself, at /token
	CDN         string            // default: none, blobs are served by the registry
	Service     string            // default: Host
	Users       map[string]string // default: the hub's
	NoReferrers bool              // 404 at the referrers API, as GHCR
	NoPostToken bool              // the token service knows GET alone (404 to POST)
	DenyToken   bool              // the token service answers 403 instead of a token without access, as GHCR

	hub     *Hub
	limited bool // the hub's RateLimit counts here
	of      *Hub // this is a mirror of that hub
	style   Style
	realm   string // see SetRealm; guarded by hub.mu, as is what follows
	repos   map[string]*repository
	issued  map[string]pass // password → whose and until when
}

type repository struct {
	private   bool
	members   []string
	blobs     map[digest.Digest]Content
	manifests map[digest.Digest]manifest
	tags      map[string]digest.Digest
}

type manifest struct {
	mediaType string
	body      []byte
}

func (s *Site) attach(h *Hub) {
	s.hub = h
	s.repos = map[string]*repository{}
	s.issued = map[string]pass{}
	if s.TokenHost == "" {
		s.TokenHost = s.Host
	}
	if s.Service == "" {
		s.Service = s.Host
	}
}

// repo returns a repository, made if need be. hub.mu is held.
func (s *Site) repo(name string) *repository {
	r := s.repos[name]
	if r == nil {
		r = &repository{
			blobs:     map[digest.Digest]Content{},
			manifests: map[digest.Digest]manifest{},
			tags:      map[string]digest.Digest{},
		}
		s.repos[name] = r
	}
	return r
}

// Push puts an image and all its children into a repository; an empty tag sets none.
func (s *Site) Push(repo, tag string, img Image) digest.Digest {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	d := s.repo(repo).push(img)
	if tag != "" {
		s.repo(repo).tags[tag] = d
	}
	return d
}

func (r *repository) push(img Image) digest.Digest {
	for _, child := range img.Children {
		r.push(child)
	}
	for _, l := range img.Layers {
		r.blobs[l.Digest] = l.Content
	}
	if img.Config != nil {
		r.blobs[digest.FromBytes(img.Config)] = Bytes(img.Config)
	}
	d := img.Digest()
	r.manifests[d] = manifest{img.MediaType, img.Manifest}
	return d
}

// AddBlob puts a blob into a repository.
func (s *Site) AddBlob(repo string, data []byte) digest.Digest {
	return s.AddContent(repo, Bytes(data))
}

// AddContent puts content into a repository and returns its digest, which is computed unless the content knows it.
func (s *Site) AddContent(repo string, c Content) digest.Digest {
	d := DigestOf(c)
	s.AddContentAs(repo, d, c)
	return d
}

// AddContentAs puts content under a digest it may not have: a registry that is broken or lies.
func (s *Site) AddContentAs(repo string, d digest.Digest, c Content) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.repo(repo).blobs[d] = c
}

// AddManifest puts any manifest there, unchecked, tagged unless tag is "".
func (s *Site) AddManifest(repo, tag, mediaType string, body []byte) digest.Digest {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	d := digest.FromBytes(body)
	r := s.repo(repo)
	r.manifests[d] = manifest{mediaType, body}
	if tag != "" {
		r.tags[tag] = d
	}
	return d
}

// SetTag points a tag at a manifest, which need not exist.
func (s *Site) SetTag(repo, tag string, d digest.Digest) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.repo(repo).tags[tag] = d
}

// SetPrivate hides a repository from everybody but the users named.
func (s *Site) SetPrivate(repo string, users ...string) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	r := s.repo(repo)
	r.private, r.members = true, users
}

// SetPublic shows it to everybody again.
func (s *Site) SetPublic(repo string) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.repo(repo).private = false
}

// SetRealm makes challenges name another token service, right or wrong; "" is the site's own again.
func (s *Site) SetRealm(url string) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.realm = url
}

// Delete removes a tag, a manifest with its tags, or a blob; with ref "" the whole repository.
func (s *Site) Delete(repo, ref string) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	r := s.repos[repo]
	switch {
	case r == nil:
	case ref == "":
		delete(s.repos, repo)
	default:
		r.delete(ref)
	}
}

// delete reports whether there was such a tag, manifest or blob.
func (r *repository) delete(ref string) bool {
	if _, ok := r.tags[ref]; ok {
		delete(r.tags, ref)
		return true
	}
	d := digest.Digest(ref)
	_, isManifest := r.manifests[d]
	_, isBlob := r.blobs[d]
	delete(r.manifests, d)
	delete(r.blobs, d)
	for tag, to := range r.tags {
		if to == d {
			delete(r.tags, tag)
		}
	}
	return isManifest || isBlob
}

// Manifest returns what a tag or digest stands for; ok is false when there is none. Of a mirror it is what it answers, as
// with Blob and Tags.
func (s *Site) Manifest(repo, ref string) (d digest.Digest, mediaType string, body []byte, ok bool) {
	d, m, ok := s.resolve(repo, ref)
	return d, m.mediaType, m.body, ok
}

func (s *Site) resolve(repo, ref string) (digest.Digest, manifest, bool) {
	d := digest.Digest(ref)
	if !strings.Contains(ref, ":") {
		d = s.tag(repo, ref)
	}
	m, ok := s.manifest(repo, d)
	return d, m, ok
}

func (s *Site) tag(repo, tag string) digest.Digest {
	d, ok := own(s, repo, func(r *repository) map[string]digest.Digest { return r.tags }, tag)
	if up, name := s.upstream(repo); !ok && up != nil {
		return up.tag(name, tag)
	}
	return d
}

func (s *Site) manifest(repo string, d digest.Digest) (manifest, bool) {
	m, ok := own(s, repo, func(r *repository) map[digest.Digest]manifest { return r.manifests }, d)
	if up, name := s.upstream(repo); !ok && up != nil {
		return up.manifest(name, d)
	}
	return m, ok
}

// Blob returns a repository's blob, nil when it has none such.
func (s *Site) Blob(repo string, d digest.Digest) Content {
	c, ok := own(s, repo, func(r *repository) map[digest.Digest]Content { return r.blobs }, d)
	if up, name := s.upstream(repo); !ok && up != nil {
		return up.Blob(name, d)
	}
	return c
}

// own looks something up in a repository of the site itself.
func own[K comparable, V any](s *Site, repo string, in func(*repository) map[K]V, key K) (v V, ok bool) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if r := s.repos[repo]; r != nil {
		v, ok = in(r)[key]
	}
	return v, ok
}

// Tags lists a repository's tags in order; nil when there is no such repository.
func (s *Site) Tags(repo string) []string {
	var tags []string
	if up, name := s.upstream(repo); up != nil {
		tags = up.Tags(name)
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if r := s.repos[repo]; r != nil {
		tags = slices.AppendSeq(append([]string{}, tags...), maps.Keys(r.tags))
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// grants returns which of the actions a user ("" is nobody in particular) has in a repository.
func (s *Site) grants(user, repo string, actions []string) []string {
	mirrored := s.mirrors(repo)
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	r := s.repos[repo]
	got := []string{}
	for _, a := range actions {
		var ok bool
		switch {
		case s.Auth == Open:
			ok = true
		case user != "":
			ok = r == nil || !r.private || slices.Contains(r.members, user)
		default:
			ok = a == "pull" && (r == nil && mirrored || r != nil && !r.private)
		}
		if ok && !slices.Contains(got, a) {
			got = append(got, a)
		}
	}
	return got
}

// hostname strips the port.
func hostname(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}
