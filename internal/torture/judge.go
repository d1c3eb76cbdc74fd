//go:build linux

package main

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
)

// What the daemon may remember of a failure after it is over: 10 s in which a registry that could not be reached is not asked
// about what the cache has (docs/design.md, "Where bytes come from": left alone for a while).
const remembered = 11 * time.Second

// judge holds an answer against the model. Each rule names the promise.
func (w *world) judge(a *answer) {
	switch {
	case a.whole():
		w.judgeAccess(a)
		if a.manifest {
			w.judgeManifest(a)
		} else {
			w.judgeBlob(a)
		}
	case a.left, a.err != nil && a.status/100 == 2:
		w.judgeAccess(a)
		if a.wrong >= 0 && !w.weather.during(lying, a.begun, a.ended) {
			w.breaks("wrong bytes were sent though nobody upstream lied, at %d: %s", a.wrong, a)
		}
		if !a.left {
			w.judgeFailure(a)
		}
	default:
		w.judgeFailure(a)
	}
}

// judgeAccess: whoever has no right gets nothing, by any door.
func (w *world) judgeAccess(a *answer) {
	if a.repo.private() && !doorOf(a.door).opens(a.repo, a.user) {
		w.breaks("a private image was given to somebody without access: %s", a)
	}
}

func doorOf(name string) door {
	if i := slices.IndexFunc(doors, func(d door) bool { return d.name == name }); i >= 0 {
		return doors[i]
	}
	return own
}

// judgeManifest: the bytes are those of the digest that is named, the digest was the repository's, and a tag's is not
// older than tag_ttl.
func (w *world) judgeManifest(a *answer) {
	named := digest.Digest(a.header.Get("Docker-Content-Digest"))
	got := named
	if !a.head {
		got = digest.FromBytes(a.body)
		if named != "" && got != named {
			w.breaks("a manifest is not what its digest says: %s", a)
			return
		}
	}
	img, ours := w.model.image(a.repo, got)
	if !ours {
		w.breaks("a manifest of another repository, %s: %s", got, a)
		return
	}
	if a.head && a.header.Get("Content-Length") != strconv.Itoa(len(img.Manifest)) {
		w.breaks("HEAD names another length than %d: %s", len(img.Manifest), a)
	}
	if asked := digest.Digest(a.ref); asked.Validate() == nil {
		if asked != got {
			w.breaks("another manifest than the one asked for, %s: %s", got, a)
		}
		return
	}
	from := a.begun.Add(-w.tagsFor - 50*time.Millisecond)
	if w.weather.during(stale, from, a.ended) {
		from = time.Time{} // the last known one will do, however old
	}
	if allowed := w.model.meant(a.repo, a.ref, from, a.ended); !slices.Contains(allowed, got) {
		w.breaks("a tag is older than tag_ttl (%s) allows: %s, the origin said %v since: %s", w.tagsFor, got, allowed, a)
	}
}

// judgeBlob: every byte is right, and none is missing.
func (w *world) judgeBlob(a *answer) {
	content, ours := w.model.blob(a.repo, digest.Digest(a.ref))
	if !ours {
		w.breaks("a blob of another repository: %s", a)
		return
	}
	if a.head {
		if a.header.Get("Content-Length") != strconv.FormatInt(content.Size(), 10) {
			w.breaks("HEAD names another length than %d: %s", content.Size(), a)
		}
		return
	}
	if a.wrong < 0 {
		return
	}
	if a.n > 0 && a.status == http.StatusPartialContent && w.weather.during(lying, a.begun, a.ended) {
		return // part of a blob that is on its way proves nothing yet; whoever asks next gets the whole
	}
	w.breaks("wrong or missing bytes in a blob that was served complete, first at %d of %d: %s", a.wrong, content.Size(), a)
}

// judgeFailure: a request fails only if it had to, or if what was made to fail excuses it.
func (w *world) judgeFailure(a *answer) {
	if why := w.excuse(a); why == "" {
		w.breaks("failed though it could be served: %s", a)
	}
}

// excuse is why a request may fail, "" it may not.
func (w *world) excuse(a *answer) string {
	from := a.begun.Add(-w.tagsFor - 50*time.Millisecond)
	switch {
	case a.repo.site != nil && !doorOf(a.door).opens(a.repo, a.user):
		return "no access"
	case w.weather.during(dying, a.begun, a.ended):
		return "the daemon was killed"
	case w.weather.during(off, a.begun, a.ended):
		return "switched off"
	case !w.hadIt(a, from):
		return "upstream does not have it"
	case a.repo.site == nil && w.weather.during(sick, a.begun, a.ended):
		return "an own image, and the disk is sick"
	case a.status == http.StatusUnauthorized && w.weather.during(jumpy, a.begun, a.ended):
		return "a token of another time"
	case w.weather.during(rough, a.begun, a.ended) && w.weather.during(sick, a.begun, a.ended) && a.status/100 == 2:
		return "passed through as the origin broke it off"
	case w.mustHold(a):
		return "" // whatever the weather
	case w.weather.during(failing, a.begun, a.ended):
		return "the origin failed"
	case w.weather.during(lying, a.begun, a.ended) && a.status/100 == 2:
		return "broken off: upstream lied"
	case a.status == http.StatusRequestedRangeNotSatisfiable && a.n > 0:
		if c, ok := w.model.blob(a.repo, digest.Digest(a.ref)); ok && a.off >= c.Size() {
			return "no such range"
		}
	}
	return ""
}

// hadIt says that upstream had what was asked for, all the time.
func (w *world) hadIt(a *answer, from time.Time) bool {
	d := digest.Digest(a.ref)
	switch {
	case !a.manifest:
		_, ok := w.model.blob(a.repo, d)
		return ok && !w.model.blobGone(a.repo, d)
	case d.Validate() == nil:
		return w.model.there(a.repo, d)
	}
	for _, d := range w.model.meant(a.repo, a.ref, from, a.ended) {
		if d == "" || !w.model.there(a.repo, d) {
			return false
		}
	}
	return true
}

// blobGone says that no image has it any more, so that upstream may have it no more.
func (m *model) blobGone(r *repo, d digest.Digest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, img := range r.images {
		if _, has := contentOf(img, d); has {
			if _, gone := r.gone[img.Digest()]; !gone {
				return false
			}
		}
	}
	return true
}
