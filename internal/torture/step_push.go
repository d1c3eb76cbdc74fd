//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// ownLimit is how much of the cache's size own images may take in a run.
const ownLimit = 4 << 20

// stepPush pushes an image: through Pulley to the registry, or into local/.
func stepPush(ctx context.Context, w *world, r *dice) {
	to, tag, img := pick(r, w.model.repos), pick(r, []string{"latest", "1"}), w.fresh(r)
	if len(img.Children) > 0 {
		img = platform(img)
	}
	o := order{repo: to, tag: tag, door: own}
	if to.site != nil {
		if o.user = "alice"; to.private() {
			o.user = pick(r, to.members)
		}
		for !o.door.intercepts() {
			o.door = doorFor(r, to, o.user)
		}
	} else if w.held.own+sizeOf(img) > ownLimit || w.drought != "" { // what is pushed into a folder that goes again is lost with it
		w.pull(ctx, o)
		return
	}
	c := w.engine(o.door, o.user)
	defer c.hangUp()
	begun := time.Now()
	err := c.push(ctx, to, tag, img)
	bad := w.weather.during(failing, begun, time.Now()) && to.site != nil || w.weather.during(sick, begun, time.Now()) ||
		w.weather.during(off, begun, time.Now()) && to.site != nil || w.weather.during(dying, begun, time.Now())
	switch {
	case err == nil && to.site != nil:
		if d, _, _, ok := to.site.Manifest(to.name, tag); !ok || d != img.Digest() {
			w.breaks("a push to %s:%s was said to be done and is not upstream", to, tag)
		}
		w.model.mu.Lock()
		w.model.note(to, tag, img)
		w.model.mu.Unlock()
	case err == nil:
		w.model.mu.Lock()
		w.model.note(to, tag, img)
		w.model.mu.Unlock()
		w.held.own += sizeOf(img)
	case !bad:
		w.breaks("a push to %s:%s failed: %v", to, tag, err)
		return
	default:
		w.story.tell("    push to %s:%s by %s: %v", to, tag, o.door.name, err)
		if d, _, _, ok := w.upstreamNow(to, tag); ok && d == img.Digest() { // it got there all the same
			w.model.mu.Lock()
			w.model.note(to, tag, img)
			w.model.mu.Unlock()
		}
		return
	}
	w.pull(ctx, w.orderOf(r, to, tag))
}

func (w *world) upstreamNow(r *repo, ref string) (d digest.Digest, mediaType string, body []byte, ok bool) {
	if r.site == nil {
		return "", "", nil, false
	}
	return r.site.Manifest(r.name, ref)
}

// push is what an engine does, by the distribution specification: blobs whole or in two chunks, then the manifest.
func (c *engine) push(ctx context.Context, to *repo, tag string, img hubtest.Image) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.login(ctx, to, "pull,push"); err != nil {
		return err
	}
	for _, d := range img.Blobs() {
		content, _ := contentOf(img, d)
		if err := c.upload(ctx, to, d, content); err != nil {
			return err
		}
	}
	res, err := c.do(ctx, to, http.MethodPut, "manifests/"+tag, http.Header{"Content-Type": {img.MediaType}}, bytes.NewReader(img.Manifest))
	return said(res, err, http.StatusCreated)
}

func (c *engine) upload(ctx context.Context, to *repo, d digest.Digest, content hubtest.Content) error {
	res, err := c.do(ctx, to, http.MethodPost, "blobs/uploads/", nil, nil) //nolint:bodyclose // location does
	at, err := c.location(res, err)
	if err != nil {
		return err
	}
	sep := "?"
	if strings.Contains(at, "?") {
		sep = "&"
	}
	body := io.NewSectionReader(content, 0, content.Size())
	res, err = c.do(ctx, to, http.MethodPut, at+sep+"digest="+url.QueryEscape(d.String()), http.Header{"Content-Type": {"application/octet-stream"}}, body)
	return said(res, err, http.StatusCreated)
}

// location is where an upload goes on.
func (c *engine) location(res *http.Response, err error) (string, error) {
	if err := said(res, err, http.StatusAccepted); err != nil {
		return "", err
	}
	at, err := res.Location()
	if err != nil {
		return "", err
	}
	return at.String(), nil
}

// said closes an answer and says whether it is the one that is wanted.
func said(res *http.Response, err error, want int) error {
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 500))
	if res.StatusCode != want {
		return fmt.Errorf("%s %s: %s %s", res.Request.Method, res.Request.URL.Path, res.Status, text)
	}
	return nil
}
