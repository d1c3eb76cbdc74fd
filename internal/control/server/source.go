package server

import (
	"context"
	"net/http"

	"pulley/internal/control"
)

// Sources is the part of a Daemon about where bytes come from and by which way.
type Sources interface {
	// Sources lists where a registry's bytes can come from, best first; "" is for every registry.
	Sources(registry string) ([]control.Source, error)
	AddMirror(control.Mirror) error
	RemoveMirror(registry, name string) error
	SwitchMirror(registry, name string, on bool) error
	OrderMirrors(registry string, names []string) error
	// TestMirror and TestEgress make real requests and take seconds. progress is as for Images.
	TestMirror(ctx context.Context, t control.MirrorTest, progress func(control.MirrorTesting)) (control.MirrorReport, error)
	Addresses() []control.Address
	SetAddress(host string, use []string) error
	RemoveAddress(host string) error
	Egresses() []control.Egress
	AddEgress(control.Egress) error
	RemoveEgress(name string) error
	UseEgress(name string, registries []string) error
	TestEgress(ctx context.Context, name, target string) (control.EgressReport, error)
	AcceptKey(name, fingerprint string) error
}

func (s *Server) sourceRoutes() {
	s.mux.HandleFunc("GET /v1/mirrors", func(w http.ResponseWriter, r *http.Request) {
		list, err := s.daemon.Sources(r.URL.Query().Get("registry"))
		reply(w, list, err)
	})
	change(s, "POST /v1/mirrors", s.daemon.AddMirror)
	change(s, "DELETE /v1/mirrors", func(v control.Mirror) error { return s.daemon.RemoveMirror(v.Registry, v.Name) })
	change(s, "PUT /v1/mirrors", func(v control.MirrorSwitch) error { return s.daemon.SwitchMirror(v.Registry, v.Name, v.Enabled) })
	change(s, "PUT /v1/mirrors/order", func(v control.MirrorOrder) error { return s.daemon.OrderMirrors(v.Registry, v.Names) })
	ask(s, "POST /v1/mirrors/test", func(ctx context.Context, v control.MirrorTest) (control.MirrorReport, error) {
		return s.daemon.TestMirror(ctx, v, func(control.MirrorTesting) {})
	})
	work(s, "POST /v1/mirrors/test/watch", none, s.daemon.TestMirror)
	s.mux.HandleFunc("GET /v1/addresses", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.daemon.Addresses(), nil) })
	change(s, "PUT /v1/addresses", func(v control.Address) error { return s.daemon.SetAddress(v.Host, v.Use) })
	change(s, "DELETE /v1/addresses", func(v control.Address) error { return s.daemon.RemoveAddress(v.Host) })
	s.mux.HandleFunc("GET /v1/egress", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.daemon.Egresses(), nil) })
	change(s, "POST /v1/egress", s.daemon.AddEgress)
	change(s, "DELETE /v1/egress", func(v control.Egress) error { return s.daemon.RemoveEgress(v.Name) })
	change(s, "PUT /v1/egress", func(v control.EgressUse) error { return s.daemon.UseEgress(v.Name, v.For) })
	change(s, "POST /v1/egress/accept", func(v control.AcceptKey) error { return s.daemon.AcceptKey(v.Name, v.Fingerprint) })
	ask(s, "POST /v1/egress/test", func(ctx context.Context, v control.EgressTest) (control.EgressReport, error) {
		return s.daemon.TestEgress(ctx, v.Name, v.Target)
	})
}
