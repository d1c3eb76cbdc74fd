package ca

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// BundleName is the file, inside Options.Dir, that clients are given to trust.
const BundleName = "ca.crt"

// Options of a Store.
type Options struct {
	Dir string           // created with mode 0700
	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: discarded
}

// BrokenError says that an authority on disk cannot be used. Repair sets it
// aside.
type BrokenError struct {
	File string
	Err  error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("local CA: %s: %v; to replace it run: pulley ca rotate", e.File, e.Err)
}

func (e *BrokenError) Unwrap() error { return e.Err }

// Store holds the local authorities of one directory and the leaves minted
// under them. All methods may be called concurrently; two Stores, or two
// processes, must not share a directory.
type Store struct {
	dir string
	now func() time.Time
	log *slog.Logger

	mu          sync.RWMutex
	authorities []*authority // in order of creation
	bundle      []byte
	covered     []string         // normalised hosts and "*." patterns leaves may be minted for
	leaves      map[string]*leaf // by normalised host
}

// Info describes one authority to a person.
type Info struct {
	Name        string // subject
	File        string // where its key is; "" for a retired one
	Hosts       []string
	Addresses   []string
	NotBefore   time.Time
	NotAfter    time.Time
	Fingerprint string    // SHA-256 of the certificate, hex
	Retired     bool      // rotated away, trusted until Until
	Until       time.Time // when a retired one leaves ca.crt
}

// Open reads the authorities in o.Dir. It creates none: that is Cover's. The
// error is a *BrokenError if one of them is damaged, foreign or expired.
func Open(o Options) (*Store, error) {
	s := newStore(o)
	if err := makePrivateDir(s.dir); err != nil {
		return nil, fmt.Errorf("local CA: %w", err)
	}
	files, err := authorityFiles(s.dir)
	if err != nil {
		return nil, fmt.Errorf("local CA: %w", err)
	}
	for _, file := range files {
		a, err := s.load(file)
		if err != nil {
			return nil, &BrokenError{File: file, Err: err}
		}
		s.authorities = append(s.authorities, a)
	}
	s.finishRotation()
	s.sort()
	return s, s.writeBundle()
}

// sort puts the authorities in the order they have after a restart too.
func (s *Store) sort() {
	slices.SortFunc(s.authorities, func(a, b *authority) int {
		return cmp.Or(a.cert.NotBefore.Compare(b.cert.NotBefore), cmp.Compare(a.file, b.file))
	})
}

// Repair sets every authority that Open would refuse aside, as <file>.broken,
// and returns the new names. Open and Cover then create what is missing.
func Repair(o Options) ([]string, error) {
	s := newStore(o)
	files, err := authorityFiles(s.dir)
	if err != nil {
		return nil, fmt.Errorf("local CA: %w", err)
	}
	var aside []string
	for _, file := range files {
		if _, err := s.load(file); err == nil {
			continue
		}
		if err := os.Rename(file, file+".broken"); err != nil {
			return aside, fmt.Errorf("local CA: %w", err)
		}
		aside = append(aside, file+".broken")
	}
	return aside, nil
}

