//go:build e2e

package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// trustLayout is a distribution's way to keep trusted roots, with its real programs.
type trustLayout struct {
	name    string
	store   string // as `pulley ca trust` calls it
	anchors string // the folder that the CAs go to
	prepare func(t *testing.T, s *sandbox)
}

// Programs that Debian has not are a few lines around p11-kit's trust, which is the real one.
const (
	updateCATrust = `#!/bin/sh
set -e
dest=/etc/pki/ca-trust/extracted/pem
P11_KIT_NO_USER_CONFIG=1 trust extract --format=pem-bundle --filter=ca-anchors --overwrite --comment --purpose=server-auth $dest/tls-ca-bundle.pem
P11_KIT_NO_USER_CONFIG=1 trust extract --format=pem-bundle --filter=ca-anchors --overwrite --comment --purpose=email $dest/email-ca-bundle.pem
`
	extractCompat = `#!/bin/sh
set -e
P11_KIT_NO_USER_CONFIG=1 trust extract --format=pem-bundle --filter=ca-anchors --overwrite --comment --purpose=server-auth /etc/ca-certificates/extracted/tls-ca-bundle.pem
`
	// mountStore puts a sandbox's own copies over what lies outside /etc.
	mountStore = `mount --bind share /usr/local/share
mount --bind sbin /usr/local/sbin
mount --bind modules /usr/share/p11-kit/modules
mount --bind libexec /usr/libexec/p11-kit
exec "$@"`
)

var trustLayouts = []trustLayout{
	{"Debian", "system (update-ca-certificates)", "share/ca-certificates", func(t *testing.T, s *sandbox) {
		for _, name := range []string{"ssl", "ca-certificates.conf"} {
			copyEtc(t, name, s.file("etc/"+name))
		}
		s.etc(t, "ca-certificates/update.d/.none", "") // other packages' hooks write where they like
		s.trusting(t, "update-ca-certificates", "--fresh")
	}},
	{"Fedora", "system (update-ca-trust)", "etc/pki/ca-trust/source/anchors", func(t *testing.T, s *sandbox) {
		s.p11kit(t, "/etc/pki/ca-trust/source")
		s.write(t, "sbin/update-ca-trust", updateCATrust, 0o755)
		s.etc(t, "pki/ca-trust/extracted/pem/README", "extracted\n")
		s.link(t, "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "etc/ssl/certs/ca-certificates.crt")
		s.trusting(t, "update-ca-trust")
	}},
	{"Arch", "system (trust)", "etc/ca-certificates/trust-source/anchors", func(t *testing.T, s *sandbox) {
		s.p11kit(t, "/etc/ca-certificates/trust-source")
		s.write(t, "libexec/trust-extract-compat", extractCompat, 0o755)
		s.etc(t, "ca-certificates/extracted/README", "extracted\n")
		s.link(t, "/etc/ca-certificates/extracted/tls-ca-bundle.pem", "etc/ssl/certs/ca-certificates.crt")
		s.trusting(t, "trust", "extract-compat")
	}},
}

// p11kit has p11-kit read a folder as distributions compile it in, with all of this machine's roots as somebody's file in it.
func (s *sandbox) p11kit(t *testing.T, source string) {
	t.Helper()
	s.write(t, "modules/p11-kit-trust.module", "module: p11-kit-trust.so\npriority: 1\ntrust-policy: yes\nx-init-reserved: paths='"+source+"'\n", 0o644)
	roots, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		t.Fatal(err)
	}
	s.etc(t, strings.TrimPrefix(source, "/etc/")+"/anchors/everybody.pem", string(roots))
}

