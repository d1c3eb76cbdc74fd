package doctor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"pulley/proxy/token"
)

// ping asks what every registry answers, and looks at the clock on the way.
func (x *exam) ping(ctx context.Context, n *notes) {
	begin := time.Now()
	response, err := x.get(ctx, http.MethodGet, x.site.URL()+"/v2/", http.Header{})
	if err != nil {
		n.blame(Finding{ID: "registry.unreachable", Level: Problem, What: x.host + " does not answer a request: " + oneLine(err), Why: "It could be connected to, and then broke off or was silent.", Fix: x.helpful()})
		return
	}
	took := time.Since(begin)
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	_ = response.Body.Close()
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		if off := x.o.Now().Sub(date); off.Abs() > skew {
			f := x.clock(x.host, off)
			f.Level = Warning // it got this far
			n.add(f)
		}
	}
	x.hint = token.Hint{Scheme: token.None}
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusOK && !page(response.Header, body):
	case code/100 == 3 && !x.reg.Insecure: // as registry.k8s.io does; TLS says that it is the registry who redirects
	case code == http.StatusTooManyRequests:
		x.tooMany(n, response.Header, "")
		return
	case code >= 500:
		n.blame(Finding{ID: "registry.down", Level: Problem, What: fmt.Sprintf("%s is there and answers %d", x.host, code), Why: "Its operators have to mend that. What is cached still pulls, and a mirror goes round it.", Fix: x.someMirror()})
		return
	default:
		n.blame(Finding{
			ID: "registry.portal", Level: Problem, What: fmt.Sprintf("what answers at %s is no registry (%d %s)", x.host, code, strings.ToLower(http.StatusText(code))),
			Why: "A guest network's sign-in page, a filter or a wrong address answers in its stead.", Fix: x.helpful(),
		})
		return
	}
	if _, err := x.tokens.Learn(x.site, response.StatusCode, response.Header); err != nil {
		n.blame(Finding{
			ID: "token.realm", Level: Problem, What: oneLine(err), Fix: "pulley config edit",
			Why: "A registry says where tokens are to be had, and whoever is there gets passwords. Something on the way may have changed that answer.",
		})
		return
	}
	x.hint, _ = x.tokens.Hint(x.site)
	n.ok("registry", "%s answers in %s", x.host, took.Round(time.Millisecond))
}

// page reports whether an answer is one for people.
func page(h http.Header, body []byte) bool {
	return h.Get("Docker-Distribution-Api-Version") == "" &&
		(strings.HasPrefix(h.Get("Content-Type"), "text/html") || strings.HasPrefix(strings.ToLower(strings.TrimSpace(string(body))), "<"))
}

// someMirror is the command for going round an origin.
func (x *exam) someMirror() string {
	for i := range x.reg.Mirrors {
		m := &x.reg.Mirrors[i]
		if !m.Enabled && m.Closed == "" && !m.Incomplete() && m.Auth == "" {
			return switchMirror("on", x.reg, m)
		}
	}
	return ""
}
