package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A thief has the key of the authority for docker.io and makes whatever certificates
// serve to be somebody else.
type thief struct {
	t *testing.T
	s *Store
	a *authority
	c *clock
}

func newThief(t *testing.T) *thief {
	c := &clock{time.Now()}
	s := open(t, t.TempDir(), c, "docker.io")
	for _, a := range s.authorities {
		if a.permits("docker.io") {
			return &thief{t, s, a, c}
		}
	}
	t.Fatal("no authority for docker.io")
	return nil
}

// forge makes a leaf as change wants it, under chain[0] or the stolen authority.
func (f *thief) forge(change func(*x509.Certificate), under ...*forged) *forged {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: f.c.t.Add(-time.Hour), NotAfter: f.c.t.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		Subject: pkix.Name{Organization: []string{"thief " + rand.Text()}}, // not its issuer's: that would be self-signed
	}
	change(tmpl)
	by, with := f.a.cert, f.a.key
	var above [][]byte
	for _, u := range under {
		by, with, above = u.cert, u.key, u.chain
	}
	cert, err := issue(tmpl, by, key.Public(), with)
	if err != nil {
		f.t.Fatal(err)
	}
	return &forged{cert, key, append([][]byte{cert.Raw}, above...)}
}

type forged struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	chain [][]byte
}

func names(n ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = n }
}

// An authority below the stolen one, made to be free of its constraints, is not.
func (f *thief) below(change func(*x509.Certificate)) *forged {
	return f.forge(func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature, nil
		change(c)
	})
}

func TestAThiefGetsNoFurtherByForgery(t *testing.T) {
	f := newThief(t)
	free := f.below(func(*x509.Certificate) {})
	wider := f.below(func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"docker.io", "bank.example"}
	})
	for name, c := range map[string]struct {
		host string
		f    *forged
	}{
		"a name":                            {"bank.example", f.forge(names("bank.example"))},
		"a name beside a permitted one":     {"bank.example", f.forge(names("docker.io", "bank.example"))},
		"a name in capitals":                {"bank.example", f.forge(names("BANK.EXAMPLE"))},
		"a wildcard":                        {"www.bank.example", f.forge(names("*.bank.example"))},
		"a wildcard over the permitted":     {"other.io", f.forge(names("*.io"))},
		"a name that ends like the other":   {"notdocker.io", f.forge(names("notdocker.io"))},
		"a name that begins like the other": {"docker.io.bank.example", f.forge(names("docker.io.bank.example"))},
		"a common name alone":               {"bank.example", f.forge(func(c *x509.Certificate) { c.Subject.CommonName = "bank.example" })},
		"a common name beside a permitted":  {"bank.example", f.forge(func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = "bank.example", []string{"docker.io"} })},
		"a common name beside an address": {"bank.example", f.forge(func(c *x509.Certificate) {
			c.Subject.CommonName, c.IPAddresses = "bank.example", []net.IP{{10, 1, 2, 3}}
		})},
		"an address":                         {"203.0.113.5", f.forge(func(c *x509.Certificate) { c.IPAddresses = []net.IP{{203, 0, 113, 5}} })},
		"an address as a name":               {"203.0.113.5", f.forge(names("203.0.113.5"))},
		"an IPv6 address":                    {"2001:db8::1", f.forge(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:db8::1")} })},
		"an authority below":                 {"bank.example", f.forge(names("bank.example"), free)},
		"an authority below that permits it": {"bank.example", f.forge(names("bank.example"), wider)},
		"no basic constraints to sign with":  {"docker.io", f.forge(names("docker.io"), f.forge(names("docker.io")))},
	} {
		if err := verifyBoth(t, f.s.PEM(), c.f.chain, c.host, f.c.t); err == nil {
			t.Errorf("%s: %s was accepted", name, c.host)
		}
	}
	// What the thief has is the registries: the test would see it if nothing were ever accepted.
	if err := verifyBoth(t, f.s.PEM(), f.forge(names("docker.io"), free).chain, "docker.io", f.c.t); err != nil {
		t.Errorf("docker.io: %v", err)
	}
}

