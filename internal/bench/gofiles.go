package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// goServer starts this program as the limit: http.FileServer over a directory.
const goServer = "go-server"

// goFiles is the least a Go program can do for the same bytes: http.FileServer, plain, and behind CONNECT or SOCKS5 and
// TLS that it ends itself. It looks at nothing that is asked of it, caches nothing and knows no registry.
func goFiles() *product {
	return &product{
		name: "Go files", limit: true, doors: []door{mirror, interception, socks},
		about:   "`http.FileServer` over the same blobs as files, in a process of its own; TLS with an ECDSA key, behind the least of a CONNECT or SOCKS5 answer",
		version: func(context.Context) (string, error) { return strings.TrimPrefix(runtime.Version(), "go"), nil },
		launch: func(ctx context.Context, b *bench, dir string) (*server, error) {
			authority, err := newAuthority("go files")
			if err != nil {
				return nil, err
			}
			file := filepath.Join(dir, "ca.pem")
			if err := os.WriteFile(file, authority, 0o600); err != nil {
				return nil, err
			}
			p, first, err := b.start(ctx, nil, b.self, goServer, b.files, file)
			if err != nil {
				return nil, err
			}
			var addresses []string
			select {
			case text := <-first:
				addresses = strings.Fields(text)
			case <-p.done:
			}
			if len(addresses) != 2 {
				return nil, fmt.Errorf("%s did not say where it serves\n%s", goServer, p.said)
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(authority)
			w := func(through func(context.Context, string) (net.Conn, error)) *way {
				w := proxied("https://"+registry, roots, through)
				w.tokens, w.bearer = nil, "anything"
				return w
			}
			return &server{process: p, ways: map[door]*way{
				mirror: plainly(addresses[0]), interception: w(byConnect(addresses[0])), socks: w(bySOCKS(addresses[1])),
			}}, p.answers(ctx, addresses[0], "/")
		},
	}
}

// runGoServer serves until it is killed: args are the directory and a PEM with a CA.
func runGoServer(args []string) error {
	if len(args) != 2 {
		return errors.New(goServer + ": a directory and a CA")
	}
	config, err := leafConfig(args[1])
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	socks, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := newGoServer(args[0], config)
	fmt.Println(plain.Addr(), socks.Addr())
	return server.serve(plain, socks)
}

// fileServer is one HTTP server for what comes plain and for what comes out of TLS.
type fileServer struct {
	http   *http.Server
	config *tls.Config
	inside *handed
}

func newGoServer(dir string, config *tls.Config) *fileServer {
	s := &fileServer{config: config, inside: &handed{conns: make(chan net.Conn), done: make(chan struct{})}}
	files := http.FileServer(http.Dir(dir))
	s.http = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			files.ServeHTTP(w, r)
			return
		}
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			s.inside.hand(tls.Server(conn, config))
		}
	})}
	return s
}

// serve returns when one of the listeners fails.
func (s *fileServer) serve(plain, socks net.Listener) error {
	ended := make(chan error, 3)
	go func() { ended <- s.http.Serve(plain) }()
	go func() { ended <- s.http.Serve(s.inside) }()
	go func() { ended <- s.acceptSOCKS(socks) }()
	return <-ended
}

// handed is a listener of connections that were greeted elsewhere.
type handed struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handed) hand(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.done:
		_ = conn.Close()
	}
}

func (h *handed) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handed) Addr() net.Addr { return &net.TCPAddr{} }

// acceptSOCKS says yes to everybody.
func (s *fileServer) acceptSOCKS(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			in := bufio.NewReaderSize(conn, 512) // a client waits for each answer: nothing beyond is read
			var head [5]byte
			_, err := io.ReadFull(in, head[:3]) // version, one method, none
			if err == nil {
				_, err = conn.Write([]byte{5, 0})
			}
			if err == nil {
				_, err = io.ReadFull(in, head[:]) // version, connect, reserved, name, its length
			}
			if err == nil {
				_, err = in.Discard(int(head[4]) + 2)
			}
			if err == nil {
				_, err = conn.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 0})
			}
			if err != nil {
				_ = conn.Close()
				return
			}
			s.inside.hand(tls.Server(conn, s.config))
		}()
	}
}

// leafConfig signs a leaf for the registry, once.
func leafConfig(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	authority, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	leaf, err := signLeaf(authority, pair.PrivateKey)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{leaf},
		SessionTicketsDisabled: true, NextProtos: []string{"http/1.1"},
	}, nil
}
