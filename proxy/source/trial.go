package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
)

// Report is what trying a place out gave; see [Set.Test].
type Report struct {
	Registry, Name string
	Image          string // that was asked for, "" if none
	Reachable      bool
	FirstByte      time.Duration
	Rate           float64 // bytes a second, 0 if nothing was fetched
	Bytes          int64   // fetched
	Ranges         Answer
	Agrees         Answer // with the origin about the image's tag
	Quota          *QuotaUse
	Err            string // what stopped the test, "" if nothing did
	Failure        error  // the same, to be looked into
}

// Answer is yes, no, or unknown.
type Answer string

// The values of Answer.
const (
	AnswerYes     Answer = "yes"
	AnswerNo      Answer = "no"
	AnswerUnknown Answer = "unknown"
)

func answer(yes bool) Answer {
	if yes {
		return AnswerYes
	}
	return AnswerNo
}

// A trial takes at most trialTime, and trialBytes of one layer.
const (
	trialTime  = 90 * time.Second
	trialBytes = 8 << 20
)

// manifestTypes are what is accepted for a tag.
var manifestTypes = []string{
	"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
}

// Test tries a place of a registry out ("origin" or a mirror's name, switched
// on or not) as `pulley mirror test` shows it: whether it answers and how soon,
// how fast it sends a small real blob, whether it does ranges, whether it agrees
// with the origin about a tag. The image is the catalogue's; see [Set.TestWith].
// The error is about the question; what the place does is in the Report.
func (s *Set) Test(ctx context.Context, reg *config.Registry, name string) (Report, error) {
	return s.TestWith(ctx, reg, name, s.current(reg).Sample, nil)
}

// Progress is how far a trial is.
type Progress struct {
	FirstByte time.Duration // 0: not yet
	Bytes     int64         // fetched
	Size      int64         // of what is fetched; 0: not known yet
	Rate      float64       // bytes a second so far
}

// TestWith is Test with an image of the registry, "repository:tag", which the
// caller knows to be public; with "" only that the place answers is tried.
// progress is called as often as there is something to say, by the goroutine of
// the caller, and must cost little; nil: nobody wants to know.
func (s *Set) TestWith(ctx context.Context, reg *config.Registry, name, image string, progress func(Progress)) (Report, error) {
	reg = s.current(reg)
	var m *config.Mirror
	if name != "origin" {
		var ok bool
		if store := s.storeNow(); name == config.SharedName && store != nil {
			m = s.asMirror(store)
		} else if m, ok = reg.Mirror(name); !ok {
			return Report{}, fmt.Errorf("%s has no mirror %q; try: pulley mirror ls", reg.Name, name)
		}
	}
	p, err := s.newPlace(reg, m, firstHost(reg))
	if err != nil {
		return Report{}, fmt.Errorf("%s: mirror %s: %w", reg.Name, name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	r := Report{Registry: reg.Name, Name: name, Ranges: AnswerUnknown, Agrees: AnswerUnknown}
	if progress == nil {
		progress = func(Progress) {}
	}
	if err := s.try(ctx, p, image, &r, progress); err != nil {
		r.Err, r.Failure = err.Error(), err
	}
	if m != nil {
		r.Quota = s.ledger.use(p.quotaKey(), m.Quota)
	}
	return r, nil
}

func (s *Set) try(ctx context.Context, p *Place, image string, r *Report, progress func(Progress)) (err error) {
	if r.FirstByte, err = p.ping(ctx); err != nil {
		return err
	}
	r.Reachable = true
	progress(Progress{FirstByte: r.FirstByte})
	repo, tag, ok := strings.Cut(image, ":")
	if !ok || !p.MayKnow(true, repo) {
		return nil
	}
	r.Image = image
	here, err := p.digestOf(ctx, repo, tag)
	if p.shared != nil && statusOf(nil, err) == http.StatusNotFound {
		r.Image = "" // nobody has put it there
		return nil
	}
	if err != nil {
		return p.unwelcome(err)
	}
	if p.mirror != nil {
		s.compare(ctx, p, repo, tag, here, r)
	}
	layer, err := p.layerOf(ctx, repo, here, 0)
	if err != nil {
		return err
	}
	return p.fetch(ctx, repo, layer, r, progress)
}

// unwelcome says what a mirror's 401 is about: the answer to a HEAD has no words.
func (p *Place) unwelcome(err error) error {
	var status *StatusError
	switch {
	case p.mirror == nil || !errors.As(err, &status) || status.Elsewhere || status.Status != http.StatusUnauthorized:
		return err
	case p.mirror.Auth == "":
		return fmt.Errorf("%w; it wants a name and password, and the settings have no auth for it", err)
	}
	return fmt.Errorf("%w; it does not take the name and password from auth = %q", err, p.mirror.Auth)
}

// compare asks the origin what the mirror was asked.
func (s *Set) compare(ctx context.Context, p *Place, repo, tag string, here digest.Digest, r *Report) {
	origin, err := s.place(p.reg, nil, p.host)
	if err != nil {
		return
	}
	there, err := origin.digestOf(ctx, repo, tag)
	if err != nil {
		return // it cannot be reached, which is what mirrors are for
	}
	if r.Agrees = answer(here == there); here != there && p.shared == nil {
		s.Disagrees(p.reg, p.Name(), repo, tag, here, there)
	}
}

// digestOf asks with HEAD, which costs nothing of a pull limit, what a tag
// stands for.
func (p *Place) digestOf(ctx context.Context, repo, tag string) (digest.Digest, error) {
	resp, err := p.Do(ctx, Req{
		Method: http.MethodHead, Path: "/v2/" + repo + "/manifests/" + tag, Public: true,
		Header: http.Header{"Accept": manifestTypes},
	})
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", p.at.Fail(resp)
	}
	d, err := digest.Parse(resp.Header.Get("Docker-Content-Digest"))
	if err != nil {
		return "", fmt.Errorf("%s does not say what %s stands for", p.at.host, tag)
	}
	return d, nil
}

// descriptor is as much of one as is needed here.
type descriptor struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
}

