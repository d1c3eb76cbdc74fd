package doctor

import (
	"context"
	"fmt"
	"slices"

	"pulley/internal/config"
	"pulley/internal/control"
)

// route looks where a person wants the registry's bytes from.
func (x *exam) route(ctx context.Context, n *notes) {
	if x.foreign || x.reg.Route != config.RouteOffline {
		if x.reg.Route != config.RouteAuto && !x.foreign {
			n.info("route", "the route of %s is %s", x.reg.Name, x.reg.Route)
		}
		return
	}
	n.stop("the route of " + x.reg.Name + " is offline, so nothing is asked of it")
	if x.o.Image != "" && x.live != nil {
		if images, err := x.live.Images(ctx); err == nil && !x.cached(images) {
			n.add(Finding{
				ID: "route.offline", Level: Problem, What: fmt.Sprintf("%s is switched to offline, and %s is not in the cache", x.reg.Name, x.o.Image),
				Why: "On that route only what is cached already can be pulled.", Fix: "pulley route " + x.reg.Name + " auto",
			})
			return
		}
	}
	n.info("route.offline", "%s is switched to offline: what is cached pulls, and nothing else", x.reg.Name)
}

// cached reports whether the image is among those in the cache, whole.
func (x *exam) cached(images []control.Image) bool {
	return slices.ContainsFunc(images, func(i control.Image) bool {
		if i.Registry != x.reg.Name || i.Repository != x.repository || !i.Complete {
			return false
		}
		if x.digest != "" {
			return i.Digest == x.digest
		}
		return slices.Contains(i.Tags, x.tag)
	})
}
