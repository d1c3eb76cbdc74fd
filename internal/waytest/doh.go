package waytest

import (
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// A Resolver answers DNS over HTTPS (RFC 8484, POST alone, over HTTP/2 alone)
// with IPv4 addresses, each name behind an alias. What it does not know, it says
// is no name.
type Resolver struct {
	URL  string // its endpoint
	Root string // a PEM file with its certificate

	knows map[string][]string
	mu    sync.Mutex
	asked []string
	fail  int
}

// DoH starts one that ends with the test.
func DoH(t testing.TB, knows map[string][]string) *Resolver {
	t.Helper()
	r := &Resolver{knows: knows, Root: filepath.Join(t.TempDir(), "root.pem")}
	server := httptest.NewUnstartedServer(r)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	r.URL = server.URL + "/dns-query"
	if err := os.WriteFile(r.Root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// Questions are those asked so far: "auth.docker.io A".
func (r *Resolver) Questions() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.asked...)
}

// Fail answers with a status from now on, and no more.
func (r *Resolver) Fail(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = status
}

// ServeHTTP implements http.Handler.
func (r *Resolver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var m dnsmessage.Message
	if err := m.Unpack(body); err != nil || len(m.Questions) != 1 || m.ID != 0 || req.ProtoMajor != 2 ||
		req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/dns-message" {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	q := m.Questions[0]
	host := strings.TrimSuffix(q.Name.String(), ".")
	r.mu.Lock()
	r.asked = append(r.asked, host+" "+strings.TrimPrefix(q.Type.String(), "Type"))
	fail := r.fail
	r.mu.Unlock()
	if fail != 0 {
		w.WriteHeader(fail)
		return
	}
	m.Response = true
	if _, known := r.knows[host]; !known {
		m.RCode = dnsmessage.RCodeNameError
	} else {
		alias := dnsmessage.MustNewName("alias.example.")
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 600},
			Body:   &dnsmessage.CNAMEResource{CNAME: alias},
		}}
		for _, a := range r.knows[host] {
			if q.Type == dnsmessage.TypeA {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: alias, Class: q.Class, TTL: 600},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()},
				})
			}
		}
	}
	wire, _ := m.Pack()
	w.Header().Set("Content-Type", "application/dns-message")
	_, _ = w.Write(wire)
}
