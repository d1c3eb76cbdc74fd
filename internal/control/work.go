package control

import "log/slog"

// Line is one line of the answer to a request that takes a while. Any number of lines with Progress come first; the last
// has Result or Error. A stream whose last line has neither was cut.
//
// Progress is the latest about something; what came between two lines is left out. A client that goes away stops the work.
type Line[P, R any] struct {
	Progress *P     `json:"progress,omitempty"`
	Result   *R     `json:"result,omitempty"`
	Error    string `json:"error,omitempty"` // one line for a person
}

// Verify is the body of POST /v1/cache/verify: every blob is read back.
type Verify struct {
	Heal bool  `json:"heal"`           // fetch again what is broken
	Rate int64 `json:"rate,omitempty"` // bytes a second; 0: as fast as the disk is
}

// Verifying is how far that is.
type Verifying struct {
	Blobs   int   `json:"blobs"`
	OfBlobs int   `json:"of_blobs"`
	Bytes   int64 `json:"bytes"`
	OfBytes int64 `json:"of_bytes"`
	Damaged int   `json:"damaged"` // blobs
	Healed  int   `json:"healed"`
	// Healing is fetched again just now.
	Healing *Pulling `json:"healing,omitempty"`
}

// Verified is what came of it.
type Verified struct {
	Blobs   int      `json:"blobs"`
	Bytes   int64    `json:"bytes"`
	Damaged []Broken `json:"damaged,omitempty"`
}

// Broken is a blob that was not what its digest says. It is not served.
type Broken struct {
	Digest string   `json:"digest"`
	Size   int64    `json:"size"`
	Images []string `json:"images,omitempty"` // full references that use it
	Healed bool     `json:"healed"`           // fetched again
	Source string   `json:"source,omitempty"` // from there
	Error  string   `json:"error,omitempty"`  // why it was not
}

// Pull is the body of POST /v1/pull: images to have in the cache.
type Pull struct {
	Images []PullImage `json:"images"`
	Fresh  bool        `json:"fresh,omitempty"` // ask what a tag stands for, however short ago that was said
	// Credentials are the person's own, by the host of an image's name ("docker.io", "ghcr.io"). Each goes to that origin
	// and nowhere else.
	Credentials map[string]Secret `json:"credentials,omitempty"`
}

// PullImage is one of them.
type PullImage struct {
	Image     string   `json:"image"`               // as Docker takes it: "debian", "ghcr.io/org/app@sha256:…"
	Platforms []string `json:"platforms,omitempty"` // none: the one that an engine on the daemon's machine takes
	All       bool     `json:"all,omitempty"`       // every platform that there is
}

// Secret is an Authorization header, or "Refresh " with an identity token as docker's login keeps it. It prints as nothing that could be used.
type Secret string

const redacted = "[secret]"

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// WhatImage is in Pulling.What where it is about an image as a whole.
const WhatImage = "image"

// Pulling is how far one blob of an image is, or what came of the image.
type Pulling struct {
	Image  string `json:"image"` // full reference
	Digest string `json:"digest,omitempty"`
	What   string `json:"what"`             // manifest, config, layer, or image
	Have   int64  `json:"have"`             // bytes
	Size   int64  `json:"size"`             // bytes, -1 unknown
	Source string `json:"source,omitempty"` // who brings it
	Done   bool   `json:"done,omitempty"`
	Cached bool   `json:"cached,omitempty"` // it was here
	Error  string `json:"error,omitempty"`
}

// Pulled is what came of a Pull. One image that failed does not stop the others, and is no error of the whole.
type Pulled struct {
	Images []PulledImage `json:"images"` // in the order of the request
}

// PulledImage is what came of one image.
type PulledImage struct {
	Image     string   `json:"image"` // full reference, or as it was given if it is none
	Digest    string   `json:"digest,omitempty"`
	Platforms []string `json:"platforms,omitempty"` // that are here now
	Size      int64    `json:"size"`                // bytes of all it consists of
	Fetched   int64    `json:"fetched"`             // of those, what was not here
	Note      string   `json:"note,omitempty"`      // what a person should know: "the origin cannot be reached: …"
	Error     string   `json:"error,omitempty"`
}

// Export is the body of POST /v1/export, which answers with a tar, and of POST /v1/export/fetch, which first fetches what
// the tar would lack and answers with a stream of Pulling and Pulled.
type Export struct {
	Images    []string `json:"images"`
	Platforms []string `json:"platforms,omitempty"` // none: that of the daemon's machine
	All       bool     `json:"all,omitempty"`       // every platform that there is
	// Credentials are as those of a Pull, for what has to be fetched.
	Credentials map[string]Secret `json:"credentials,omitempty"`
}

// ExportDone is the trailer of the tar's answer that says that it is whole: ExportWhole, or why not.
const (
	ExportDone  = "Pulley-Export"
	ExportWhole = "whole"
)

// Importing is how far an import is: POST /v1/import has the tar as its body.
type Importing struct {
	Bytes int64  `json:"bytes"` // of the tar
	Blobs int    `json:"blobs"`
	Image string `json:"image,omitempty"` // the last one that is there
}

// Imported is what came of it.
type Imported struct {
	Images []string `json:"images"` // full references
	// Called has what the tar called those images that are named otherwise here, by full reference: "local/debian:12" was
	// "debian:12".
	Called map[string]string `json:"called,omitempty"`
	Blobs  int               `json:"blobs"`
	Bytes  int64             `json:"bytes"` // of the tar
}
