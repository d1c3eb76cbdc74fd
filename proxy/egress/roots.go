package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// roots holds the certificates that upstream TLS trusts. They are read at first
// use, once per state of the settings.
type roots struct {
	once  sync.Once
	pool  *x509.CertPool
	cache tls.ClientSessionCache
	err   error
}

// sessions is how many upstream hosts a resumable TLS session is kept for: a
// registry, its token service and its storage, times a few registries.
const sessions = 64

// load collects the system's roots, what SSL_CERT_FILE and SSL_CERT_DIR name
// (also where Go's own verifier does not look at them: macOS and Windows), and
// the settings' extra_roots.
func (r *roots) load(e *Egress, extra []string) error {
	r.once.Do(func() {
		r.cache = tls.NewLRUClientSessionCache(sessions)
		if r.pool, r.err = x509.SystemCertPool(); r.err != nil {
			e.once("system roots", "the system's root certificates cannot be read", "err", r.err)
			r.pool, r.err = x509.NewCertPool(), nil
		}
		if f := e.env["SSL_CERT_FILE"]; f != "" {
			if err := addFile(r.pool, f); err != nil {
				e.once("SSL_CERT_FILE", "SSL_CERT_FILE is not used", "err", err)
			}
		}
		for _, dir := range filepath.SplitList(e.env["SSL_CERT_DIR"]) {
			entries, err := os.ReadDir(dir)
			if err != nil {
				e.once("SSL_CERT_DIR "+dir, "SSL_CERT_DIR is not used", "err", err)
			}
			for _, f := range entries {
				_ = addFile(r.pool, filepath.Join(dir, f.Name())) // such folders hold other things too
			}
		}
		var errs []error
		for _, f := range extra {
			if err := addFile(r.pool, f); err != nil {
				errs = append(errs, fmt.Errorf("fetch.extra_roots: %w", err))
			}
		}
		// A file that is gone takes nothing from what the others prove.
		if err := errors.Join(errs...); err != nil {
			e.once("extra_roots "+err.Error(), "some extra roots are not used", "err", &oneLineError{err})
		}
	})
	return r.err
}

func addFile(pool *x509.CertPool, file string) error {
	pem, err := os.ReadFile(file) //nolint:gosec // named by the person or the environment
	if err != nil {
		return err
	}
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s: holds no PEM certificate", file)
	}
	return nil
}

// tlsConfig verifies host against the roots. HTTP/1.1 alone is offered: one
// connection per body is what fetching in ranges wants, and it is the faster
// one in Go's client by far.
func (e *Egress) tlsConfig(p *plan, host string) (*tls.Config, error) {
	if err := p.roots.load(e, p.cfg.Fetch.ExtraRoots); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         host,
		RootCAs:            p.roots.pool,
		NextProtos:         []string{"http/1.1"},
		ClientSessionCache: p.roots.cache,
	}, nil
}
