package ca

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string, c *clock, hosts ...string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Cover(hosts); err != nil {
		t.Fatal(err)
	}
	return s
}

func leafOf(t *testing.T, s *Store, host string) *tls.Certificate {
	t.Helper()
	c, err := s.Leaf(host)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// verifyGo asks Go's verifier whether a client that trusts roots would take the
// chain for host at the given time.
func verifyGo(roots []byte, chain [][]byte, host string, at time.Time) error {
	pool, inter := x509.NewCertPool(), x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return err
	}
	for _, der := range chain[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		inter.AddCert(c)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: inter, DNSName: host, CurrentTime: at})
	return err
}

// verifyOpenSSL asks OpenSSL the same. The binary is a requirement of these
// tests: name constraints are worth what other people's verifiers make of them.
func verifyOpenSSL(t *testing.T, roots []byte, chain [][]byte, host string, at time.Time) error {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, ders ...[]byte) string {
		var out bytes.Buffer
		for _, der := range ders {
			out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		}
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	rootFile := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(rootFile, roots, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"verify", "-no-CApath", "-no-CAstore", "-x509_strict", "-purpose", "sslserver", "-CAfile", rootFile,
		"-attime", strconv.FormatInt(at.Unix(), 10)}
	if len(chain) > 1 {
		args = append(args, "-untrusted", file("bridges.pem", chain[1:]...))
	}
	if net.ParseIP(host) != nil {
		args = append(args, "-verify_ip", host)
	} else {
		args = append(args, "-verify_hostname", host)
	}
	out, err := exec.CommandContext(t.Context(), "openssl", append(args, file("leaf.pem", chain[0]))...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("this test needs openssl: apt-get install openssl")
	}
	if err != nil {
		return errors.New(string(out))
	}
	return nil
}

func verifyBoth(t *testing.T, roots []byte, chain [][]byte, host string, at time.Time) error {
	t.Helper()
	g, o := verifyGo(roots, chain, host, at), verifyOpenSSL(t, roots, chain, host, at)
	if (g == nil) != (o == nil) {
		t.Fatalf("%s: Go says %v, OpenSSL says %v", host, g, o)
	}
	return g
}

func TestLeavesAreAcceptedForTheirHosts(t *testing.T) {
	c := &clock{start}
	s := open(t, t.TempDir(), c, "registry-1.docker.io", "docker.io", "*.example.org", "reg.test:5000", "10.1.2.3:5000", "[2001:db8::7]:5000", "Case.Example.NET.")
	for _, host := range []string{
		"registry-1.docker.io", "docker.io", "a.example.org", "reg.test", "10.1.2.3", "2001:db8::7", "case.example.net",
		"localhost", "127.0.0.1", "::1", "host.docker.internal", "host.containers.internal", "host.lima.internal",
	} {
		leaf := leafOf(t, s, host)
		if err := verifyBoth(t, s.PEM(), leaf.Certificate, host, c.t); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		if life := leaf.Leaf.NotAfter.Sub(leaf.Leaf.NotBefore); life >= 398*24*time.Hour {
			t.Errorf("%s: lives %v", host, life)
		}
		if !leaf.Leaf.NotBefore.Before(c.t.Add(-24 * time.Hour)) {
			t.Errorf("%s: NotBefore %v is not backdated", host, leaf.Leaf.NotBefore)
		}
		if len(leaf.Leaf.DNSNames)+len(leaf.Leaf.IPAddresses) == 0 {
			t.Errorf("%s: no SAN", host)
		}
	}
}

func TestOnlyConfiguredHostsGetLeaves(t *testing.T) {
	s := open(t, t.TempDir(), &clock{start}, "docker.io", "*.example.org", "10.1.2.3")
	for _, host := range []string{
		"", "bank.example", "sub.docker.io", "xdocker.io", "example.org", "*.example.org", ".example.org", "a..example.org",
		"evil/a.example.org", "10.1.2.4", "127.0.0.2", "sub.localhost", "io",
	} {
		if _, err := s.Leaf(host); err == nil {
			t.Errorf("%q got a leaf", host)
		}
	}
}

