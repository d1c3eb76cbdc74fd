package control

import (
	"cmp"
	"slices"
	"time"
)

// Local is the registry of a person's own images: kept here, and nowhere else.
const Local = "local"

// Image is one manifest or index in one repository, under the tags that stand for it. Sizes are bytes.
type Image struct {
	Registry   string     `json:"registry"`
	Repository string     `json:"repository"`
	Tag        string     `json:"tag,omitempty"`  // the first of Tags
	Tags       []string   `json:"tags,omitempty"` // sorted; none: pulled by digest
	Digest     string     `json:"digest"`
	MediaType  string     `json:"media_type,omitempty"` // none while the manifest itself is not here
	Platforms  []Platform `json:"platforms,omitempty"`
	Complete   bool       `json:"complete"` // at least one platform can be had from here alone
	Size       int64      `json:"size"`     // stored
	Own        int64      `json:"own"`      // of that, what no other image uses
	Pinned     bool       `json:"pinned"`   // never thrown out to make room

	Stored  time.Time `json:"stored,omitzero"`  // first
	Used    time.Time `json:"used,omitzero"`    // last
	Checked time.Time `json:"checked,omitzero"` // when the origin last said that a tag stands for this

	Sources map[string]int64 `json:"sources,omitempty"` // bytes by who brought them; "" where nobody knows
	Saved   int64            `json:"saved"`             // bytes served from here that were not fetched again
}

// Platform is one of the manifests of an image, and what it runs on.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
	Digest       string `json:"digest"`
	Complete     bool   `json:"complete"` // all of it is here
}

// String is "os/architecture" or "os/architecture/variant".
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Name is the full reference: by the first tag, or by the digest of an image that has none.
func (i Image) Name() string {
	if i.Tag == "" {
		return i.Registry + "/" + i.Repository + "@" + i.Digest
	}
	return i.Registry + "/" + i.Repository + ":" + i.Tag
}

// Brought names those that brought the bytes, most first.
func (i Image) Brought() []string {
	names := make([]string, 0, len(i.Sources))
	for name, n := range i.Sources {
		if n > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(i.Sources[b], i.Sources[a]), cmp.Compare(a, b)) })
	return names
}

// Pin is the body of POST /v1/images/pin, which answers with the Image as it is then.
type Pin struct {
	Image  string `json:"image"`
	Pinned bool   `json:"pinned"`
}

// Remove is the body of DELETE /v1/images. An image named by a tag loses that tag, by a digest all of them; its bytes go
// with their last user.
type Remove struct {
	Image string `json:"image"`
}

// GC is the body of POST /v1/cache/gc. What was not used for longest goes first, by whole images; pinned ones stay. With
// neither, the cache is brought within its max_size.
type GC struct {
	Keep *int64 `json:"keep,omitempty"` // bytes to keep at most
	Free int64  `json:"free,omitempty"` // bytes to free at least
}

// Freed is the answer to a Remove or GC.
type Freed struct {
	Bytes  int64    `json:"bytes"`
	Images []string `json:"images,omitempty"` // that are not here any more, by name
	Size   int64    `json:"size"`             // of the cache after it
}
