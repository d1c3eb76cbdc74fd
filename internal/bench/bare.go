package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"time"
)

// The bare servers run as processes of their own, as Pulley does: this program started again with
// one of these words. Each prints its address on the first line and serves until it is killed.
const (
	bareFiles  = "bare-files"  // http.FileServer over a directory
	bareTLS    = "bare-tls"    // the same behind TLS with a P-256 key, no resumption
	bareTunnel = "bare-tunnel" // CONNECT and io.Copy, nothing else
)

func isBare(word string) bool {
	return word == bareFiles || word == bareTLS || word == bareTunnel
}

func runBare(args []string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	switch args[0] {
	case bareTunnel:
		return serve(listener, http.HandlerFunc(tunnel))
	case bareTLS:
		certificate, err := selfSigned()
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate},
			SessionTicketsDisabled: true, NextProtos: []string{"http/1.1"},
		})
	}
	if len(args) < 2 {
		return errors.New("a bare file server needs a directory")
	}
	return serve(listener, http.FileServer(http.Dir(args[1])))
}

func serve(listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	return server.Serve(listener)
}

// tunnel is the least a proxy can do for a CONNECT.
func tunnel(w http.ResponseWriter, r *http.Request) {
	var dialer net.Dialer
	out, err := dialer.DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	in, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = out.Close()
		return
	}
	_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
	go copyAndClose(out, in)
	copyAndClose(in, out)
}

func copyAndClose(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bare"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
