package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pulley/proxy/token"
)

// Measured is a piece of a layer that was fetched.
type Measured struct {
	Host      string   `json:"host"` // that sent it
	Bytes     int64    `json:"bytes"`
	FirstByte Duration `json:"first_byte"`
	Rate      float64  `json:"rate"` // bytes a second
}

// How much of a layer is fetched: enough to tell 1 MB/s from 10, little enough to cost nobody anything.
const (
	blobBytes = 4 << 20
	blobTime  = 2500 * time.Millisecond
	blobLeast = 2 << 20 // with less nothing is said about speed: a connection is slow at its beginning
	slowRate  = 1e6
	mostHops  = 5
)

// blob fetches the beginning of a layer.
func (x *exam) blob(ctx context.Context, n *notes) {
	l, ok := x.aLayer()
	if !ok {
		n.ok("blob", "the image has no layer")
		return
	}
	if h, _ := x.tokens.Hint(x.site); x.bearer == "" && h.Scheme == token.Bearer { // some want one for images alone
		x.bearer, _, _ = x.tokens.Authorize(ctx, x.site, "repository:"+x.repository+":pull", x.creds)
		x.secrets.authorization(x.bearer)
	}
	response, host, ok := x.openBlob(ctx, n, l)
	if !ok {
		return
	}
	defer func() { _ = response.Body.Close() }()
	x.measure(ctx, n, l, response, host)
}

// aLayer is one that is large enough to measure, the smallest of those, or else the largest.
func (x *exam) aLayer() (layer, bool) {
	if len(x.layers) == 0 {
		return layer{}, false
	}
	return slices.MinFunc(x.layers, func(a, b layer) int {
		big, bigger := a.size >= blobBytes, b.size >= blobBytes
		switch {
		case big && bigger:
			return int(min(max(a.size-b.size, -1), 1))
		case big:
			return -1
		case bigger:
			return 1
		}
		return int(min(max(b.size-a.size, -1), 1))
	}), true
}

