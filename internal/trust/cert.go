package trust

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the systems' name for a certificate, no proof of anything
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// cert is one certificate that looks like Pulley's.
type cert struct {
	name string // subject's common name, which no two of Pulley's share
	der  []byte
}

// commonName is what proxy/ca calls its authorities.
const commonName = "Pulley local CA "

var ourName = regexp.MustCompile(`^` + commonName + `[0-9a-f]{16}$`)

// look returns the certificate in der if it looks like Pulley's: its name, and an authority that is constrained. Nothing else is
// put into a store, and nothing else is taken out.
func look(der []byte) (*cert, bool) {
	c, err := x509.ParseCertificate(der)
	if err != nil || !ourName.MatchString(c.Subject.CommonName) || !slices.Equal(c.Subject.Organization, []string{"Pulley"}) ||
		!c.IsCA || !c.PermittedDNSDomainsCritical || len(c.PermittedDNSDomains) == 0 {
		return nil, false
	}
	return &cert{name: c.Subject.CommonName, der: c.Raw}, true
}

func (c *cert) same(o *cert) bool { return bytes.Equal(c.der, o.der) }

func (c *cert) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.der})
}

func (c *cert) sha256() string {
	sum := sha256.Sum256(c.der)
	return hex.EncodeToString(sum[:])
}

// thumbprint is what macOS and Windows know a certificate by.
func (c *cert) thumbprint() string {
	sum := sha1.Sum(c.der) //nolint:gosec // the same
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// file is the name of the file that holds c in stores that are folders. It says what is in it: update-ca-certificates gives
// a file whose content changed no new link by hash, and that link is where OpenSSL looks.
func (c *cert) file() string { return "pulley-" + c.sha256()[:16] + ".crt" }

var ourFile = regexp.MustCompile(`^pulley-[0-9a-f]{16}\.crt$`)

// blocks returns the certificates of a PEM text; clean says that there is nothing else in it.
func blocks(data []byte) (ders [][]byte, clean bool) {
	clean = true
	for {
		rest := data
		var block *pem.Block
		if block, data = pem.Decode(rest); block == nil {
			return ders, clean && len(bytes.TrimSpace(rest)) == 0
		}
		if block.Type != "CERTIFICATE" {
			clean = false
			continue
		}
		ders = append(ders, block.Bytes)
	}
}

// lookAll returns those certificates of a PEM text that look like Pulley's.
func lookAll(data []byte) []*cert {
	var certs []*cert
	ders, _ := blocks(data)
	for _, der := range ders {
		if c, ok := look(der); ok {
			certs = append(certs, c)
		}
	}
	return certs
}

// certificates reads pemFile, which must hold Pulley's certificates and nothing else.
func certificates(pemFile string) ([]*cert, error) {
	data, err := os.ReadFile(pemFile)
	if err != nil {
		return nil, fmt.Errorf("trust store: %w; it is created when the daemon first starts: pulley up", err)
	}
	ders, clean := blocks(data)
	if len(ders) == 0 || !clean {
		return nil, fmt.Errorf("trust store: %s: is not a PEM file of certificates; restart the daemon to write it again", pemFile)
	}
	var certs []*cert
	for _, der := range ders {
		c, ok := look(der)
		if !ok {
			return nil, fmt.Errorf("trust store: %s: holds a certificate that is no name-constrained local CA; restart the daemon to write it again", pemFile)
		}
		if !slices.ContainsFunc(certs, c.same) {
			certs = append(certs, c)
		}
	}
	return certs, nil
}
