package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// ownerOf says whom a certificate is for.
func ownerOf(c *x509.Certificate) string {
	if c == nil {
		return "nobody"
	}
	names := append([]string(nil), c.DNSNames...)
	if len(names) > 3 {
		names = names[:3]
	}
	return nameOf(strings.Join(names, ", "), c.Subject.CommonName)
}

// issuerOf says who signed it.
func issuerOf(c *x509.Certificate) string {
	return nameOf(c.Issuer.CommonName, strings.Join(c.Issuer.Organization, " "))
}

// untrusted: it answers, and its certificate does not convince.
func (x *exam) untrusted(ctx context.Context, n *notes, v *visit) {
	switch {
	case v.count(unknownCA) > 0:
		_, k := v.first(unknownCA)
		x.intercepted(n, v.host, leafOf(k.Err), "")
	case v.count(dated) > 0:
		at, k := v.first(dated)
		x.outdated(ctx, n, v.host, leafOf(k.Err), func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", at.String())
		})
	default:
		x.plain(n, v.host)
	}
}

// ourIssuer is what every Pulley calls its authorities.
const ourIssuer = "Pulley local CA"

// intercepted: the right name, by an authority that nobody here believes.
func (x *exam) intercepted(n *notes, host string, leaf *x509.Certificate, behind string) {
	issuer := issuerOf(leaf)
	f := Finding{
		ID: "tls.intercepted", Level: Problem, What: fmt.Sprintf("the certificate of %s%s is by %q, which this machine does not trust", host, behind, issuer),
		Why: "Somebody opens TLS on the way, as companies and virus scanners do, or the registry has an authority of its own. " +
			"If that is right, have its root certificate in a file.",
		Fix: "pulley config set fetch.extra_roots /path/to/root.pem",
	}
	if strings.HasPrefix(issuer, ourIssuer) {
		f.ID, f.Fix = "loop.tls", "pulley config edit"
		f.What = fmt.Sprintf("the connection to %s ends at a Pulley", host)
		f.Why = "Its certificate is by " + issuer + ": the way out leads back here, or to another Pulley that is to be named as a mirror."
	}
	n.blame(f)
}

// plain: no TLS there.
func (x *exam) plain(n *notes, host string) {
	n.blame(Finding{
		ID: "tls.plain", Level: Problem, What: host + " speaks plain HTTP where TLS is expected",
		Why: "It is an insecure registry, or something on the way answers in its stead, as the sign-in page of a guest network does.",
		Fix: "pulley config set registry." + x.reg.Name + ".insecure true",
	})
}

// skew is how far clocks may be apart: certificates and signed addresses are good for longer than that.
const skew = 2 * time.Minute

// outdated: the certificate is not of this time. Whose clock is wrong is told by the server's Date.
func (x *exam) outdated(ctx context.Context, n *notes, host string, leaf *x509.Certificate, dial func(context.Context) (net.Conn, error)) {
	now := x.o.Now()
	date, known := dateOf(ctx, host, dial)
	if off := now.Sub(date); known && off.Abs() > skew && !date.Before(leaf.NotBefore) && !date.After(leaf.NotAfter) {
		n.blame(x.clock(host, off))
		return
	}
	f := Finding{ID: "tls.expired", Level: Problem, Fix: x.someMirror()}
	if now.Before(leaf.NotBefore) {
		f.What = fmt.Sprintf("the certificate of %s is not valid before %s", host, leaf.NotBefore.UTC().Format(time.DateOnly))
		f.Why = "By this machine's clock it is " + now.UTC().Format(time.DateTime) + " UTC. If that is right, the registry's certificate is wrong."
	} else {
		f.What = fmt.Sprintf("the certificate of %s ended on %s", host, leaf.NotAfter.UTC().Format(time.DateOnly))
		f.Why = "By this machine's clock it is " + now.UTC().Format(time.DateTime) + " UTC. If that is right, only the registry's operator can mend it (issuer: " + issuerOf(leaf) + ")."
	}
	n.blame(f)
}

// clock says that this machine's is wrong.
func (x *exam) clock(host string, off time.Duration) Finding {
	what := "ahead"
	if off < 0 {
		what, off = "behind", -off
	}
	return Finding{
		ID: "clock", Level: Problem, What: fmt.Sprintf("this machine's clock is %s %s, by the date that %s gives", roughly(off), what, host),
		Why: "Certificates, tokens and signed addresses seem to have ended, or not to have begun.", Fix: setClock,
	}
}

// roughly is a span of time as people say it, to the nearest: a date is told in whole seconds, and 40 days must not be 39 for one of them.
func roughly(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24+0.5))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()+0.5))
	}
	return fmt.Sprintf("%d minutes", int(d.Minutes()+0.5))
}

// dateOf asks a server for the date, whatever its certificate is worth: nothing is told it but its own name.
func dateOf(ctx context.Context, host string, dial func(context.Context) (net.Conn, error)) (time.Time, bool) {
	c, err := dial(ctx)
	if err != nil {
		return time.Time{}, false
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	t := tls.Client(c, &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // see above
	if err := t.HandshakeContext(ctx); err != nil {
		return time.Time{}, false
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+host+"/v2/", nil)
	if err != nil || request.Write(t) != nil {
		return time.Time{}, false
	}
	response, err := http.ReadResponse(bufio.NewReader(t), request)
	if err != nil {
		return time.Time{}, false
	}
	_ = response.Body.Close()
	date, err := http.ParseTime(response.Header.Get("Date"))
	return date, err == nil
}