// openBlob follows redirects to where the layer is; each host on the way is looked at.
func (x *exam) openBlob(ctx context.Context, n *notes, l layer) (*http.Response, string, bool) {
	at := x.site.URL() + "/v2/" + x.repository + "/blobs/" + l.digest.String()
	header := http.Header{"Range": {fmt.Sprintf("bytes=0-%d", min(l.size, blobBytes)-1)}}
	if x.bearer != "" {
		header.Set("Authorization", x.bearer)
	}
	left := false
	for range mostHops {
		host := hostOf(at)
		ctx := ctx
		if left {
			ctx = x.egress.Screen(ctx, x.host, host)
		}
		response, err := x.get(ctx, http.MethodGet, at, header)
		if err != nil {
			n.blame(Finding{ID: "blob.unreachable", Level: Problem, What: "layers come from " + host + ", which does not send them: " + oneLine(err), Why: "It could be connected to, and then broke off or was silent.", Fix: x.someMirror()})
			return nil, "", false
		}
		switch code := response.StatusCode; {
		case code == http.StatusOK || code == http.StatusPartialContent:
			return response, host, true
		case code/100 == 3 && response.Header.Get("Location") != "":
			_ = response.Body.Close()
			next, err := response.Request.URL.Parse(response.Header.Get("Location"))
			if err != nil {
				n.blame(Finding{ID: "blob.redirect", Level: Problem, What: host + " redirects a layer to what is no address", Why: "The registry is broken, or something on the way changes its answers.", Fix: x.someMirror()})
				return nil, "", false
			}
			at = next.String()
			if next.Host != host {
				left = true
				header.Del("Authorization")
				if !x.storage(ctx, n, next) {
					return nil, "", false
				}
			}
		default:
			_ = response.Body.Close()
			x.unblob(n, host, code, left)
			return nil, "", false
		}
	}
	n.blame(Finding{ID: "blob.redirect", Level: Problem, What: x.host + " redirects a layer round in circles", Why: "The registry is broken, or something on the way changes its answers.", Fix: x.someMirror()})
	return nil, "", false
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

// storage looks at the way to where layers lie.
func (x *exam) storage(ctx context.Context, n *notes, at *url.URL) bool {
	from := len(n.out.findings)
	if x.reach(ctx, n, at.Host, at.Scheme) {
		n.out.findings = append(n.out.findings[:from], onlyTrouble(n.out.findings[from:])...)
		return true
	}
	for i := from; i < len(n.out.findings); i++ {
		if f := &n.out.findings[i]; f.Level == Problem {
			f.Why = strings.TrimSpace("Layers of " + x.reg.Name + " come from there. " + f.Why)
		}
	}
	return false
}

// unblob explains an answer that is no layer.
func (x *exam) unblob(n *notes, host string, code int, left bool) {
	f := Finding{ID: "blob.refused", Level: Problem, What: fmt.Sprintf("%s does not give a layer: it answers %d", host, code), Fix: x.someMirror()}
	switch {
	case code == http.StatusTooManyRequests:
		f.ID, f.Why = "limit.abuse", "Too much was asked of it from this address. A mirror goes round it."
	case left && code >= 400 && code < 500:
		f.ID = "blob.signed"
		f.What = fmt.Sprintf("%s refuses the signed address that %s gave for a layer (%d)", host, x.host, code)
		f.Why = "Something on the way changes addresses or headers, the clock of one of them is wrong, or the storage bars this network."
	case code >= 500:
		f.Why = "The storage is in trouble; its operators have to mend that. A mirror goes round it."
	default:
		f.Why = "The manifest names that layer, and the registry does not have it or does not give it."
	}
	n.blame(f)
}

// measure reads, and says how fast that went.
func (x *exam) measure(ctx context.Context, n *notes, l layer, response *http.Response, host string) {
	begin := time.Now()
	stop := time.AfterFunc(blobTime, func() { _ = response.Body.Close() })
	defer stop.Stop()
	m := &Measured{Host: host}
	var got bytes.Buffer
	one := make([]byte, 1)
	k, err := io.ReadFull(response.Body, one)
	m.FirstByte = Duration(time.Since(begin))
	got.Write(one[:k])
	if err == nil {
		_, err = io.Copy(&got, io.LimitReader(response.Body, blobBytes-1))
	}
	took := time.Since(begin)
	m.Bytes = int64(got.Len())
	if took > 0 {
		m.Rate = float64(m.Bytes) / took.Seconds()
	}
	x.report.Blob = m
	late := took >= blobTime || ctx.Err() != nil
	switch {
	case m.Bytes == 0 && l.size > 0:
		n.blame(Finding{ID: "blob.stalled", Level: Problem, What: host + " takes the request for a layer and sends nothing", Why: "It was waited for " + took.Round(100*time.Millisecond).String() + ".", Fix: x.someMirror()})
	case err != nil && !late:
		n.blame(Finding{ID: "blob.cut", Level: Problem, What: fmt.Sprintf("%s breaks a layer off after %d bytes", host, m.Bytes), Why: "Something on the way limits how much a connection may carry, or the storage is in trouble: " + oneLine(err) + ".", Fix: x.someMirror()})
	case m.Bytes == l.size && l.digest.Algorithm().FromBytes(got.Bytes()) != l.digest:
		n.blame(Finding{ID: "blob.wrong", Level: Problem, What: "a layer from " + host + " is not what its digest says", Why: "Something on the way changes what is sent, or the storage is damaged. Nothing of it is kept.", Fix: x.someMirror()})
	case late && m.Rate < slowRate, m.Bytes >= blobLeast && m.Rate < slowRate:
		x.slow(n, m)
	default:
		n.ok("blob", "%s sends layers, at %s", host, rate(m.Rate))
	}
}

// slow says why, as far as that can be known.
func (x *exam) slow(n *notes, m *Measured) {
	if most := x.cfg.Fetch.MaxRate; most > 0 && m.Rate > float64(most)/2 {
		n.ok("blob", "%s sends layers at %s; fetch.max_rate is not much more", m.Host, rate(m.Rate))
		return
	}
	n.add(Finding{
		ID: "blob.slow", Level: Warning, What: fmt.Sprintf("%s sends layers at %s over one connection", m.Host, rate(m.Rate)), Fix: x.someMirror(),
		Why: "That is slow. Pulley takes large layers over several connections; a mirror that is nearer adds to that.",
	})
}

// rate is a speed for people.
func rate(bytes float64) string {
	return fmt.Sprintf("%.1f MB/s", bytes/1e6)
}
