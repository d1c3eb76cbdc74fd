package registry

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pulley/internal/config"
	"pulley/proxy/source"
)

// limited says that the origin gave nothing because too much was asked of it.
func limited(err error) bool {
	status, ok := spoken(err)
	return ok && status.Status == http.StatusTooManyRequests && !status.Elsewhere
}

// spent says that an answer is the last one for a while: no pull of the limit is
// left.
func spent(header http.Header) bool {
	left, _, _ := strings.Cut(header.Get("Ratelimit-Remaining"), ";")
	return strings.TrimSpace(left) == "0"
}

// limitAdvice is what a person may do about a pull limit.
func (h *Handler) limitAdvice(req *Request, status *source.StatusError) string {
	when := "later"
	switch l := h.opt.Sources.Limits()[req.Registry.Name]; {
	case status.RetryAfter > 0:
		when = "in " + status.RetryAfter.Round(time.Second).String()
	case l.Window > 0:
		when = "within " + plainly(l.Window)
	}
	help := "docker login raises the limit"
	if !req.Asker.anonymous() {
		help = "what is cached still pulls"
	}
	if i := slices.IndexFunc(req.Registry.Mirrors, free); i >= 0 && h.public(req) && len(h.mirrors(req)) == 0 {
		help += ", a mirror goes round it: pulley mirror on " + req.Registry.Mirrors[i].Name
	}
	return fmt.Sprintf("%s's limit is used up; try again %s; %s", req.Registry.Name, when, help)
}

// silentFor is what a client that waits without a word is told to wait each time.
const silentFor = 5 * time.Second

// waitsSilently says of a client, by the name it gives itself, that it takes a
// Retry-After for an order and shows its person nothing meanwhile: podman, skopeo,
// buildah and CRI-O (containers/image) do so four times, a minute each. The reason,
// with the time to come back, is in the answer that they show then.
func waitsSilently(agent string) bool {
	for _, name := range [...]string{"containers/", "skopeo/", "libpod/", "buildah/", "cri-o/"} {
		if len(agent) >= len(name) && strings.EqualFold(agent[:len(name)], name) {
			return true
		}
	}
	return false
}

// free says that a mirror is there for whoever switches it on.
func free(m config.Mirror) bool {
	return !m.Enabled && m.Closed == "" && m.Needs == "" && !m.Incomplete() && len(m.Only) == 0
}

// plainly is "6h" instead of "6h0m0s".
func plainly(d time.Duration) string {
	s := d.String()
	for _, tail := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, tail) {
			s = s[:len(s)-2]
		}
	}
	return s
}
