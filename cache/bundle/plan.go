package bundle

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/internal/platform"
)

// Options say what of an index goes along.
type Options struct {
	// Platforms are those that are wanted, the first of them the one that
	// manifest.json names. None: this machine's. An image that is for one
	// platform alone goes along whatever that is when none was asked for.
	Platforms []ocispec.Platform
	// All wants every platform of every image.
	All bool
}

// Want is something that the cache does not have.
type Want struct {
	cache.Name
	Digest    digest.Digest
	MediaType string
	Size      int64 // bytes
	// Optional: an export of all platforms goes on without it. An attestation
	// is that.
	Optional bool
}

// Missing tells what must be fetched before Export has all of what o asks for.
// What a manifest refers to is only known when it is there: fetch what was
// answered and ask again, until nothing but what is Optional is left. Errors
// other than something missing are left for New.
func Missing(c *cache.Cache, images []cache.Image, o Options) []Want {
	var out []Want
	seen := make(map[digest.Digest]bool)
	for _, img := range images {
		p := newPlan(c, o)
		p.lenient = true
		_ = p.add(img)
		p.close()
		for _, w := range p.wants {
			if !seen[w.Digest] {
				seen[w.Digest] = true
				out = append(out, w)
			}
		}
	}
	return out
}

// plan collects what belongs to a bundle.
type plan struct {
	c *cache.Cache
	o Options

	index   []ocispec.Descriptor
	saved   []saved
	savedAt map[string]int // config and layers → place in saved
	heads   []entry        // indexes and manifests, what is listed behind what lists it
	configs []entry
	layers  []entry
	has     map[digest.Digest]bool
	walked  map[digest.Digest]bool // what was found below indexes of the present image

	image   cache.Image // the one that is being collected
	ref     string      // its name, for errors
	lenient bool        // only wants are asked for: go on when something is missing
	wants   []Want
	release []func()
}

// entry is one blob of a bundle: stored, or made for it.
type entry struct {
	digest digest.Digest
	size   int64
	body   []byte // nil: stored
	image  string // one that uses it
}

func newPlan(c *cache.Cache, o Options) *plan {
	return &plan{c: c, o: o, has: make(map[digest.Digest]bool), savedAt: make(map[string]int)}
}

func (p *plan) close() {
	for _, release := range p.release {
		release()
	}
}

