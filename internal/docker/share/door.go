package share

import (
	"context"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"time"
)

// door is what the far machine sees of the Pulley here: the registry mirror, read-only, and whether it is well. To Pulley
// everybody who comes through the tunnel would be a client on this machine, for whom its port is a proxy to everything that
// this machine reaches, and who may read and write the person's own images: whoever is on the far machine is not.
type door struct {
	listener net.Listener
	server   *http.Server
	ended    chan struct{}
}

// openDoor listens on loopback for ssh. to is host:port of Pulley.
func openDoor(ctx context.Context, to string) (*door, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to})
			r.Out.Host = r.In.Host // Pulley refuses foreign ones, and answers with addresses that lead back here
		},
		Transport: transport, FlushInterval: -1, ErrorLog: log.New(discard{}, "", 0),
		// Pulley does not run: an engine that finds the connection closed goes on to the registry by itself.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	d := &door{listener: l, ended: make(chan struct{})}
	d.server = &http.Server{Handler: mirrorOnly(proxy), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: proxy.ErrorLog}
	d.server.RegisterOnShutdown(transport.CloseIdleConnections)
	go func() {
		defer close(d.ended)
		_ = d.server.Serve(l)
		transport.CloseIdleConnections()
	}()
	return d, nil
}

func (d *door) addr() string { return d.listener.Addr().String() }

// close ends it and what goes through it.
func (d *door) close() {
	_ = d.server.Close()
	<-d.ended
}

// mirrorOnly lets pass what a registry's reader asks for.
func mirrorOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clean := path.Clean(r.URL.Path)
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead, r.URL.IsAbs(), r.URL.Host != "", r.Header.Get("Upgrade") != "":
			http.Error(w, "pulley: this port is a registry mirror to read from, and nothing else", http.StatusForbidden)
		case r.URL.Path == "/healthz":
			next.ServeHTTP(w, r)
		case r.URL.Path != clean && r.URL.Path != "/v2/", r.URL.RawPath != "",
			clean != "/v2" && !strings.HasPrefix(clean, "/v2/"),
			clean == "/v2/_catalog", clean == "/v2/local", strings.HasPrefix(clean, "/v2/local/"):
			http.NotFound(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