// A thief with the key can mint anything; clients must refuse all but the
// registries.
func TestAStolenKeyImpersonatesNobodyElse(t *testing.T) {
	c := &clock{start}
	s := open(t, t.TempDir(), c, "docker.io", "10.1.2.3")
	for _, a := range s.authorities {
		for _, host := range []string{"bank.example", "io", "notdocker.io", "203.0.113.5", "10.1.2.4", "2001:db8::1", "127.0.0.2", "a.test"} {
			forged, err := a.mintLeaf([]string{host}, c.t)
			if err != nil {
				t.Fatal(err)
			}
			if err := verifyBoth(t, s.PEM(), forged.cert.Certificate, host, c.t); err == nil {
				t.Errorf("%s under %s (%v) was accepted", host, a.cert.Subject.CommonName, a.cert.PermittedDNSDomains)
			}
		}
	}
}

func TestConstraintsAreCriticalAndExcludeAddresses(t *testing.T) {
	s := open(t, t.TempDir(), &clock{start}, "docker.io")
	oid := []int{2, 5, 29, 30}
	subjects, keys := map[string]bool{}, map[string]bool{}
	for _, a := range s.authorities {
		i := slices.IndexFunc(a.cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oid) })
		if i < 0 || !a.cert.Extensions[i].Critical {
			t.Errorf("%s: name constraints are not critical", a.cert.Subject)
		}
		subjects[a.cert.Subject.String()], keys[string(a.cert.SubjectKeyId)] = true, true
	}
	if len(s.authorities) != 2 || len(subjects) != 2 || len(keys) != 2 {
		t.Errorf("%d authorities with %d subjects and %d key ids", len(s.authorities), len(subjects), len(keys))
	}
	got := s.authorities[slices.IndexFunc(s.authorities, func(a *authority) bool { return a.permits("docker.io") })].cert
	if len(got.ExcludedIPRanges) != 2 || !slices.Equal(got.PermittedDNSDomains, []string{"docker.io"}) {
		t.Errorf("permitted %v, excluded %v", got.PermittedDNSDomains, got.ExcludedIPRanges)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	s := open(t, dir, &clock{start}, "docker.io")
	leafOf(t, s, "docker.io")
	if st, _ := os.Stat(dir); st.Mode().Perm() != 0o700 {
		t.Errorf("directory is %v", st.Mode())
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		want := os.FileMode(0o600)
		if e.Name() == BundleName {
			want = 0o644
		}
		if st, _ := e.Info(); st.Mode().Perm() != want {
			t.Errorf("%s is %v", e.Name(), st.Mode())
		}
	}
	// A key that was opened up is closed again.
	if err := os.Chmod(s.List()[0].File, 0o644); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, &clock{start}, "docker.io")
	if st, _ := os.Stat(s.List()[0].File); st.Mode().Perm() != 0o600 {
		t.Errorf("key is %v after Open", st.Mode())
	}
}

func TestReopenKeepsTheAuthorities(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	before := open(t, dir, c, "docker.io", "quay.io").PEM()
	if err := os.WriteFile(filepath.Join(dir, BundleName), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, c, "docker.io", "quay.io")
	if !bytes.Equal(before, s.PEM()) {
		t.Error("the bundle changed over a restart")
	}
	if data, _ := os.ReadFile(s.File()); !bytes.Equal(data, before) {
		t.Error("a damaged bundle was not written again")
	}
}

