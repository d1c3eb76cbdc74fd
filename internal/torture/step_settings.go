//go:build linux

package main

import (
	"context"
	"os"
	"strings"
	"time"
)

// setRoute switches a route without taking it down in the model.
func (w *world) setRoute(ctx context.Context, registry, route string) {
	if err := w.control.SetRoute(ctx, registry, route); err != nil {
		w.breaks("route %s %s: %v", registry, route, err)
	}
}

// stepRoute switches where bytes come from in the middle of pulls. No route but offline is a reason to fail.
func stepRoute(ctx context.Context, w *world, r *dice) {
	registry, route := pick(r, []string{"docker.io", otherHost, plainHost}), pick(r, []string{"auto", "direct", "m1", "m2"})
	if registry != "docker.io" && route != "direct" {
		route = "auto"
	}
	w.together(ctx, w.crowd(r, 4), func() {
		if strings.HasPrefix(route, "m") {
			w.mirror(ctx, route, true)
		}
		w.route[registry] = route
		w.setRoute(ctx, registry, route)
	})
}

// stepMirrors switches mirrors on and off in the middle of pulls.
func stepMirrors(ctx context.Context, w *world, r *dice) {
	name, on := pick(r, []string{"m1", "m2"}), r.IntN(3) > 0
	w.together(ctx, w.crowd(r, 4), func() {
		if !on && w.route["docker.io"] == name {
			w.route["docker.io"] = "auto"
			w.setRoute(ctx, "docker.io", "auto")
		}
		w.mirror(ctx, name, on)
	})
}

func (w *world) mirror(ctx context.Context, name string, on bool) {
	if err := w.control.SwitchMirror(ctx, "docker.io", name, on); err != nil {
		w.breaks("mirror %s %v: %v", name, on, err)
	}
}

// stepTTL changes how long a tag is believed, by command or by hand.
func stepTTL(ctx context.Context, w *world, r *dice) {
	next := pick(r, []time.Duration{0, time.Second, 2 * time.Second})
	w.tagsFor = max(w.ttl, next) // until it is in force
	if err := w.control.SetSetting(ctx, "cache.tag_ttl", next.String()); err != nil {
		w.breaks("config set cache.tag_ttl %s: %v", next, err)
		return
	}
	w.ttl, w.tagsFor = next, next
	v, err := w.control.Setting(ctx, "cache.tag_ttl")
	if got, wrong := time.ParseDuration(v); err != nil || wrong != nil || got != next {
		w.breaks("cache.tag_ttl was set to %s and is %q: %v", next, v, err)
	}
	stepPull(ctx, w, r)
}

// stepWrongSettings writes a file that is broken: the old settings stay in force, and it is said.
func stepWrongSettings(ctx context.Context, w *world, r *dice) {
	before, err := os.ReadFile(w.config())
	if err != nil {
		w.breaks("config.toml: %v", err)
		return
	}
	wrong := pick(r, []string{"no_such_key = 1\n", "listen = \n", "[cache\n", "[cache]\nmax_size = \"much\"\n", "listen = \"nowhere\"\n"})
	text := string(before)
	if strings.HasPrefix(wrong, "[") {
		text += "\n" + wrong
	} else {
		text = wrong + text
	}
	if err := w.edit([]byte(text)); err != nil {
		w.breaks("torture itself: %v", err)
		return
	}
	w.together(ctx, w.crowd(r, 4), func() {
		if err := until(ctx, 10*time.Second, func() bool { return w.complains(ctx) }); err != nil {
			w.breaks("a broken config.toml is no problem to it: %q", wrong)
		}
	})
	w.together(ctx, w.crowd(r, 4), nil)
	if err := w.edit(before); err != nil {
		w.breaks("torture itself: %v", err)
	}
	if err := until(ctx, 10*time.Second, func() bool { return !w.complains(ctx) }); err != nil {
		w.breaks("config.toml is right again, and still a problem")
	}
}

// edit writes the file as editors do, at once: of one that is written in place and found empty for long nobody can say whether
// it was meant so.
func (w *world) edit(text []byte) error {
	next := w.config() + "~"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, w.config())
}

// complains says that the settings are a problem.
func (w *world) complains(ctx context.Context) bool {
	s, err := w.control.State(ctx)
	for _, p := range s.Problems {
		if p.Kind == "config" {
			return true
		}
	}
	return err != nil
}

// stepOff switches Pulley off and on again. Own images are there meanwhile.
func stepOff(ctx context.Context, w *world, r *dice) {
	w.weather.set(off, true, 0)
	w.enabled = false
	if err := w.control.SetEnabled(ctx, false); err != nil {
		w.breaks("off: %v", err)
	}
	for _, one := range w.model.repos {
		if _, ok := w.model.now(one, "latest"); ok && one.site == nil {
			w.pull(ctx, order{repo: one, door: own, tag: "latest"})
		}
	}
	w.mirrorGivesUp(ctx)
	if err := w.control.SetEnabled(ctx, true); err != nil {
		w.breaks("on: %v", err)
	}
	w.enabled = true
	w.weather.set(off, false, 0)
	stepPull(ctx, w, r)
}

// mirrorGivesUp: engines are told to go to the origin.
func (w *world) mirrorGivesUp(ctx context.Context) {
	for _, d := range []door{doors[0], doors[1]} {
		c := w.engine(d, "")
		if a := c.ask(ctx, question{repo: w.model.repos[0], manifest: true, ref: "latest", leave: -1}); a.status != 404 {
			w.breaks("switched off, the mirror door answers: %s", a)
		}
		c.hangUp()
	}
}
