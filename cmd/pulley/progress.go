package main

import (
	"encoding/json"
	"fmt"
	"io"

	"pulley/internal/control"
)

// progress shows a person how far blobs are. Its methods are called one at a time.
type progress interface {
	// pulling is news of a blob, or of an image as a whole.
	pulling(p control.Pulling)
	// amount is how far the work as a whole is, for what goes through one thing from its begin to its end; remark may be
	// empty.
	amount(have, size int64, remark string)
	// close leaves nothing half drawn. It may be called again.
	close()
}

// newProgress draws bars where w is a terminal, else writes a line for whatever is done.
func (a *app) newProgress(w io.Writer, what string) progress {
	switch {
	case a.json:
		return &jsonLines{json.NewEncoder(w)}
	case draws(w):
		return newBars(w, what)
	}
	return &plainLines{w: w, what: what}
}

// jsonLines are those of the control interface.
type jsonLines struct{ to *json.Encoder }

func (j *jsonLines) pulling(p control.Pulling) {
	_ = j.to.Encode(control.Line[control.Pulling, struct{}]{Progress: &p})
}
func (j *jsonLines) amount(have, size int64, _ string) {
	_ = j.to.Encode(control.Line[map[string]int64, struct{}]{Progress: &map[string]int64{"bytes": have, "of_bytes": size}})
}
func (j *jsonLines) close() {}

// result is the last of the lines, or the document where there were none.
func (a *app) result(w io.Writer, v any) error {
	return json.NewEncoder(w).Encode(control.Line[struct{}, any]{Result: &v})
}

// plainLines are for a log: one for each blob that is done and each image.
type plainLines struct {
	w    io.Writer
	what string
	told int64 // tenths
}

func (l *plainLines) pulling(p control.Pulling) {
	if line := sentence(p); line != "" {
		_, _ = fmt.Fprintln(l.w, line)
	}
}

func (l *plainLines) amount(have, size int64, remark string) {
	if size <= 0 || have*10/size <= l.told {
		return
	}
	l.told = have * 10 / size
	_, _ = fmt.Fprintf(l.w, "%s: %d%%%s\n", l.what, l.told*10, after(", ", remark))
}

func (l *plainLines) close() {}

// sentence is news of what is done; "" where it is not.
func sentence(p control.Pulling) string {
	if p.What == control.WhatImage && p.Error != "" {
		return "failed: " + named(p.Image, p.Error)
	}
	name := familiarRef(p.Image)
	if p.What != control.WhatImage {
		name += ": " + p.What + after(" ", shortDigest(p.Digest))
	}
	switch {
	case p.Error != "":
		return name + ": failed: " + p.Error
	case !p.Done:
		return ""
	case p.What == control.WhatImage && p.Have == 0:
		return fmt.Sprintf("%s: here, nothing was missing of %s", name, size(p.Size))
	case p.What == control.WhatImage:
		return fmt.Sprintf("%s: here, %s fetched of %s", name, size(p.Have), size(p.Size))
	case p.Cached:
		return fmt.Sprintf("%s: was here, %s", name, size(p.Size))
	}
	return fmt.Sprintf("%s: %s%s", name, size(max(p.Size, p.Have)), after(" from ", p.Source))
}

// after puts what comes before s in front of it, if there is an s.
func after(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

// shortDigest is a digest as short as people compare them.
func shortDigest(digest string) string {
	if len(digest) < len("sha256:")+12 {
		return digest
	}
	return digest[len("sha256:") : len("sha256:")+12]
}