func newStore(o Options) *Store {
	s := &Store{dir: o.Dir, now: o.Now, log: o.Log, leaves: make(map[string]*leaf)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Cover makes hosts the ones that leaves may be minted for, replacing those of
// an earlier call, and sees to it that each is permitted by some authority. A
// host is what a registry is configured with: "name", "name:port", "*.name" or
// an address. The names of the TLS door are always covered.
func (s *Store) Cover(hosts []string) error {
	covered := make([]string, 0, len(hosts))
	for _, h := range hosts {
		name := normalHost(h)
		if name == "" {
			return fmt.Errorf("local CA: %q is not a host name or address; correct hosts in the config file", h)
		}
		covered = append(covered, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, names := range s.missing(covered) {
		if err := s.add(names); err != nil {
			return fmt.Errorf("local CA: %w", err)
		}
	}
	s.sort()
	s.covered = covered
	for host := range s.leaves {
		if !s.mayMint(host) {
			delete(s.leaves, host)
		}
	}
	return s.writeBundle()
}

// missing returns what the authorities to be created must permit: one for all
// new DNS names, one per address, one for the door.
func (s *Store) missing(covered []string) []nameSet {
	permitted := func(name string) bool {
		return slices.ContainsFunc(s.authorities, func(a *authority) bool { return a.permits(name) })
	}
	var registries, door nameSet
	var sets []nameSet
	for _, name := range covered {
		name = permittedForm(name)
		ip, isIP := parseIP(name)
		switch {
		case IsDoorHost(name) || permitted(name):
		case isIP:
			sets = append(sets, nameSet{ips: []netip.Addr{ip}})
		case !slices.Contains(registries.dns, name):
			registries.dns = append(registries.dns, name)
		}
	}
	for _, name := range doorHosts {
		ip, isIP := parseIP(name)
		switch {
		case permitted(name):
		case isIP:
			door.ips = append(door.ips, ip)
		default:
			door.dns = append(door.dns, name)
		}
	}
	sets = append([]nameSet{registries}, append(sets, door)...)
	return slices.DeleteFunc(sets, nameSet.empty)
}

// permittedForm is the name constraint that covers a host or pattern.
func permittedForm(name string) string {
	if len(name) > 2 && name[:2] == "*." {
		return name[2:]
	}
	return name
}

// add creates an authority for names. s.mu is held.
func (s *Store) add(names nameSet) error {
	a, err := newAuthority(names, s.now())
	if err != nil {
		return err
	}
	if err := s.save(a); err != nil {
		return err
	}
	s.authorities = append(s.authorities, a)
	s.log.Info("created a local CA", "subject", a.cert.Subject.CommonName, "names", len(names.dns), "addresses", len(names.ips))
	return nil
}

// Rotate replaces every authority by a successor with a new key; the package
// comment says how the two overlap. Names that are not covered any more are not
// taken along. After an error, the authorities not reached yet are unchanged and
// Rotate may be called again.
func (s *Store) Rotate() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for i, old := range s.authorities {
		next, err := old.successor(s.stillWanted(old), now)
		if err != nil {
			return fmt.Errorf("local CA: rotate: %w", err)
		}
		if err := s.save(next); err != nil {
			return fmt.Errorf("local CA: rotate: %w", err)
		}
		s.authorities[i] = next
		clear(s.leaves)
		if err := os.Remove(old.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("local CA: rotate: the old key stays: %w", err)
		}
		s.log.Info("rotated a local CA", "old", old.cert.Subject.CommonName, "new", next.cert.Subject.CommonName)
	}
	s.sort()
	return s.writeBundle()
}

// stillWanted returns the names of a that are covered now; all of them when that
// would leave none, or when Cover was not called. s.mu is held.
func (s *Store) stillWanted(a *authority) nameSet {
	var all, wanted nameSet
	all.dns = a.cert.PermittedDNSDomains
	for _, n := range a.cert.PermittedIPRanges {
		if ip, ok := netip.AddrFromSlice(n.IP); ok {
			all.ips = append(all.ips, ip.Unmap())
		}
	}
	in := func(name string) bool {
		return IsDoorHost(name) || slices.ContainsFunc(s.covered, func(c string) bool { return permittedForm(c) == name })
	}
	for _, name := range all.dns {
		if in(name) {
			wanted.dns = append(wanted.dns, name)
		}
	}
	for _, ip := range all.ips {
		if in(ip.String()) {
			wanted.ips = append(wanted.ips, ip)
		}
	}
	// A bare permitted "invalid" stands for no DNS name at all.
	if len(all.ips) > 0 && slices.Equal(all.dns, []string{"invalid"}) {
		all.dns = nil
	}
	if wanted.empty() {
		return all
	}
	return wanted
}

// File is the path of the bundle that clients trust.
func (s *Store) File() string { return filepath.Join(s.dir, BundleName) }

// PEM returns the bundle that clients trust.
func (s *Store) PEM() []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return bytes.Clone(s.bundle)
}

// List describes the authorities in force, and the retired ones after them.
func (s *Store) List() []Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var infos, retired []Info
	for _, a := range s.authorities {
		i := describe(a.cert)
		i.File = a.file
		infos = append(infos, i)
		for n, old := range a.retired {
			r := describe(old)
			r.Retired, r.Until = true, a.bridges[n].NotAfter
			retired = append(retired, r)
		}
	}
	return append(infos, retired...)
}

func describe(c *x509.Certificate) Info {
	sum := sha256.Sum256(c.Raw)
	i := Info{
		Name: c.Subject.CommonName, Hosts: slices.Clone(c.PermittedDNSDomains),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Fingerprint: hex.EncodeToString(sum[:]),
	}
	for _, n := range c.PermittedIPRanges {
		i.Addresses = append(i.Addresses, n.IP.String())
	}
	if slices.Equal(i.Hosts, []string{"invalid"}) {
		i.Hosts = nil
	}
	return i
}

// Leaf returns the certificate to present as host, which is a name or address,
// with or without a port. It fails for a host that Cover was not given. It is
// minted on the first call and kept until it comes near its end.
func (s *Store) Leaf(host string) (*tls.Certificate, error) {
	name := normalHost(host)
	s.mu.RLock()
	l := s.leaves[leafKey(name)]
	s.mu.RUnlock()
	now := s.now()
	if l != nil && now.Before(l.renew) && now.After(l.from) {
		return l.cert, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mint(name, now)
}
