package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/internal/platform"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

// accepted are the kinds of manifests that engines take.
var accepted = []string{
	"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
}

// maxManifest is what distribution allows one to be.
const maxManifest = 4 << 20

type layer struct {
	digest digest.Digest
	size   int64
}

// identity is who asks.
func (x *exam) identity() source.Identity {
	if refresh, is := source.RefreshToken(x.login); is {
		return source.Refresh(refresh)
	}
	return source.Client(x.login)
}

// ask sends a request about the image as the daemon would.
func (x *exam) ask(ctx context.Context, method, path, query string) (*http.Response, error) {
	return x.set.At(x.reg, x.host).Do(ctx, source.Req{
		Method: method, Path: "/v2/" + x.repository + "/" + path, RawQuery: query, Auth: x.identity(), Header: http.Header{"Accept": accepted},
	})
}

// manifest asks what the image is. Docker Hub counts GETs and not HEADs, so the limit is known before one is spent.
func (x *exam) manifest(ctx context.Context, n *notes) {
	response, err := x.ask(ctx, http.MethodHead, "manifests/"+x.ref(), "")
	if err != nil {
		x.unmanifest(ctx, n, err)
		return
	}
	_ = response.Body.Close()
	if l, ok := source.ParseRateLimit(response.Header, x.o.Now()); ok {
		x.limit = l
	}
	if response.StatusCode != http.StatusOK {
		x.answered(ctx, n, response.StatusCode, response.Header, nil)
		return
	}
	if x.limit.Known && x.limit.Remaining == 0 {
		x.spent(n, response.Header)
		return
	}
	of := x.ref()
	if d := response.Header.Get("Docker-Content-Digest"); d != "" {
		of = d
	}
	doc, ok := x.fetchManifest(ctx, n, of)
	if !ok {
		return
	}
	if len(doc.Manifests) > 0 {
		if doc, ok = x.child(ctx, n, doc.Manifests); !ok {
			return
		}
	}
	for _, l := range doc.Layers {
		x.layers = append(x.layers, layer{l.Digest, l.Size})
	}
	n.ok("manifest", "%s is there: %d layers", x.report.Image, len(x.layers))
}

// document is as much of a manifest or an index as is needed.
type document struct {
	Manifests []ocispec.Descriptor `json:"manifests"`
	Layers    []ocispec.Descriptor `json:"layers"`
}

func (x *exam) fetchManifest(ctx context.Context, n *notes, of string) (doc document, ok bool) {
	response, err := x.ask(ctx, http.MethodGet, "manifests/"+of, "")
	if err != nil {
		x.unmanifest(ctx, n, err)
		return doc, false
	}
	defer func() { _ = response.Body.Close() }()
	if l, known := source.ParseRateLimit(response.Header, x.o.Now()); known {
		x.limit = l
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxManifest))
	switch {
	case err != nil:
		x.unmanifest(ctx, n, err)
	case response.StatusCode != http.StatusOK:
		x.answered(ctx, n, response.StatusCode, response.Header, body)
	case json.Unmarshal(body, &doc) != nil:
		n.blame(Finding{ID: "manifest.broken", Level: Problem, What: "the manifest that " + x.host + " gives is no JSON", Why: "Something on the way changes what it sends, or the registry is broken.", Fix: x.someMirror()})
	default:
		return doc, true
	}
	return doc, false
}

// child is the manifest for the engine's platform.
func (x *exam) child(ctx context.Context, n *notes, children []ocispec.Descriptor) (doc document, ok bool) {
	want := platform.Own()
	if x.platform != "" {
		if p, err := platforms.Parse(x.platform); err == nil {
			want = platforms.Normalize(p)
		}
	}
	chosen, missing := platform.Choose([]ocispec.Platform{want}, children)
	if missing != nil || len(chosen) == 0 {
		var have []string
		for _, c := range children {
			if c.Platform != nil && c.Platform.OS != "unknown" {
				have = append(have, platforms.Format(*c.Platform))
			}
		}
		slices.Sort(have)
		have = slices.Compact(have)
		f := Finding{
			ID: "manifest.platform", Level: Problem, What: fmt.Sprintf("%s is not made for %s", x.report.Image, platforms.Format(want)),
			Why: "It is there for " + strings.Join(have, ", ") + ". An engine can emulate another platform if it is told to.",
		}
		if len(have) > 0 {
			f.Fix = "docker pull --platform " + have[0] + " " + x.o.image()
		}
		n.blame(f)
		return doc, false
	}
	return x.fetchManifest(ctx, n, chosen[0].Digest.String())
}

