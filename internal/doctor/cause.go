package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"pulley/proxy/egress/ssh"
)

// cause is what is wrong with an address, or the way to it.
type cause string

// Causes, as far as an error shows them.
const (
	fine        cause = "ok"
	noName      cause = "no name"     // the resolver says that there is no such name
	noResolver  cause = "no resolver" // it says nothing
	refused     cause = "refused"     // nobody listens, or a firewall says so
	reset       cause = "reset"       // it was connected to, and broken off
	silent      cause = "timeout"     // no answer
	unreachable cause = "unreachable" // this machine has no way there
	foreign     cause = "foreign"     // somebody else's certificate
	unknownCA   cause = "unknown CA"  // the right name, by an authority nobody here believes
	dated       cause = "out of date" // a certificate that has ended, or has not begun
	plain       cause = "plain HTTP"  // no TLS is spoken there
	denied      cause = "denied"      // a proxy wants another password
	balks       cause = "refuses"     // a proxy does not go there
	unvouched   cause = "host key"    // an ssh server nobody has vouched for
	other       cause = "other"
)

// causeOf reads an error of a connection to host.
func causeOf(err error, host string) cause {
	if err == nil {
		return fine
	}
	var dns *net.DNSError
	var bad *tls.CertificateVerificationError
	var key *ssh.HostKeyError
	var record tls.RecordHeaderError
	var timeout net.Error
	text := err.Error()
	switch {
	case errors.As(err, &bad):
		return certificateCause(bad, host)
	case errors.As(err, &record), strings.Contains(text, "HTTP response to HTTPS client"):
		return plain
	case strings.Contains(text, `answered "407`), strings.Contains(text, "username/password authentication failed"),
		strings.Contains(text, "no acceptable authentication methods"):
		return denied
	case strings.Contains(text, `the proxy answered "`), strings.Contains(text, "socks connect") && !strings.Contains(text, "->"):
		return balks
	case errors.As(err, &key):
		return unvouched
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return noName
		}
		return noResolver
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(text, "refused"): // Windows has another number for it
		return refused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT), // no IPv6 here
		strings.Contains(text, "unreachable"), strings.Contains(text, "no route to host"):
		return unreachable
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return silent
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		strings.Contains(text, "reset"), strings.Contains(text, "forcibly closed"), strings.Contains(text, "EOF"):
		return reset
	}
	return other
}

// certificateCause: whose it is counts before who signed it and until when.
func certificateCause(bad *tls.CertificateVerificationError, host string) cause {
	if len(bad.UnverifiedCertificates) == 0 {
		return other
	}
	if bad.UnverifiedCertificates[0].VerifyHostname(host) != nil {
		return foreign
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(bad, &invalid) && invalid.Reason == x509.Expired:
		return dated
	case errors.As(bad, &unknown):
		return unknownCA
	}
	return other
}

// leafOf is the certificate that an error is about, nil if it is about none.
func leafOf(err error) *x509.Certificate {
	var bad *tls.CertificateVerificationError
	if errors.As(err, &bad) && len(bad.UnverifiedCertificates) > 0 {
		return bad.UnverifiedCertificates[0]
	}
	return nil
}

// oneLine is an error's text on one line, without what a stranger may have put into it.
func oneLine(err error) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ' '
		case r < ' ' || r == 0x7f:
			return '?'
		}
		return r
	}, err.Error())
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}

// nameOf names the owner or the issuer of a certificate, cut short and cleaned: a stranger wrote it.
func nameOf(parts ...string) string {
	for _, p := range parts {
		p = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, p)
		if p = strings.TrimSpace(p); p != "" {
			if len(p) > 80 {
				p = strings.ToValidUTF8(p[:80], "") + "…"
			}
			return p
		}
	}
	return "nobody"
}