// The authority is for servers: no program, mail or client is vouched for, not even
// under a registry's name, and no longer than a decade.
func TestAuthoritiesAreForServersAlone(t *testing.T) {
	f := newThief(t)
	everything := f.forge(func(c *x509.Certificate) {
		c.DNSNames, c.EmailAddresses, c.URIs = []string{"docker.io"}, []string{"a@docker.io"}, []*url.URL{{Scheme: "spiffe", Host: "docker.io"}}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageEmailProtection}
		c.KeyUsage |= x509.KeyUsageKeyEncipherment | x509.KeyUsageContentCommitment
	})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.s.PEM())
	dir := t.TempDir()
	roots, leaf := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "leaf.pem")
	write(t, roots, f.s.PEM())
	write(t, leaf, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: everything.cert.Raw}))
	for purpose, usage := range map[string]x509.ExtKeyUsage{
		"sslserver": x509.ExtKeyUsageServerAuth, "sslclient": x509.ExtKeyUsageClientAuth, "codesign": x509.ExtKeyUsageCodeSigning, "smimesign": x509.ExtKeyUsageEmailProtection,
	} {
		_, err := everything.cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: f.c.t})
		if (err == nil) != (purpose == "sslserver") {
			t.Errorf("Go, %s: %v", purpose, err)
		}
		if purpose == "codesign" { // OpenSSL knows it since 3.2 only
			continue
		}
		out, err := exec.CommandContext(t.Context(), "openssl", "verify", "-no-CApath", "-no-CAstore", "-purpose", purpose, "-CAfile", roots, leaf).CombinedOutput()
		if (err == nil) != (purpose == "sslserver") {
			t.Errorf("OpenSSL, %s: %v %s", purpose, err, out)
		}
	}
	for _, a := range f.s.authorities {
		c := a.cert
		if !c.IsCA || !c.BasicConstraintsValid || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth || c.NotAfter.Sub(f.c.t) > 10*366*24*time.Hour {
			t.Errorf("%s: %v, until %s", c.Subject, c.ExtKeyUsage, c.NotAfter)
		}
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Real clients over a real connection: curl, OpenSSL's s_client and Go's take the
// registry's certificate from us and nobody else's.
func TestClientsRefuseAForgedServer(t *testing.T) {
	f := newThief(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	write(t, roots, f.s.PEM())
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.s.PEM())
	free := f.below(func(*x509.Certificate) {})
	for _, c := range []struct {
		host string
		f    *forged
		ok   bool
	}{
		{"docker.io", f.forge(names("docker.io")), true},
		{"docker.io", f.forge(names("docker.io"), free), true},
		{"bank.example", f.forge(names("bank.example")), false},
		{"bank.example", f.forge(names("bank.example"), free), false},
		{"bank.example", f.forge(func(c *x509.Certificate) { c.Subject.CommonName = "bank.example" }), false},
		{"127.0.0.1", f.forge(func(c *x509.Certificate) { c.IPAddresses = []net.IP{{127, 0, 0, 1}} }), false},
	} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: c.f.chain, PrivateKey: c.f.key}}}
		server.StartTLS()
		addr := server.Listener.Addr().String()
		_, port, _ := net.SplitHostPort(addr)
		for client, ask := range map[string]func() error{
			"curl": func() error {
				out, err := exec.CommandContext(t.Context(), "curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--capath", t.TempDir(), "--cacert", roots, "--resolve", c.host+":"+port+":127.0.0.1", "https://"+c.host+":"+port+"/").CombinedOutput()
				if errors.Is(err, exec.ErrNotFound) {
					t.Fatal("this test needs curl: apt-get install curl")
				}
				if err == nil && string(out) != "hello" {
					t.Errorf("curl: %q", out)
				}
				return err
			},
			"OpenSSL": func() error {
				check := []string{"-verify_hostname", c.host, "-servername", c.host}
				if net.ParseIP(c.host) != nil {
					check = []string{"-verify_ip", c.host, "-noservername"}
				}
				cmd := exec.CommandContext(t.Context(), "openssl", append([]string{"s_client", "-brief", "-verify_return_error", "-no-CApath", "-no-CAstore", "-CAfile", roots, "-connect", addr}, check...)...)
				cmd.Stdin = strings.NewReader("Q\n")
				return cmd.Run()
			},
			"Go": func() error {
				conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: c.host})
				if err == nil {
					_ = conn.Close()
				}
				return err
			},
		} {
			if err := ask(); (err == nil) != c.ok {
				t.Errorf("%s at %s under %q: %v", client, c.host, c.f.cert.Subject, err)
			}
		}
		server.Close()
	}
}
