//go:build linux

package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// order is one pull to be made.
type order struct {
	repo     *repo
	door     door
	user     string
	tag      string
	byDigest bool // resolve the tag by HEAD, then ask by digest, as dockerd does
}

// draw is a random pull by somebody who may, by a door that opens.
func (w *world) draw(r *dice) order {
	o := order{repo: pick(r, w.model.repos), tag: pick(r, []string{"latest", "1"}), byDigest: r.IntN(2) == 0}
	switch {
	case o.repo.private():
		o.user = pick(r, o.repo.members)
	case r.IntN(4) == 0:
		o.user = pick(r, []string{"alice", "bob"})
	}
	o.door = doorFor(r, o.repo, o.user)
	if !o.door.intercepts() && !o.repo.private() {
		o.user = "" // engines show a mirror no login for what is public
	}
	return o
}

// crowd is several pulls, some of them the same.
func (w *world) crowd(r *dice, most int) []order {
	var all []order
	for range 1 + r.IntN(most) {
		o := w.draw(r)
		if len(all) > 0 && r.IntN(3) == 0 {
			o.repo, o.tag, o.user = all[0].repo, all[0].tag, all[0].user
			o.door = doorFor(r, o.repo, o.user)
		}
		all = append(all, o)
	}
	return all
}

// together makes pulls at the same time, and something else during them.
func (w *world) together(ctx context.Context, orders []order, during func()) {
	var work sync.WaitGroup
	for _, o := range orders {
		work.Go(func() { w.pull(ctx, o) })
	}
	if during != nil {
		during()
	}
	work.Wait()
}

// pull is what an engine does.
func (w *world) pull(ctx context.Context, o order) {
	since := w.held.mark()
	c := w.engine(o.door, o.user)
	defer c.hangUp()
	img, ok := w.manifest(ctx, c, &o)
	if !ok {
		return
	}
	one := platform(img)
	if len(img.Children) > 0 && !w.asked(ctx, c, question{repo: o.repo, manifest: true, ref: one.Digest().String(), leave: -1}) {
		return
	}
	whole := make(chan bool)
	blobs := one.Blobs()
	for _, d := range blobs {
		go func() { whole <- w.asked(ctx, c, question{repo: o.repo, ref: d.String(), leave: -1}) }()
	}
	for range blobs {
		ok = <-whole && ok
	}
	proved := !o.repo.private() || o.door.intercepts() // by a password, which is known again; a token at ?ns= is another each time
	if ok && proved && !w.weather.now(sick) && !w.weather.now(jumpy) && !w.weather.now(off) {
		w.held.keep(o.repo, o.tag, img, o.user, since)
	}
}

// manifest resolves the tag. One that mirrors answered for is the order's no more: their word counts as long as they do.
func (w *world) manifest(ctx context.Context, c *engine, o *order) (img hubtest.Image, ok bool) {
	q := question{repo: o.repo, manifest: true, ref: o.tag, leave: -1}
	if err := w.enter(ctx, c, q); err != nil {
		return img, false
	}
	if o.byDigest {
		q.head = true
	}
	a := c.ask(ctx, q)
	w.take(a)
	if !a.whole() {
		return img, false
	}
	d := digest.Digest(a.header.Get("Docker-Content-Digest"))
	if img, ok = w.model.image(o.repo, d); !ok {
		return img, false
	}
	w.held.moved(o.repo, o.tag, d)
	if strings.Contains(a.header.Get("Warning"), "tag from ") {
		o.tag = ""
	}
	if o.byDigest {
		ok = w.asked(ctx, c, question{repo: o.repo, manifest: true, ref: d.String(), leave: -1})
	}
	return img, ok
}

// enter is the login; that it fails is judged as if the request did.
func (w *world) enter(ctx context.Context, c *engine, q question) error {
	a := &answer{question: q, door: c.door.name, user: c.user, begun: time.Now(), wrong: -1}
	if a.err = c.login(ctx, q.repo, "pull"); a.err == nil {
		return nil
	}
	a.ended = time.Now()
	if c.door.ns && w.weather.during(failing, a.begun, a.ended) {
		return a.err // that token is of the registry itself, and none of Pulley's
	}
	w.take(a)
	return a.err
}

// asked is one request of which all must come.
func (w *world) asked(ctx context.Context, c *engine, q question) bool {
	if content, ok := w.model.blob(q.repo, digest.Digest(q.ref)); ok && !q.head && !q.manifest {
		w.held.used(digest.Digest(q.ref), content.Size())
	}
	a := c.ask(ctx, q)
	w.take(a)
	return a.whole()
}

// take judges an answer and takes it down.
func (w *world) take(a *answer) {
	w.judge(a)
	if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status == http.StatusNotFound {
		// A definite no of the origin ends the right to what the cache has of the repository, until it is heard otherwise
		// (docs/design.md, "Access").
		w.held.drop(func(h *holding) bool { return h.repo == a.repo && a.repo.site != nil })
	}
	w.story.whisper("      %s", a)
	switch {
	case a.whole():
		w.story.answered("served")
	case a.left:
		w.story.answered("left")
	default:
		why := w.excuse(a)
		w.story.answered(why)
		if why != "no access" && why != "upstream does not have it" {
			w.story.tell("    %s (%s)", a, why)
		}
	}
}

// stepPull is a crowd that pulls.
func stepPull(ctx context.Context, w *world, r *dice) {
	w.together(ctx, w.crowd(r, 6), nil)
}

// stepHead asks for heads of manifests and blobs.
func stepHead(ctx context.Context, w *world, r *dice) {
	for _, o := range w.crowd(r, 4) {
		c := w.engine(o.door, o.user)
		q := question{repo: o.repo, manifest: true, ref: o.tag, head: true, leave: -1}
		if img, ok := w.model.now(o.repo, o.tag); ok && r.IntN(2) == 0 {
			q.manifest, q.ref = false, pick(r, platform(img).Blobs()).String()
		}
		if w.enter(ctx, c, q) == nil {
			w.asked(ctx, c, q)
		}
		c.hangUp()
	}
}

// stepStranger asks for what the asker has no right to, or what is not in the repository that is asked.
func stepStranger(ctx context.Context, w *world, r *dice) {
	for range 4 {
		to := pick(r, w.model.repos)
		if to.site == nil {
			continue
		}
		q := question{repo: to, manifest: true, ref: pick(r, []string{"latest", "1"}), leave: -1}
		if other := pick(r, w.model.repos); r.IntN(2) == 0 && len(other.images) > 0 { // somebody else's digest
			img := pick(r, other.images)
			if q.ref = img.Digest().String(); img.Config != nil && r.IntN(2) == 0 {
				q.manifest, q.ref = false, pick(r, img.Blobs()).String()
			}
		}
		w.strange(ctx, pick(r, doors), pick(r, []string{"", "alice", "bob"}), q)
	}
}

// strange is a request whose answer may only be right or none.
func (w *world) strange(ctx context.Context, d door, user string, q question) {
	c := w.engine(d, user)
	defer c.hangUp()
	if !d.leads(q.repo) {
		return
	}
	if !q.repo.private() {
		w.model.name(q.ref)
	}
	_ = c.login(ctx, q.repo, "pull") // it may be refused here, too
	a := c.ask(ctx, q)
	if a.status == http.StatusOK || slices.Contains([]int{400, 401, 403, 404}, a.status) && d.opens(q.repo, user) {
		w.take(a)
	}
}
