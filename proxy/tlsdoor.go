package proxy

import (
	"crypto/tls"
	"time"
)

// tlsDoor opens the same doors again, inside TLS.
func (r *run) tlsDoor(c *conn) {
	_ = c.SetDeadline(time.Now().Add(r.s.opt.Timeouts.Handshake))
	tc := tls.Server(c, r.s.doorTLS)
	if err := tc.Handshake(); err != nil { //nolint:noctx // the deadline ends it
		r.s.opt.Log.Debug("TLS handshake on our own port failed", "client", c.client, "err", err)
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	inner := &conn{Conn: tc, run: r, door: doorTLS, client: c.client, state: tc}
	r.crew.before.add(inner)
	r.crew.before.remove(c)
	r.sort(inner)
}

// newDoorTLS is the TLS configuration of our own port: the certificate from
// [access], or else a leaf for loopback and the names that VMs use.
func newDoorTLS(s *Server) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if a := s.opt.Settings().Access; a.Cert != "" {
				cert, err := s.doorCert.load(a.Cert, a.Key)
				if err != nil {
					s.opt.Log.Error("[access] cert cannot be used", "err", err)
				}
				return cert, err
			}
			// All of this machine's names share one leaf. A client that asks for
			// another gets it too, and says what it misses.
			return s.opt.CA.Leaf("localhost")
		},
	}
}
