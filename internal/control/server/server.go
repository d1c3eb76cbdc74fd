// Package server answers the control interface on a listener that the daemon gives it, in words of internal/control. It
// must not know what a daemon is made of: it is given a Daemon.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"pulley/internal/cause"
	"pulley/internal/control"
)

// Daemon is what the interface can ask for. All methods may be called concurrently. Errors are one line for a person; one
// that Is ErrRefused is the person's mistake or a rule, any other a failure.
type Daemon interface {
	Sources
	Images
	Version() control.Version
	State() control.State
	// Changed is closed when the state may differ from what State answered before.
	Changed() <-chan struct{}
	SetEnabled(on bool) error
	// Pause switches off, and on again after d.
	Pause(d time.Duration) error
	SetRoute(registry, route string) error
	Setting(key string) (string, error)
	SetSetting(key, value string) error
	CAs() []control.CA
	RotateCA() error
	// CATrusted says that a trust store has just been given the authorities: what their rejection led to ends.
	CATrusted()
	// History is what was served over time.
	History() control.History
	// Events are the last n answered requests, oldest first.
	Events(n int) ([]control.Event, error)
	// Follow hands out further ones until stop is called; a slow listener misses some.
	Follow() (events <-chan control.Event, stop func())
}

// ErrRefused marks an error whose cause is the request.
var ErrRefused = errors.New("refused")

const (
	maxBody  = 4 << 20 // a thousand images and the credentials for them
	drain    = 2 * time.Second
	coalesce = 100 * time.Millisecond // at most ten states a second
	maxTail  = 100_000
)

// ErrLeft is what the Accept of a listener says when somebody else accepts from the same socket from now on.
var ErrLeft = errors.New("somebody else accepts connections now")

// Server is the interface over one Daemon.
type Server struct {
	daemon Daemon
	log    *slog.Logger
	mux    *http.ServeMux
	ending chan struct{} // closed when streams have to end
}

// New makes a server. log may be nil.
func New(d Daemon, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{daemon: d, log: log, mux: http.NewServeMux(), ending: make(chan struct{})}
	s.routes()
	return s
}

func (s *Server) routes() {
	s.mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.daemon.Version(), nil) })
	s.mux.HandleFunc("GET /v1/state", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.daemon.State(), nil) })
	s.mux.HandleFunc("GET /v1/events", s.events)
	s.mux.HandleFunc("GET /v1/log", s.tail)
	s.mux.HandleFunc("GET /v1/history", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.daemon.History(), nil) })
	s.mux.HandleFunc("GET /v1/ca", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.daemon.CAs(), nil) })
	s.mux.HandleFunc("GET /v1/config/{key...}", func(w http.ResponseWriter, r *http.Request) {
		value, err := s.daemon.Setting(r.PathValue("key"))
		reply(w, control.Setting{Key: r.PathValue("key"), Value: value}, err)
	})
	s.sourceRoutes()
	s.imageRoutes()
	change(s, "PUT /v1/config", func(v control.Setting) error { return s.daemon.SetSetting(v.Key, v.Value) })
	change(s, "PUT /v1/enabled", func(v control.Enabled) error { return s.daemon.SetEnabled(v.Enabled) })
	change(s, "POST /v1/pause", func(v control.Pause) error { return s.daemon.Pause(v.For) })
	change(s, "PUT /v1/route", func(v control.Route) error { return s.daemon.SetRoute(v.Registry, v.Route) })
	change(s, "POST /v1/ca/trusted", func(struct{}) error { s.daemon.CATrusted(); return nil })
	change(s, "POST /v1/ca/rotate", func(struct{}) error { return s.daemon.RotateCA() })
}

// change registers a request that carries a T and answers with the state after it.
func change[T any](s *Server, pattern string, do func(T) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if v, ok := decode[T](w, r); ok {
			err := do(v)
			reply(w, s.daemon.State(), err)
		}
	})
}

// ask registers a request that carries a T and answers with what was found out.
func ask[T, A any](s *Server, pattern string, do func(context.Context, T) (A, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if v, ok := decode[T](w, r); ok {
			found, err := do(r.Context(), v)
			reply(w, found, err)
		}
	})
}

// decode reads the body of a request, or answers that it is no T.
func decode[T any](w http.ResponseWriter, r *http.Request) (v T, ok bool) {
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	nothing := any(v) == any(struct{}{}) // is there to say
	if err := body.Decode(&v); err != nil && !(nothing && errors.Is(err, io.EOF)) {
		fail(w, http.StatusBadRequest, "the request is not the JSON this version expects: "+err.Error())
		return v, false
	}
	return v, true
}

// Handle has requests answered that are not in words of internal/control. It goes before Serve.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Serve answers on ln until ctx ends, then ends the streams and returns nil. It closes ln. When ln says ErrLeft, streams end
// and work that was asked for goes on until it is done, or ctx ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		if !errors.Is(err, ErrLeft) {
			return err
		}
		close(s.ending)
		if server.Shutdown(ctx) == nil {
			return nil
		}
		failed <- http.ErrServerClosed
	case <-ctx.Done():
		close(s.ending)
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		_ = server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serve refuses what a browser could send: a page must not switch anything, whatever name it resolves to us.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" || r.Header.Get("Sec-Fetch-Site") != "" || !ownHost(r.Host) {
		fail(w, http.StatusForbidden, "this interface is not for browsers")
		return
	}
	if first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); first != "v1" && first != "" {
		fail(w, http.StatusNotFound, "this daemon speaks version 1 of the control interface, the client "+strconv.Quote(first)+"; update the daemon")
		return
	}
	s.mux.ServeHTTP(w, r)
}

// ownHost accepts the name that clients of the socket use, and loopback.
func ownHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == control.Host || host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

func reply(w http.ResponseWriter, v any, err error) {
	if err != nil {
		failWith(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// failWith answers with an error of the Daemon's.
func failWith(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, ErrRefused) {
		status = http.StatusUnprocessableEntity
	}
	answer(w, status, control.Error{Text: words(err), Cause: cause.Of(err)})
}

// words are an error's for a person.
func words(err error) string { return strings.TrimSuffix(err.Error(), ": "+ErrRefused.Error()) }

func fail(w http.ResponseWriter, status int, text string) {
	answer(w, status, control.Error{Text: text})
}

func answer(w http.ResponseWriter, status int, e control.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e)
}
