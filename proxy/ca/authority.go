package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// overlap is how long a rotated authority's bridge holds. A month leaves room
	// for every engine's restart, the occasion on which most read trust anew.
	overlap = 30 * 24 * time.Hour
	// backdate makes certificates acceptable to a client whose clock is behind:
	// virtual machines wake up with yesterday's time.
	backdate = 48 * time.Hour
)

// authority is one local CA. It is immutable.
type authority struct {
	file string // path of the file it lives in
	key  crypto.Signer
	cert *x509.Certificate
	// bridges are this authority's key and name certified by its predecessors,
	// the newest first; retired are those predecessors' own certificates.
	bridges []*x509.Certificate
	retired []*x509.Certificate
}

// newAuthority creates a CA that permits exactly names.
func newAuthority(names nameSet, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	tmpl := authorityTemplate(names, now)
	tmpl.Subject = pkix.Name{Organization: []string{"Pulley"}, CommonName: "Pulley local CA " + hex.EncodeToString(id)}
	if tmpl.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	cert, err := issue(tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &authority{key: key, cert: cert}, nil
}

// authorityTemplate is a CA certificate for names, without subject and serial.
func authorityTemplate(names nameSet, now time.Time) *x509.Certificate {
	t := &x509.Certificate{
		NotBefore:             now.Add(-backdate).UTC(),
		NotAfter:              now.Add(authorityLife).UTC(),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		// Servers only: no client certificates, no signed code or mail.
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         names.dns,
	}
	if len(names.dns) == 0 {
		// With no permitted DNS name all would be permitted. This one can never
		// exist (RFC 6761, section 6.4), and every verifier understands it, which
		// cannot be said of an empty excluded name.
		t.PermittedDNSDomains = []string{"invalid"}
	}
	if len(names.ips) == 0 {
		t.ExcludedIPRanges = []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
			{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		}
	}
	for _, ip := range names.ips {
		t.PermittedIPRanges = append(t.PermittedIPRanges, &net.IPNet{
			IP: ip.AsSlice(), Mask: net.CIDRMask(ip.BitLen(), ip.BitLen()),
		})
	}
	return t
}

// successor returns a new authority for names and, as the last thing a's key
// signs, a bridge from a to it.
func (a *authority) successor(names nameSet, now time.Time) (*authority, error) {
	next, err := newAuthority(names, now)
	if err != nil {
		return nil, err
	}
	tmpl := authorityTemplate(names, now)
	tmpl.Subject = next.cert.Subject
	tmpl.SubjectKeyId = next.cert.SubjectKeyId
	tmpl.NotAfter = earlier(now.Add(overlap).UTC(), a.cert.NotAfter)
	if tmpl.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	bridge, err := issue(tmpl, a.cert, next.key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	next.bridges = append([]*x509.Certificate{bridge}, a.bridges...)
	next.retired = append([]*x509.Certificate{a.cert}, a.retired...)
	return next.pruned(now), nil
}

// pruned returns a without the bridges that have ended and the predecessors
// they led to; a itself when there is nothing to drop.
func (a *authority) pruned(now time.Time) *authority {
	n := len(a.bridges)
	for i, b := range a.bridges {
		if now.After(b.NotAfter) {
			n = i // the older ones hang from this one
			break
		}
	}
	if n == len(a.bridges) {
		return a
	}
	c := *a
	c.bridges, c.retired = a.bridges[:n:n], a.retired[:n:n]
	return &c
}

// bridgesEnd is when the first bridge ends; zero without one.
func (a *authority) bridgesEnd() time.Time {
	var t time.Time
	for _, b := range a.bridges {
		if t.IsZero() || b.NotAfter.Before(t) {
			t = b.NotAfter
		}
	}
	return t
}

// marshal returns the file of a.
func (a *authority) marshal() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	out.Write(encodeCertificate(a.cert))
	for i := range a.bridges {
		out.Write(encodeCertificate(a.bridges[i]))
		out.Write(encodeCertificate(a.retired[i]))
	}
	return out.Bytes(), nil
}

// parseAuthority is the inverse of marshal. It checks everything that a
// handshake depends on, so that a damaged file is named when the daemon starts
// and not by a client that refuses a certificate.
func parseAuthority(file string, data []byte, now time.Time) (*authority, error) {
	a := &authority{file: file}
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("private key: %w", err)
			}
			signer, ok := key.(crypto.Signer)
			if !ok {
				return nil, errors.New("private key: cannot sign")
			}
			a.key = signer
		case "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("certificate: %w", err)
			}
			certs = append(certs, cert)
		}
	}
	switch {
	case len(bytes.TrimSpace(data)) > 0:
		return nil, errors.New("holds something that is not PEM")
	case a.key == nil:
		return nil, errors.New("holds no private key")
	case len(certs) == 0:
		return nil, errors.New("holds no certificate")
	case len(certs)%2 == 0:
		return nil, errors.New("holds an incomplete bridge")
	}
	a.cert = certs[0]
	for rest := certs[1:]; len(rest) > 0; rest = rest[2:] {
		a.bridges, a.retired = append(a.bridges, rest[0]), append(a.retired, rest[1])
	}
	if err := a.check(now); err != nil {
		return nil, err
	}
	return a.pruned(now), nil
}

func (a *authority) check(now time.Time) error {
	pub, ok := a.cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !pub.Equal(a.key.Public()) {
		return errors.New("certificate and key do not belong together")
	}
	if !a.cert.IsCA || !a.cert.PermittedDNSDomainsCritical {
		return errors.New("is not a name-constrained authority")
	}
	if now.After(a.cert.NotAfter) {
		return fmt.Errorf("expired on %s", a.cert.NotAfter.Format(time.DateOnly))
	}
	for i, b := range a.bridges {
		if err := b.CheckSignatureFrom(a.retired[i]); err != nil {
			return fmt.Errorf("bridge: %w", err)
		}
	}
	return nil
}

// permits reports whether a may certify name.
func (a *authority) permits(name string) bool {
	if ip, ok := parseIP(name); ok {
		return slices.ContainsFunc(a.cert.PermittedIPRanges, func(n *net.IPNet) bool {
			return n.Contains(ip.AsSlice())
		})
	}
	return slices.ContainsFunc(a.cert.PermittedDNSDomains, func(d string) bool {
		return name == d || len(name) > len(d) && name[len(name)-len(d):] == d && name[len(name)-len(d)-1] == '.'
	})
}

func issue(tmpl, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// newSerial is 127 random bits: positive and unique (RFC 5280, section 4.1.2.2).
func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}

func encodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
