package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"time"
)

const (
	// leafLife stays under the 398 days that clients accept at most.
	leafLife = 90 * 24 * time.Hour
	// leafRenew is how long before its end a leaf is minted anew: longer than
	// any connection or session ticket lives.
	leafRenew = 30 * 24 * time.Hour
	// maxLeaves bounds what clients can make a "*." pattern cost.
	maxLeaves = 1024
)

// leaf is a minted certificate and when it may be served.
type leaf struct {
	cert        *tls.Certificate
	from, renew time.Time
}

// leafKey is the name a host's leaf is kept under: those of the TLS door share
// one, since a client may name this machine in any of these ways.
func leafKey(name string) string {
	if IsDoorHost(name) {
		return doorHosts[0]
	}
	return name
}

// mayMint reports whether name is covered. s.mu is held.
func (s *Store) mayMint(name string) bool {
	return IsDoorHost(name) || slices.ContainsFunc(s.covered, func(p string) bool { return matches(p, name) })
}

// mint returns the leaf of name, making it if the kept one does not serve any
// more. s.mu is held for writing.
func (s *Store) mint(name string, now time.Time) (*tls.Certificate, error) {
	key := leafKey(name)
	if l := s.leaves[key]; l != nil && now.Before(l.renew) && now.After(l.from) {
		return l.cert, nil // another caller was first
	}
	if name == "" || name[0] == '*' || !s.mayMint(name) {
		return nil, fmt.Errorf("local CA: %q is not a configured registry host", name)
	}
	if err := s.prune(now); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.authorities, func(a *authority) bool { return a.permits(name) && now.Before(a.cert.NotAfter) })
	if i < 0 {
		return nil, fmt.Errorf("local CA: none in force permits %s; run: pulley ca rotate", name)
	}
	names := []string{name}
	if key != name || IsDoorHost(name) {
		names = slices.DeleteFunc(DoorHosts(), func(n string) bool { return !s.authorities[i].permits(n) })
	}
	l, err := s.authorities[i].mintLeaf(names, now)
	if err != nil {
		return nil, fmt.Errorf("local CA: %s: %w", name, err)
	}
	if len(s.leaves) >= maxLeaves {
		clear(s.leaves)
	}
	s.leaves[key] = l
	return l.cert, nil
}

// mintLeaf certifies a new key for names.
func (a *authority) mintLeaf(names []string, now time.Time) (*leaf, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial,
		// No common name: verifiers that fall back to it when a SAN holds only
		// addresses would hold it against the name constraints.
		Subject:     pkix.Name{Organization: []string{"Pulley"}},
		NotBefore:   now.Add(-backdate).UTC(),
		NotAfter:    earlier(now.Add(leafLife).UTC(), a.cert.NotAfter),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// Clients that find a CA with basic constraints expect them here as well.
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip, ok := parseIP(name); ok {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip.AsSlice())
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, name)
		}
	}
	cert, err := issue(tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	chain := [][]byte{cert.Raw}
	for _, b := range a.bridges {
		chain = append(chain, b.Raw)
	}
	l := &leaf{
		cert:  &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: cert},
		from:  cert.NotBefore,
		renew: cert.NotAfter.Add(-leafRenew),
	}
	if !l.renew.After(now) { // the authority itself is about to end
		l.renew = cert.NotAfter
	}
	if end := a.bridgesEnd(); !end.IsZero() {
		l.renew = earlier(l.renew, end)
	}
	return l, nil
}