// layerOf finds a layer to fetch: the biggest up to trialBytes, else the
// smallest.
func (p *Place) layerOf(ctx context.Context, repo string, d digest.Digest, depth int) (descriptor, error) {
	resp, err := p.Do(ctx, Req{
		Method: http.MethodGet, Path: "/v2/" + repo + "/manifests/" + d.String(), Public: true,
		Header: http.Header{"Accept": manifestTypes},
	})
	if err != nil {
		return descriptor{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return descriptor{}, p.at.Fail(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	_ = resp.Body.Close()
	if err != nil {
		return descriptor{}, err
	}
	if d.Algorithm().FromBytes(body) != d {
		return descriptor{}, fmt.Errorf("%s sends a manifest that is not the one asked for", p.at.host)
	}
	var doc struct{ Manifests, Layers []descriptor }
	if err := json.Unmarshal(body, &doc); err != nil {
		return descriptor{}, fmt.Errorf("%s sends a manifest that is no JSON", p.at.host)
	}
	if len(doc.Manifests) > 0 && depth < 2 {
		first := doc.Manifests[0].Digest
		if first.Validate() != nil {
			return descriptor{}, fmt.Errorf("%s sends an index that names no manifest", p.at.host)
		}
		return p.layerOf(ctx, repo, first, depth+1)
	}
	var best descriptor
	for _, l := range doc.Layers {
		fits, had := l.Size <= trialBytes, best.Size > 0 && best.Size <= trialBytes
		if best.Size == 0 || fits && (!had || l.Size > best.Size) || !fits && !had && l.Size < best.Size {
			best = l
		}
	}
	if best.Size == 0 || best.Digest.Validate() != nil {
		return descriptor{}, errors.New("the image has no layer to fetch")
	}
	return best, nil
}

// measure tells how far a fetch is, as its bytes pass.
type measure struct {
	now   func() time.Time
	start time.Time
	so    Progress
	tell  func(Progress)
}

func (m *measure) Write(p []byte) (int, error) {
	m.so.Bytes += int64(len(p))
	if took := m.now().Sub(m.start); took > 0 {
		m.so.Rate = float64(m.so.Bytes) / took.Seconds()
	}
	m.tell(m.so)
	return len(p), nil
}

// fetch takes the layer, or its beginning, as a range. If it is the whole, it is
// checked.
func (p *Place) fetch(ctx context.Context, repo string, l descriptor, r *Report, progress func(Progress)) error {
	n := min(l.Size, trialBytes)
	start := p.set.now()
	b, err := p.Blob(Want{Repository: repo, Digest: l.Digest.String(), Public: true}).Open(ctx, 0, n)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	r.Ranges = answer(b.Ranged)
	var got bytes.Buffer
	r.Bytes, err = io.Copy(&got, io.TeeReader(io.LimitReader(b, n), &measure{
		now: p.set.now, start: start, so: Progress{FirstByte: r.FirstByte, Size: n}, tell: progress,
	}))
	if took := p.set.now().Sub(start); took > 0 {
		r.Rate = float64(r.Bytes) / took.Seconds()
	}
	switch {
	case err != nil:
		return err
	case r.Bytes == l.Size && l.Digest.Algorithm().FromBytes(got.Bytes()) != l.Digest:
		return fmt.Errorf("%s sends a layer whose bytes are not what its digest says; do not use it", p.at.host)
	}
	return nil
}
