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
		_ = c.Conn.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	r.sort(&conn{Conn: tc, run: r, door: doorTLS, client: c.client, state: tc})
}

// newDoorTLS is the TLS configuration of our own port: the certificate from
// [access], or else a leaf for loopback and the names that VMs use.
func newDoorTLS(s *Server) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(info *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if a := s.opt.Settings().Access; a.Cert != "" {
				return s.doorCert.load(a.Cert, a.Key)
			}
			name := info.ServerName
			if name == "" {
				name = addrOf(info.Conn.LocalAddr()).String()
			}
			if isDoorName(name) {
				return s.opt.CA.Leaf(name)
			}
			return s.opt.CA.Leaf("localhost") // the client will say what it misses
		},
	}
}
