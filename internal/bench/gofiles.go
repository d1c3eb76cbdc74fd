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
	inside := make(handed)
	server := &http.Server{ReadHeaderTimeout: time.Minute}
	files := http.FileServer(http.Dir(args[0]))
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
				inside <- tls.Server(conn, config)
			}
			return
		}
		files.ServeHTTP(w, r)
	})
	ended := make(chan error)
	go func() { ended <- server.Serve(plain) }()
	go func() { ended <- server.Serve(inside) }()
	go func() { ended <- acceptSOCKS(socks, config, inside) }()
	fmt.Println(plain.Addr(), socks.Addr())
	return <-ended
}

// handed is a listener of connections that were greeted elsewhere.
type handed chan net.Conn

func (h handed) Accept() (net.Conn, error) { return <-h, nil }
func (h handed) Close() error              { return nil }
func (h handed) Addr() net.Addr            { return &net.TCPAddr{} }

// acceptSOCKS says yes to everybody.
func acceptSOCKS(listener net.Listener, config *tls.Config, inside handed) error {
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
			inside <- tls.Server(conn, config)
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
