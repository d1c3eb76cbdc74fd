package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/control/server"
)

// heard notes what the interface made of a request.
func (f *fake) heard(args ...any) error {
	return f.change(func(s *control.State) { s.Home += strings.TrimSpace(fmt.Sprintln(args...)) + "\n" })
}

func (f *fake) Sources(registry string) ([]control.Source, error) {
	if registry == "nowhere" {
		return nil, fmt.Errorf("nowhere: no such registry: %w", server.ErrRefused)
	}
	return []control.Source{{Registry: "docker.io", Name: "origin"}}, nil
}
func (f *fake) AddMirror(m control.Mirror) error { return f.heard("add", m.Registry, m.Name, m.URL) }
func (f *fake) RemoveMirror(registry, name string) error {
	return f.heard("remove", registry, name)
}
func (f *fake) SwitchMirror(registry, name string, on bool) error {
	return f.heard("switch", registry, name, on)
}
func (f *fake) OrderMirrors(registry string, names []string) error {
	return f.heard("order", registry, names)
}
func (f *fake) TestMirror(_ context.Context, t control.MirrorTest, progress func(control.MirrorTesting)) (control.MirrorReport, error) {
	if t.Name == "nobody" {
		return control.MirrorReport{}, fmt.Errorf("no mirror nobody: %w", server.ErrRefused)
	}
	for n := range int64(100) {
		progress(control.MirrorTesting{Bytes: n, Size: 99})
	}
	return control.MirrorReport{Registry: t.Registry, Name: t.Name, Reachable: true}, nil
}
func (f *fake) Addresses() []control.Address { return []control.Address{{Host: "a.example"}} }
func (f *fake) SetAddress(host string, use []string) error {
	return f.heard("address", host, use)
}
func (f *fake) RemoveAddress(host string) error  { return f.heard("no address", host) }
func (f *fake) Egresses() []control.Egress       { return []control.Egress{{Name: "jump"}} }
func (f *fake) AddEgress(e control.Egress) error { return f.heard("way", e.Name, e.URL, e.For) }
func (f *fake) RemoveEgress(name string) error   { return f.heard("no way", name) }
func (f *fake) UseEgress(name string, registries []string) error {
	return f.heard("use", name, registries)
}
func (f *fake) TestEgress(_ context.Context, name, target string) (control.EgressReport, error) {
	return control.EgressReport{Name: name, Target: target, OK: true}, nil
}
func (f *fake) AcceptKey(name, fingerprint string) error { return f.heard("accept", name, fingerprint) }

func TestSources(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, _ *http.Transport) {
		ctx := t.Context()
		if l, err := c.Sources(ctx, ""); err != nil || len(l) != 1 || l[0].Name != "origin" {
			t.Errorf("Sources: %v, %v", l, err)
		}
		var said *client.Error
		if _, err := c.Sources(ctx, "nowhere"); !errors.As(err, &said) || said.Text != "nowhere: no such registry" {
			t.Errorf("Sources of an unknown registry: %v", err)
		}
		err := errors.Join(
			c.AddMirror(ctx, control.Mirror{Registry: "docker.io", Name: "m", URL: "https://m.example"}),
			c.SwitchMirror(ctx, "", "m", false), c.RemoveMirror(ctx, "docker.io", "m"),
			c.AddEgress(ctx, control.Egress{Name: "jump", URL: "ssh://h", For: []string{"gcr.io"}}),
			c.UseEgress(ctx, "jump", []string{"*"}), c.AcceptKey(ctx, "jump", "SHA256:x"), c.RemoveEgress(ctx, "jump"),
			c.OrderMirrors(ctx, "docker.io", []string{"m", "n"}),
			c.SetAddress(ctx, control.Address{Host: "a.example", Use: []string{"192.0.2.1"}, Bad: []string{"x"}}), c.RemoveAddress(ctx, "a.example"),
		)
		want := "add docker.io m https://m.example\nswitch  m false\nremove docker.io m\n" +
			"way jump ssh://h [gcr.io]\nuse jump [*]\naccept jump SHA256:x\nno way jump\n" +
			"order docker.io [m n]\naddress a.example [192.0.2.1]\nno address a.example\n"
		if s := f.State(); err != nil || s.Home != want {
			t.Errorf("heard %q, %v", s.Home, err)
		}
		if r, err := c.TestMirror(ctx, "docker.io", "m"); err != nil || !r.Reachable || r.Name != "m" {
			t.Errorf("TestMirror: %+v, %v", r, err)
		}
		var last control.MirrorTesting
		if r, err := c.WatchMirrorTest(ctx, "docker.io", "m", func(p control.MirrorTesting) { last = p }); err != nil || !r.Reachable || r.Name != "m" || last.Bytes != 99 {
			t.Errorf("WatchMirrorTest: %+v, %+v, %v", r, last, err)
		}
		if _, err := c.WatchMirrorTest(ctx, "docker.io", "nobody", nil); !errors.As(err, &said) || said.Text != "no mirror nobody" {
			t.Errorf("WatchMirrorTest of nobody: %v", err)
		}
		if l, err := c.Addresses(ctx); err != nil || len(l) != 1 || l[0].Host != "a.example" {
			t.Errorf("Addresses: %v, %v", l, err)
		}
		if l, err := c.Egresses(ctx); err != nil || len(l) != 1 {
			t.Errorf("Egresses: %v, %v", l, err)
		}
		if r, err := c.TestEgress(ctx, "jump", "ghcr.io"); err != nil || !r.OK || r.Target != "ghcr.io" {
			t.Errorf("TestEgress: %+v, %v", r, err)
		}
	})
}
