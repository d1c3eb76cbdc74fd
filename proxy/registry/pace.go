package registry

import (
	"golang.org/x/time/rate"

	"pulley/internal/config"
)

// paceBurst is what may come at once: the largest piece that a fetch reads.
const paceBurst = 1 << 20

// newPace makes the one limit that all downloads share.
func newPace(c *config.Config) *rate.Limiter { return rate.NewLimiter(paceOf(c), paceBurst) }

// paceOf is fetch.max_rate.
func paceOf(c *config.Config) rate.Limit {
	if c.Fetch.MaxRate <= 0 {
		return rate.Inf
	}
	return rate.Limit(c.Fetch.MaxRate)
}

// Update takes up changed settings for what goes on already: the rate of
// downloads, and where they come from. Requests read the settings by themselves.
func (h *Handler) Update() {
	h.pace.SetLimit(paceOf(h.settings()))
	h.opt.Sources.Update()
}