// add collects one image under all its names.
func (p *plan) add(img cache.Image) error {
	p.walked = make(map[digest.Digest]bool)
	p.image, p.ref = img, fullReference(img.Name, first(img.Tags), img.Digest)
	d := ocispec.Descriptor{Digest: img.Digest, MediaType: img.MediaType}
	m, body, err := p.manifest(&d)
	if err != nil || body == nil {
		return p.incomplete("", err)
	}
	var chosen []*picked
	if m.isIndex() {
		chosen, err = p.collectIndex(m, 0)
	} else {
		chosen, err = p.collectSingle(m)
	}
	if err != nil || p.lenient {
		return err
	}
	p.blob(&p.heads, d)
	p.list(d, m)
	return p.listSaved(chosen)
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// picked is a manifest that goes along.
type picked struct {
	manifest
	platform ocispec.Platform
	config   *config // nil when it is no image
	partial  bool    // a layer that registries do not keep is not there
}

// manifest reads a stored manifest and completes its descriptor. One that is not
// there is wanted, and body nil.
func (p *plan) manifest(d *ocispec.Descriptor) (m manifest, body []byte, err error) {
	body, mediaType, err := p.c.Manifest(d.Digest)
	if isMiss(err) {
		p.want(*d, false)
		return m, nil, nil
	}
	if err != nil {
		return m, nil, fmt.Errorf("%s: %w", p.ref, err)
	}
	if d.Size != 0 && d.Size != int64(len(body)) {
		return m, nil, p.contradiction(*d, int64(len(body)))
	}
	if m, err = parse(body, mediaType); err != nil {
		return m, nil, fmt.Errorf("%s: %s: %w", p.ref, d.Digest, err)
	}
	d.Size, d.MediaType = int64(len(body)), mediaType
	return m, body, nil
}

func (p *plan) contradiction(d ocispec.Descriptor, size int64) error {
	return fmt.Errorf("%s: %s has %d bytes where the manifest says %d: its registry contradicts itself, and engines would refuse it", p.ref, d.Digest, size, d.Size)
}

func (p *plan) want(d ocispec.Descriptor, optional bool) {
	p.wants = append(p.wants, Want{Name: p.image.Name, Digest: d.Digest, MediaType: d.MediaType, Size: d.Size, Optional: optional})
}

// incomplete turns what is wanted of the present image into an error.
func (p *plan) incomplete(platform string, err error) error {
	var missing []Want
	for _, w := range p.wants {
		if !w.Optional {
			missing = append(missing, w)
		}
	}
	if err != nil || p.lenient || len(missing) == 0 {
		return err
	}
	return &IncompleteError{Image: p.ref, Platform: platform, Missing: missing}
}

// collectSingle collects an image that is for one platform.
func (p *plan) collectSingle(m manifest) ([]*picked, error) {
	one, err := p.collect(m)
	if err != nil || one == nil {
		return nil, p.incomplete("", err)
	}
	if one.config == nil || p.o.All || len(p.o.Platforms) == 0 {
		return []*picked{one}, nil
	}
	for _, want := range p.o.Platforms {
		if platform.Runs(want, one.config.Platform) {
			return []*picked{one}, nil
		}
	}
	return nil, &PlatformError{Image: p.ref, Platform: platformName(p.o.Platforms[0]), Have: platformName(one.config.Platform)}
}

// maxDepth is how deep indexes may be within indexes.
const maxDepth = 4

// collectIndex collects the chosen children of an index, the preferred first.
func (p *plan) collectIndex(m manifest, depth int) ([]*picked, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: indexes within indexes", p.ref)
	}
	children, err := p.chosen(m)
	if err != nil {
		return nil, err
	}
	var out []*picked
	var ids []digest.Digest
	for _, d := range children {
		got, err := p.collectChild(d, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
		ids = append(ids, d.Digest)
	}
	for _, d := range m.Manifests {
		if about := d.Annotations["vnd.docker.reference.digest"]; !p.walked[d.Digest] && platform.Attests(d) && (about == "" || slices.Contains(ids, digest.Digest(about))) {
			p.walked[d.Digest] = true
			p.tryAttestation(d)
		}
	}
	return out, nil
}

func (p *plan) collectChild(d ocispec.Descriptor, depth int) ([]*picked, error) {
	if p.walked[d.Digest] { // indexes that name one another many times stand for more paths than can be followed
		return nil, nil
	}
	p.walked[d.Digest] = true
	platform := ""
	if d.Platform != nil {
		platform = platformName(*d.Platform)
	}
	m, body, err := p.manifest(&d)
	if err != nil || body == nil {
		return nil, p.incomplete(platform, err)
	}
	var out []*picked
	if m.isIndex() {
		out, err = p.collectIndex(m, depth+1)
	} else {
		var one *picked
		if one, err = p.collect(m); one != nil {
			if d.Platform != nil {
				one.platform = *d.Platform
			}
			out = append(out, one)
		}
	}
	if err := p.incomplete(platform, err); err != nil {
		return nil, err
	}
	p.blob(&p.heads, d)
	return out, nil
}

// chosen are the children of an index that o asks for, and those that say no
// platform and may hold anything.
func (p *plan) chosen(m manifest) ([]ocispec.Descriptor, error) {
	var children []ocispec.Descriptor
	for _, d := range m.Manifests {
		if !platform.Attests(d) {
			children = append(children, d)
		}
	}
	if p.o.All {
		platform.Sort(platform.Own(), children)
		return children, nil
	}
	wanted := p.o.Platforms
	if len(wanted) == 0 {
		wanted = []ocispec.Platform{platform.Own()}
	}
	chosen, missing := platform.Choose(wanted, children)
	if missing != nil {
		return nil, &PlatformError{Image: p.ref, Platform: platformName(*missing), Have: strings.Join(platform.Names(children), ", ")}
	}
	return chosen, nil
}

// collect adds what a manifest refers to; nil if something is missing.
func (p *plan) collect(m manifest) (*picked, error) {
	one := &picked{manifest: m}
	complete := true
	for i, d := range m.refers() {
		size, err := p.stored(d.Digest)
		switch {
		case isMiss(err) && isForeign(d):
			one.partial = true
			continue
		case isMiss(err):
			p.want(d, false)
			complete = false
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", p.ref, err)
		case size != d.Size:
			return nil, p.contradiction(d, size)
		}
		to := &p.layers
		if i == 0 && m.Config != nil {
			to = &p.configs
		}
		p.blob(to, d)
	}
	if !complete {
		return nil, nil
	}
	if m.isImage() && !p.lenient {
		cfg, err := p.config(*m.Config)
		if err != nil {
			return nil, err
		}
		one.config, one.platform = cfg, cfg.Platform
	}
	return one, nil
}

func (p *plan) config(d ocispec.Descriptor) (*config, error) {
	body, err := readAll(p.c, d.Digest)
	if err != nil {
		return nil, fmt.Errorf("%s: config: %w", p.ref, err)
	}
	cfg := new(config)
	if err := json.Unmarshal(body, cfg); err != nil {
		return nil, fmt.Errorf("%s: config %s: %w", p.ref, d.Digest, err)
	}
	return cfg, nil
}

// stored is the size of a stored blob.
func (p *plan) stored(d digest.Digest) (int64, error) {
	b, err := p.c.Get(d)
	if err != nil {
		return 0, err
	}
	return b.Size(), b.Close()
}

// tryAttestation takes an attestation along if all of it is there.
func (p *plan) tryAttestation(d ocispec.Descriptor) {
	q := newPlan(p.c, p.o)
	defer q.close()
	q.image, q.ref, q.lenient = p.image, p.ref, true
	m, body, err := q.manifest(&d)
	if err == nil && body != nil && !m.isIndex() {
		_, err = q.collect(m)
	}
	switch {
	case err != nil:
	case len(q.wants) > 0:
		if p.o.All {
			for _, w := range q.wants {
				w.Optional = true
				p.wants = append(p.wants, w)
			}
		}
	case !p.lenient:
		p.blob(&p.heads, d)
		for _, b := range m.refers() {
			p.blob(&p.layers, b)
		}
	}
}

// blob adds a stored blob, once.
func (p *plan) blob(to *[]entry, d ocispec.Descriptor) {
	if p.has[d.Digest] {
		return
	}
	p.has[d.Digest] = true
	p.release = append(p.release, p.c.Hold(d.Digest))
	*to = append(*to, entry{digest: d.Digest, size: d.Size, image: p.ref})
}

// blobs are all of them in the order in which they are written: who reads the
// tar knows of each what it is and how large before it comes.
func (p *plan) blobs() []entry {
	slices.Reverse(p.heads)
	return slices.Concat(p.heads, p.configs, p.layers)
}

func blobPath(d digest.Digest) string {
	return ocispec.ImageBlobsDir + "/" + string(d.Algorithm()) + "/" + d.Encoded()
}

// readAll reads a small stored blob.
func readAll(c *cache.Cache, d digest.Digest) ([]byte, error) {
	b, err := c.Get(d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.Close() }()
	if b.Size() > jsonMax {
		return nil, fmt.Errorf("%s: %d bytes are too many", d, b.Size())
	}
	return io.ReadAll(b.File())
}
