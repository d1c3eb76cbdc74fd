package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/control/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a daemon of a few fields.
type fake struct {
	mu      sync.Mutex
	major   int
	state   control.State
	changed chan struct{}
	events  chan control.Event
	broken  error
	images  // what it does to images
}

func newFake() *fake {
	return &fake{
		major: control.Major, changed: make(chan struct{}), events: make(chan control.Event, 1),
		state: control.State{Enabled: true, Registries: []control.Registry{{Name: "docker.io", Route: "auto"}}},
	}
}

func (f *fake) change(edit func(*control.State)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	edit(&f.state)
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

func (f *fake) Version() control.Version {
	return control.Version{Major: f.major, Program: "test", PID: 1}
}
func (f *fake) State() control.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state
	s.Registries = slices.Clone(s.Registries)
	return s
}
func (f *fake) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}
func (f *fake) SetEnabled(on bool) error {
	return f.change(func(s *control.State) { s.Enabled = on })
}
func (f *fake) Pause(d time.Duration) error {
	until := time.Unix(0, 0).Add(d)
	return f.change(func(s *control.State) { s.PausedUntil = &until })
}
func (f *fake) SetRoute(registry, route string) error {
	if registry != "docker.io" {
		return fmt.Errorf("%s: no such registry: %w", registry, server.ErrRefused)
	}
	return f.change(func(s *control.State) { s.Registries[0].Route = route })
}
func (f *fake) Setting(key string) (string, error) { return "value of " + key, nil }
func (f *fake) SetSetting(key, value string) error {
	return f.change(func(s *control.State) { s.Home = key + "=" + value })
}
func (f *fake) CAs() []control.CA { return []control.CA{{Subject: "one"}} }
func (f *fake) RotateCA() error   { return nil }
func (f *fake) CATrusted()        {}
func (f *fake) History() control.History {
	return control.History{Days: []control.Point{{Bytes: control.Bytes{Requests: 3}}}}
}
func (f *fake) Events(int) ([]control.Event, error) { return []control.Event{{What: "blob"}}, nil }
func (f *fake) Follow() (<-chan control.Event, func()) {
	return f.events, func() {}
}

// memory is a listener whose connections are pipes.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}
func (m *memory) Close() error   { m.once.Do(func() { close(m.done) }); return nil }
func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// overBoth runs one suite over a real socket and in memory: the same code path but for the connection.
func overBoth(t *testing.T, suite func(t *testing.T, f *fake, c *client.Client, raw *http.Transport)) {
	serve := func(t *testing.T, ln net.Listener) *fake {
		f := newFake()
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- server.New(f, nil).Serve(ctx, ln) }()
		t.Cleanup(func() {
			stop()
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
		return f
	}
	run := func(t *testing.T, f *fake, dial func(context.Context) (net.Conn, error)) {
		raw := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
		c := client.NewWith(raw)
		t.Cleanup(c.Close)
		suite(t, f, c, raw)
	}
	t.Run("socket", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		ln, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		run(t, serve(t, ln), func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		})
	})
	t.Run("memory", func(t *testing.T) {
		ln := &memory{conns: make(chan net.Conn), done: make(chan struct{})}
		run(t, serve(t, ln), func(ctx context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			select {
			case ln.conns <- theirs:
				return ours, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
	})
}

func TestRequests(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, _ *http.Transport) {
		ctx := t.Context()
		if v, err := c.Version(ctx); err != nil || v.Program != "test" {
			t.Errorf("Version: %+v, %v", v, err)
		}
		if err := errors.Join(c.SetEnabled(ctx, false), c.Pause(ctx, time.Hour), c.SetRoute(ctx, "docker.io", "offline"), c.SetSetting(ctx, "a.b", "c"), c.RotateCA(ctx), c.CATrusted(ctx)); err != nil {
			t.Error(err)
		}
		s, err := c.State(ctx)
		if err != nil || s.Enabled || s.PausedUntil == nil || s.Registries[0].Route != "offline" || s.Home != "a.b=c" {
			t.Errorf("State: %+v, %v", s, err)
		}
		if v, err := c.Setting(ctx, "cache.max_size"); v != "value of cache.max_size" || err != nil {
			t.Errorf("Setting: %q, %v", v, err)
		}
		if l, err := c.Events(ctx, 5); err != nil || len(l) != 1 {
			t.Errorf("Events: %v, %v", l, err)
		}
		if h, err := c.History(ctx); err != nil || len(h.Days) != 1 || h.Days[0].Requests != 3 {
			t.Errorf("History: %+v, %v", h, err)
		}
		if l, err := c.CAs(ctx); err != nil || len(l) != 1 {
			t.Errorf("CAs: %v, %v", l, err)
		}
		var said *client.Error
		if err := c.SetRoute(ctx, "nowhere", "auto"); !errors.As(err, &said) || said.Text != "nowhere: no such registry" || said.Status/100 != 4 {
			t.Errorf("a refusal: %v", err)
		}
		f.broken = errors.New("the disk is gone")
		if err := c.SetEnabled(ctx, true); !errors.As(err, &said) || said.Text != "the disk is gone" || said.Status/100 != 5 {
			t.Errorf("a failure: %v", err)
		}
	})
}