// unmanifest explains why there was no answer, or no token.
func (x *exam) unmanifest(ctx context.Context, n *notes, err error) {
	var s *source.StatusError
	if errors.As(err, &s) && s.Status != 0 {
		x.answered(ctx, n, s.Status, s.Header, s.Body)
		return
	}
	n.blame(Finding{ID: "registry.unreachable", Level: Problem, What: x.host + " does not answer about the image: " + oneLine(err), Why: "It answered a moment ago: the connection is unsteady, or something looks into requests.", Fix: x.helpful()})
}

// answered explains an answer that is not the manifest.
func (x *exam) answered(ctx context.Context, n *notes, status int, h http.Header, body []byte) {
	code, message := token.ParseErrors(body)
	said := strings.TrimSpace(fmt.Sprintf("%s answers %d. %s", x.host, status, strings.TrimSpace(code+" "+message)))
	switch {
	case status == http.StatusTooManyRequests && (x.limit.Known || strings.Contains(message, "pull rate limit")):
		x.spent(n, h)
	case status == http.StatusTooManyRequests:
		x.tooMany(n, h, message)
	case status == http.StatusNotFound:
		x.missing(ctx, n, said)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		x.denied(n, said)
	case status >= 500:
		n.blame(Finding{ID: "registry.down", Level: Problem, What: fmt.Sprintf("%s is there and answers %d about the image", x.host, status), Why: "Its operators have to mend that. " + said, Fix: x.someMirror()})
	default:
		n.blame(Finding{ID: "manifest.odd", Level: Problem, What: fmt.Sprintf("%s answers %d about the image", x.host, status), Why: said})
	}
}

// missing: the registry says that there is no such thing. Of a tag that is not there its neighbours may be.
func (x *exam) missing(ctx context.Context, n *notes, said string) {
	tags := x.tags(ctx)
	if len(tags) == 0 || x.digest != "" {
		x.unknown(n, said)
		return
	}
	f := Finding{ID: "manifest.tag", Level: Problem, What: fmt.Sprintf("%s has no tag %s", x.reg.Name+"/"+x.repository, x.tag), Why: said}
	near := nearest(x.tag, tags)
	if near == "" && slices.Contains(tags, "latest") {
		near = "latest"
	}
	if near == "" {
		near = tags[len(tags)-1]
	}
	f.Fix = "docker pull " + x.short() + ":" + near
	f.Why = strings.TrimSpace(f.Why + " It has, among others, " + strings.Join(tags[:min(len(tags), 5)], ", ") + ".")
	n.blame(f)
}

func (x *exam) tags(ctx context.Context) []string {
	response, err := x.ask(ctx, http.MethodGet, "tags/list", "n=500")
	if err != nil {
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	var list struct{ Tags []string }
	if response.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(response.Body, maxManifest)).Decode(&list) != nil {
		return nil
	}
	return list.Tags
}

// unknown: no such repository.
func (x *exam) unknown(n *notes, said string) {
	f := Finding{ID: "manifest.missing", Level: Problem, What: x.report.Image + " does not exist", Why: said + " Is the name spelt right?"}
	if near := x.meant(); near != "" {
		f.Why = said + " There is an image called " + near + "."
		f.Fix = "docker pull " + near
	}
	n.blame(f)
}

// denied: Docker Hub says this of what does not exist, too.
func (x *exam) denied(n *notes, said string) {
	near := x.meant()
	switch {
	case near != "" && x.login == "":
		x.unknown(n, said)
	case x.login == "":
		n.blame(Finding{
			ID: "manifest.denied", Level: Problem, What: x.report.Image + " does not exist, or is private and needs a login", Fix: "docker login " + x.reg.Name,
			Why: said + " To strangers a registry says the same of both.",
		})
	default:
		n.blame(Finding{
			ID: "manifest.denied", Level: Problem, What: x.report.Image + " does not exist, or your login may not pull it",
			Why: said + " The login itself is good: its owner has to be given the right, or the name is another.",
		})
	}
}

// meant is the official image whose name is near, "" if none is.
func (x *exam) meant() string {
	name, official := strings.CutPrefix(x.repository, "library/")
	if x.reg.Name != sampleRegistry || !official {
		return ""
	}
	return nearest(name, known)
}

// short is the repository as docker calls it.
func (x *exam) short() string {
	if x.reg.Name == sampleRegistry {
		return strings.TrimPrefix(x.repository, "library/")
	}
	return x.reg.Name + "/" + x.repository
}