func TestANewHostGetsAFurtherAuthority(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	s := open(t, dir, c, "docker.io")
	before := s.PEM()
	c.advance(time.Minute)
	if err := s.Cover([]string{"docker.io", "new.example", "registry.docker.io"}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.List()); n != 3 {
		t.Fatalf("%d authorities, want 3", n)
	}
	if !bytes.HasPrefix(s.PEM(), before) {
		t.Error("the first authorities are not the same any more")
	}
	if err := verifyBoth(t, before, leafOf(t, s, "registry.docker.io").Certificate, "registry.docker.io", c.t); err != nil {
		t.Errorf("a host below a permitted one needs new trust: %v", err)
	}
	if err := verifyBoth(t, s.PEM(), leafOf(t, s, "new.example").Certificate, "new.example", c.t); err != nil {
		t.Error(err)
	}
	// A host that is configured no more gets nothing, kept leaf or not.
	if err := s.Cover([]string{"docker.io"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Leaf("new.example"); err == nil {
		t.Error("a host that is gone still has a leaf")
	}
}

func TestLeafIsMintedOnceAndAgainBeforeItEnds(t *testing.T) {
	c := &clock{start}
	s := open(t, t.TempDir(), c, "docker.io")
	var wg sync.WaitGroup
	got := make([]*tls.Certificate, 16)
	for i := range got {
		wg.Go(func() { got[i], _ = s.Leaf("docker.io:443") })
	}
	wg.Wait()
	first := got[0]
	for _, l := range got {
		if l != first || l == nil {
			t.Fatal("concurrent callers got different leaves")
		}
	}
	c.advance(59 * 24 * time.Hour)
	if leafOf(t, s, "docker.io") != first {
		t.Error("minted anew too early")
	}
	c.advance(2 * 24 * time.Hour)
	second := leafOf(t, s, "docker.io")
	if second == first || second.Leaf.NotAfter.Sub(c.t) < 80*24*time.Hour {
		t.Error("not minted anew before its end")
	}
	c.advance(-61 * 24 * time.Hour) // the clock was set right
	if l := leafOf(t, s, "docker.io"); l.Leaf.NotBefore.After(c.t) {
		t.Error("a leaf from the future is served")
	}
}

func TestRotateOverlaps(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	s := open(t, dir, c, "docker.io", "10.1.2.3")
	hosts := []string{"docker.io", "10.1.2.3", "localhost"}
	oldRoots, oldLeaf := s.PEM(), leafOf(t, s, "docker.io")
	oldFiles := s.List()
	c.advance(time.Hour)
	if err := s.Rotate(); err != nil {
		t.Fatal(err)
	}
	for _, i := range oldFiles {
		if _, err := os.Stat(i.File); !os.IsNotExist(err) {
			t.Errorf("%s: the old key is still there", i.File)
		}
	}
	if leafOf(t, s, "docker.io") == oldLeaf {
		t.Error("a leaf of the old key is still served")
	}
	newOnly := inForce(s)
	check := func(what string, s *Store) {
		t.Helper()
		for _, host := range hosts {
			chain := leafOf(t, s, host).Certificate
			for name, roots := range map[string][]byte{"old": oldRoots, "new": newOnly, "both": s.PEM()} {
				if err := verifyBoth(t, roots, chain, host, c.t); err != nil {
					t.Errorf("%s: %s with %s roots: %v", what, host, name, err)
				}
			}
		}
	}
	check("after rotation", s)
	if !bytes.Contains(s.PEM(), oldRoots[:200]) {
		t.Error("the old authorities left ca.crt at once")
	}
	s = open(t, dir, c, "docker.io", "10.1.2.3")
	check("after a restart", s)

	// A second rotation within the overlap still serves the first clients.
	c.advance(24 * time.Hour)
	if err := s.Rotate(); err != nil {
		t.Fatal(err)
	}
	newOnly = inForce(s)
	check("after a second rotation", s)

	c.advance(overlap + time.Minute)
	chain := leafOf(t, s, "docker.io").Certificate
	if len(chain) != 1 {
		t.Errorf("%d certificates are sent after the overlap", len(chain))
	}
	if err := verifyBoth(t, oldRoots, chain, "docker.io", c.t); err == nil {
		t.Error("the old authority still counts after the overlap")
	}
	if !bytes.Equal(s.PEM(), inForce(s)) {
		t.Error("retired authorities are still in ca.crt")
	}
	if data, _ := os.ReadFile(s.File()); !bytes.Equal(data, s.PEM()) {
		t.Error("ca.crt on disk is behind")
	}
}

// inForce returns the PEM of the authorities that are not retired.
func inForce(s *Store) []byte {
	var out bytes.Buffer
	for _, a := range s.authorities {
		out.Write(encodeCertificate(a.cert))
	}
	return out.Bytes()
}

func TestRotationThatWasCutShortIsFinished(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	s := open(t, dir, c, "docker.io")
	file := s.List()[0].File
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(); err != nil {
		t.Fatal(err)
	}
	want := s.PEM()
	if err := os.WriteFile(file, data, 0o600); err != nil { // as if the remove had not happened
		t.Fatal(err)
	}
	s = open(t, dir, c, "docker.io")
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Error("the rotated key is still there")
	}
	if got := len(s.PEM()); got != len(want) {
		t.Errorf("bundle has %d bytes, want %d", got, len(want))
	}
}

func TestBrokenAuthorityIsNamedAndCanBeSetAside(t *testing.T) {
	other := open(t, t.TempDir(), &clock{start}, "quay.io")
	otherFile, err := os.ReadFile(other.List()[0].File)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		damage func([]byte) []byte
		at     time.Time
		want   string
	}{
		"garbage":   {func([]byte) []byte { return []byte("\x00\x01garbage") }, start, "not PEM"},
		"empty":     {func([]byte) []byte { return nil }, start, "no private key"},
		"truncated": {func(b []byte) []byte { return b[:len(b)/2] }, start, "not PEM"},
		"key only":  {func(b []byte) []byte { return b[:bytes.Index(b, []byte("-----BEGIN CERT"))] }, start, "no certificate"},
		"mismatch": {func(b []byte) []byte {
			cut := []byte("-----BEGIN CERT")
			return append(bytes.Clone(b[:bytes.Index(b, cut)]), otherFile[bytes.Index(otherFile, cut):]...)
		}, start, "do not belong together"},
		"bit flip": {func(b []byte) []byte {
			b = bytes.Clone(b)
			b[60] ^= 1
			return b
		}, start, "private key"},
		"expired": {func(b []byte) []byte { return b }, start.Add(authorityLife + time.Hour), "expired on 2036-"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, c := t.TempDir(), &clock{start}
			file := open(t, dir, c, "docker.io").List()[0].File
			data, _ := os.ReadFile(file)
			if err := os.WriteFile(file, tc.damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			c.t = tc.at
			_, err := Open(Options{Dir: dir, Now: c.now})
			var broken *BrokenError
			if !errors.As(err, &broken) {
				t.Fatalf("Open: %v", err)
			}
			msg := err.Error()
			if name == "expired" {
				file = broken.File // either of the two
			}
			if !strings.Contains(msg, file) || !strings.Contains(msg, tc.want) || !strings.Contains(msg, "pulley ca rotate") || strings.Contains(msg, "\n") {
				t.Errorf("message: %s", msg)
			}
			aside, err := Repair(Options{Dir: dir, Now: c.now})
			if err != nil || !slices.Contains(aside, file+".broken") {
				t.Fatalf("Repair: %v, %v", aside, err)
			}
			s := open(t, dir, c, "docker.io")
			if err := verifyGo(s.PEM(), leafOf(t, s, "docker.io").Certificate, "docker.io", c.t); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBadConfiguredHostIsNamed(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Cover([]string{"docker.io", "a b"}); err == nil || !strings.Contains(err.Error(), `"a b"`) {
		t.Errorf("Cover: %v", err)
	}
}

func TestAWildcardCannotFillTheMemory(t *testing.T) {
	s := open(t, t.TempDir(), &clock{start}, "*.example.org")
	for i := range maxLeaves + 10 {
		leafOf(t, s, "h"+strconv.Itoa(i)+".example.org")
	}
	if n := len(s.leaves); n > maxLeaves {
		t.Errorf("%d leaves are kept", n)
	}
}

func FuzzNormalHost(f *testing.F) {
	for _, s := range []string{"docker.io", "docker.io:443", "[::1]:5000", "*.x.y", "", ":", "[", "a..b", "fe80::1%eth0", "::ffff:1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := normalHost(s)
		if h != "" && normalHost(h) != h {
			t.Errorf("%q gives %q, which gives %q", s, h, normalHost(h))
		}
	})
}