func TestStreamBeginsWithTheWholeState(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, _ *http.Transport) {
		ctx, stop := context.WithCancel(t.Context())
		got := make(chan control.Message)
		ended := make(chan error, 1)
		go func() { ended <- c.Watch(ctx, true, func(m control.Message) { got <- m }) }()
		if m := <-got; m.State == nil || !m.State.Enabled {
			t.Errorf("first message %+v", m)
		}
		if err := f.SetEnabled(false); err != nil {
			t.Fatal(err)
		}
		if m := <-got; m.State == nil || m.State.Enabled {
			t.Errorf("after a change %+v", m)
		}
		f.events <- control.Event{What: "manifest"}
		if m := <-got; m.Event == nil || m.Event.What != "manifest" {
			t.Errorf("a request %+v", m)
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
}

func TestBrowsersAreRefused(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, _ *client.Client, raw *http.Transport) {
		for name, edit := range map[string]func(*http.Request){
			"Origin":         func(r *http.Request) { r.Header.Set("Origin", "http://localhost") },
			"Referer":        func(r *http.Request) { r.Header.Set("Referer", "http://x/") },
			"Sec-Fetch-Site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") },
			"Host":           func(r *http.Request) { r.Host = "evil.example" },
		} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://pulley/v1/enabled", strings.NewReader(`{"enabled":false}`))
			if err != nil {
				t.Fatal(err)
			}
			edit(r)
			response, err := raw.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusForbidden || !f.State().Enabled {
				t.Errorf("%s: %s", name, response.Status)
			}
		}
	})
}

// A request whose body got lost must not switch off.
func TestChangesSayWhat(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, _ *client.Client, raw *http.Transport) {
		for _, one := range []struct {
			method, path, body string
			status             int
		}{
			{"PUT", "enabled", "", 400},
			{"PUT", "enabled", "off", 400},
			{"PUT", "config", "", 400},
			{"POST", "ca/rotate", "", 200}, // nothing to say
			{"POST", "ca/rotate", "{}", 200},
		} {
			r, err := http.NewRequestWithContext(t.Context(), one.method, "http://pulley/v1/"+one.path, strings.NewReader(one.body))
			if err != nil {
				t.Fatal(err)
			}
			response, err := raw.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != one.status || !f.State().Enabled {
				t.Errorf("%s %s %q: %s, enabled %v", one.method, one.path, one.body, response.Status, f.State().Enabled)
			}
		}
	})
}

func TestAnotherMajorVersionSaysWhichSideToUpdate(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, _ *http.Transport) {
		f.major = control.Major + 1
		if _, err := c.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "update this program") {
			t.Errorf("a newer daemon: %v", err)
		}
		f.major = control.Major - 1
		if _, err := c.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "update and restart the daemon") {
			t.Errorf("an older daemon: %v", err)
		}
	})
}

// A socket that is somebody else's is no reason to start a daemon.
func TestNotAllowedToAsk(t *testing.T) {
	c := client.NewWith(&http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	}})
	if _, err := c.State(t.Context()); err == nil || errors.Is(err, client.ErrNotRunning) || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("%v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	c := client.New(filepath.Join(t.TempDir(), "s"))
	defer c.Close()
	if _, err := c.State(t.Context()); !errors.Is(err, client.ErrNotRunning) || !strings.Contains(err.Error(), "pulley up") {
		t.Errorf("%v", err)
	}
}