func (s *sandbox) write(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	path := s.file(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func (s *sandbox) link(t *testing.T, to, name string) {
	t.Helper()
	path := s.file(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

// tryTrusting runs a program where the sandbox's trust store is the system's.
func (s *sandbox) tryTrusting(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return s.run(t, append([]string{"/bin/sh", "-ec", mountStore, "sh"}, args...)...)
}

func (s *sandbox) trusting(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.tryTrusting(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// contents are all files, links and folders below some folders of the sandbox.
func (s *sandbox) contents(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, dir := range dirs {
		err := filepath.WalkDir(s.file(dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			var content []byte
			to := ""
			switch {
			case e.Type()&fs.ModeSymlink != 0:
				to, err = os.Readlink(path)
			case e.Type().IsRegular():
				content, err = os.ReadFile(path)
			}
			info, err2 := e.Info()
			if err == nil {
				err = err2
			}
			if err == nil {
				all[strings.TrimPrefix(path, s.dir)] = info.Mode().String() + to + string(content)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// thief signs a certificate for a host with the key of the authority that is for Docker Hub.
func thief(t *testing.T, home, host string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(home, "ca", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(data, []byte("PRIVATE KEY")) {
			continue
		}
		block, rest := pem.Decode(data)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		block, _ = pem.Decode(rest)
		parent, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(parent.PermittedDNSDomains, "registry-1.docker.io") {
			continue
		}
		leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}, parent, leaf.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	t.Fatal("no authority is for Docker Hub")
	return nil
}

// The CA goes into the system's store and comes out again exactly, and real clients verify by it meanwhile: curl through the
// proxy, openssl, and NSS for browsers.
func TestTrust(t *testing.T) {
	for _, layout := range trustLayouts {
		t.Run(layout.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "0")
			s := newSandbox(t)
			for _, dir := range []string{"share", "sbin", "modules", "libexec"} {
				if err := os.Mkdir(s.file(dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			layout.prepare(t, s)
			s.env = append(s.env, "PULLEY_HOME="+r.home)
			nssdb := s.file("home/.pki/nssdb")
			if err := os.MkdirAll(nssdb, 0o700); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "certutil", "-N", "-d", "sql:"+nssdb, "--empty-password").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			before := s.contents(t, "etc", "share", "sbin", "modules", "libexec")
			curl := func() (string, error) {
				return s.tryTrusting(t, "curl", "-sS", "--noproxy", "", "-x", "http://"+r.addr, "-o", "/dev/null", "-w", "%{http_code}", "https://registry-1.docker.io/v2/")
			}
			if out, err := curl(); err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Fatalf("curl before: %s, %v", out, err)
			}

			trusted := func(changed bool) {
				t.Helper()
				var answer struct {
					Trusted bool
					Stores  []struct {
						Store, Error  string
						Done, Changed bool
					}
				}
				if err := json.Unmarshal([]byte(s.trusting(t, pulleyBin, "ca", "trust", "--json")), &answer); err != nil {
					t.Fatal(err)
				}
				if !answer.Trusted || len(answer.Stores) != 2 || answer.Stores[0].Store != layout.store {
					t.Errorf("%+v", answer)
				}
				for _, store := range answer.Stores {
					if !store.Done || store.Changed != changed || store.Error != "" {
						t.Errorf("%+v", store)
					}
				}
				if out, err := curl(); err != nil || out != "401" {
					t.Errorf("curl: %s, %v", out, err)
				}
				for host, want := range map[string]bool{"registry-1.docker.io": true, "bank.example": false} {
					s.write(t, "tmp/leaf.pem", string(thief(t, r.home, host)), 0o600)
					out, err := s.tryTrusting(t, "openssl", "verify", "-CAfile", "/etc/ssl/certs/ca-certificates.crt", "-verify_hostname", host, s.file("tmp/leaf.pem"))
					if (err == nil) != want || !want && !strings.Contains(err.Error(), "permitted subtree violation") {
						t.Errorf("openssl, %s: %s, %v", host, out, err)
					}
					if layout.name == "Debian" { // by the links, too, that only update-ca-certificates makes
						if out, err := s.tryTrusting(t, "openssl", "verify", "-CApath", "/etc/ssl/certs", "-no-CAfile", s.file("tmp/leaf.pem")); (err == nil) != want {
							t.Errorf("openssl by links, %s: %s, %v", host, out, err)
						}
					}
					s.trusting(t, "certutil", "-A", "-d", "sql:"+nssdb, "-n", "leaf", "-t", ",,", "-a", "-i", s.file("tmp/leaf.pem"))
					if out, err := s.tryTrusting(t, "certutil", "-V", "-d", "sql:"+nssdb, "-n", "leaf", "-u", "V", "-e"); (err == nil) != want {
						t.Errorf("NSS, %s: %s, %v", host, out, err)
					}
					s.trusting(t, "certutil", "-D", "-d", "sql:"+nssdb, "-n", "leaf")
				}
				if out := s.trusting(t, pulleyBin, "ca", "show"); !strings.Contains(out, "trusted by "+layout.store+"\n") || !strings.Contains(out, "trusted by Chromium") {
					t.Errorf("ca show: %s", out)
				}
			}
			trusted(true)
			trusted(false)
			names := func() int {
				names, err := filepath.Glob(s.file(layout.anchors + "/pulley-*"))
				if err != nil {
					t.Fatal(err)
				}
				return len(names)
			}
			n := names()
			s.trusting(t, pulleyBin, "ca", "rotate")
			if out := s.trusting(t, pulleyBin, "ca", "show"); !strings.Contains(out, layout.store+" trusts another state") {
				t.Errorf("ca show after the rotation: %s", out)
			}
			if out := s.trusting(t, pulleyBin, "ca", "trust", "--dry-run"); !strings.Contains(out, layout.store+": write /") || names() != n {
				t.Errorf("dry run: %s", out)
			}
			trusted(true)
			if pems := strings.Count(s.trusting(t, pulleyBin, "ca", "export"), "BEGIN CERTIFICATE"); names() != pems || pems <= n {
				t.Errorf("%d files for %d certificates, %d before", names(), pems, n)
			}

			for range 2 {
				s.trusting(t, pulleyBin, "ca", "untrust")
			}
			after := s.contents(t, "etc", "share", "sbin", "modules", "libexec")
			for name := range maps.Keys(after) {
				if _, ok := before[name]; !ok {
					t.Errorf("left: %s", name)
				}
			}
			for name, content := range before {
				if after[name] != content {
					t.Errorf("changed: %s", name)
				}
			}
			if out := s.trusting(t, "certutil", "-L", "-d", "sql:"+nssdb); strings.Contains(out, "Pulley") {
				t.Errorf("left in NSS: %s", out)
			}
			if _, err := os.Stat(filepath.Join(r.home, "ca", "trusted")); err == nil {
				t.Error("left: the list of what is trusted")
			}
			if out, err := curl(); err == nil {
				t.Errorf("curl afterwards: %s", out)
			}
		})
	}
}
