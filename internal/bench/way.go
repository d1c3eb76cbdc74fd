package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// way is how a client gets to the registry through a door of a server. It is used by many clients at once.
type way struct {
	base string // scheme, host and port as the client writes them
	// dial connects so far that a request to that host can be written.
	dial   func(ctx context.Context, host string) (net.Conn, error)
	tokens *way   // where tokens are asked for; nil: none are needed
	bearer string // of now
}

// plainly is the way to a server that is the registry, by its address.
func plainly(address string) *way {
	return &way{base: "http://" + address, dial: func(ctx context.Context, _ string) (net.Conn, error) {
		return connect(ctx, address)
	}}
}

func connect(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

// proxied is the way through a proxy to an https registry.
func proxied(base string, roots *x509.CertPool, through func(ctx context.Context, target string) (net.Conn, error)) *way {
	w := &way{base: base, dial: func(ctx context.Context, host string) (net.Conn, error) {
		if !strings.Contains(host, ":") {
			host += ":443"
		}
		conn, err := through(ctx, host)
		if err != nil {
			return nil, err
		}
		return secure(ctx, conn, host, roots)
	}}
	w.tokens = w
	return w
}

// secure is a full handshake each time: nothing is resumed, as with engines, which make a new transport per pull.
func secure(ctx context.Context, conn net.Conn, host string, roots *x509.CertPool) (net.Conn, error) {
	name, _, _ := net.SplitHostPort(host)
	c := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: name})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// byConnect asks an HTTP proxy for a tunnel.
func byConnect(proxy string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, target string) (net.Conn, error) {
		conn, err := connect(ctx, proxy)
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("CONNECT %s: %s", target, answer.Status)
		}
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
}

// bySOCKS asks a SOCKS5 proxy (RFC 1928) for a connection to a name, without authentication.
func bySOCKS(proxy string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, target string) (net.Conn, error) {
		conn, err := connect(ctx, proxy)
		if err != nil {
			return nil, err
		}
		if err := greetSOCKS(conn, target); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
}

func greetSOCKS(conn net.Conn, target string) error {
	host, text, err := net.SplitHostPort(target)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return err
	}
	var answer [10]byte
	if _, err := conn.Write([]byte{5, 1, 0}); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, answer[:2]); err != nil {
		return err
	}
	ask := append([]byte{5, 1, 0, 3, byte(len(host))}, host...)                   //nolint:gosec // the Hub's names are short
	if _, err := conn.Write(append(ask, byte(port>>8), byte(port))); err != nil { //nolint:gosec // 16 bits
		return err
	}
	if _, err := io.ReadFull(conn, answer[:]); err != nil { // the bound address is an IPv4 one here
		return err
	}
	if answer[1] != 0 {
		return fmt.Errorf("SOCKS5: %s: code %d", target, answer[1])
	}
	return nil
}
