package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
	dockercontext "pulley/internal/docker/context"
	"pulley/internal/docker/wiring"
	"pulley/internal/doctor"
	"pulley/internal/hubtest"
	"pulley/internal/waytest"
	"pulley/proxy/egress/system"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names resolves as it is told.
type names map[string][]string

func (n names) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	list, ok := n[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if list == nil { // says nothing
		<-ctx.Done()
		return nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}
	}
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

// daemon is one that runs and says what it is told to.
type daemon struct {
	state control.State
	cas   []control.CA
	err   error
}

func (d *daemon) State(ctx context.Context) (control.State, error) {
	if d.err != nil {
		<-ctx.Done()
		return d.state, d.err
	}
	return d.state, nil
}
func (d *daemon) Sources(context.Context, string) ([]control.Source, error) { return nil, nil }
func (d *daemon) Images(context.Context) ([]control.Image, error)           { return nil, nil }
func (d *daemon) TestEgress(context.Context, string, string) (control.EgressReport, error) {
	return control.EgressReport{}, nil
}
func (d *daemon) CAs(context.Context) ([]control.CA, error) { return d.cas, nil }

// contexts are docker's, with one that wins.
type contexts struct {
	entry  dockercontext.Entry
	report dockercontext.Report
	err    error
}

func (c contexts) Winner(string) (dockercontext.Winner, error) {
	why := "currentContext"
	if c.entry.Name == dockercontext.Default {
		why = "nothing else is set"
	}
	return dockercontext.Winner{Name: c.entry.Name, Why: why, Host: c.entry.Host, Error: c.entry.Error}, c.err
}
func (c contexts) Get(name string) (dockercontext.Entry, error) {
	if name != c.entry.Name {
		return dockercontext.Entry{}, dockercontext.ErrNotFound
	}
	return c.entry, nil
}
func (c contexts) Test(context.Context, string) dockercontext.Report { return c.report }

// examined is a machine whose registry lab.test is a hub at 127.0.0.1.
func examined(t *testing.T) (*hubtest.Hub, *doctor.Options) {
	t.Helper()
	hub := &hubtest.Hub{Sites: []*hubtest.Site{{Host: "lab.test"}}}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	hub.Site("lab.test").Push("app", "1", hubtest.RandomImage(1, 1, 1<<20))
	_, port, _ := net.SplitHostPort(hub.Addr())
	home := t.TempDir()
	text := fmt.Sprintf("[fetch]\nextra_roots = [%q]\n[[registry]]\nname = \"lab.test\"\nhosts = [\"lab.test:%s\"]\n", hub.RootsFile(), port)
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return hub, &doctor.Options{Image: "lab.test/app:1", Places: config.PlacesIn(home), Resolver: names{"lab.test": {"127.0.0.1"}}}
}

func troubles(r *doctor.Report) (ids []string) {
	for _, f := range r.Findings {
		if f.Level == doctor.Warning || f.Level == doctor.Problem {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

func examine(t *testing.T, o *doctor.Options) *doctor.Report {
	t.Helper()
	r, err := doctor.Examine(t.Context(), *o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestCauses are those that need a machine which a test cannot make for real.
func TestCauses(t *testing.T) {
	for _, c := range []struct {
		name string
		sick func(t *testing.T, o *doctor.Options)
		want []string
		say  string
	}{
		{"nothing", func(*testing.T, *doctor.Options) {}, nil, ""},
		{"the resolver is silent", func(_ *testing.T, o *doctor.Options) { o.Resolver = names{"lab.test": nil} }, []string{"names.resolver"}, "resolver does not answer"},
		{"a filter's answer", func(_ *testing.T, o *doctor.Options) {
			o.Image, o.Resolver = "alpine", names{"registry-1.docker.io": {"0.0.0.0"}}
		}, []string{"names.bogus"}, "where no public registry is"},
		{"IPv6 is broken", func(_ *testing.T, o *doctor.Options) { o.Resolver = names{"lab.test": {"::1", "127.0.0.1"}} }, []string{"address.ipv6"}, "IPv6 is broken"},
		{"a disk that is full", runs(func(s *control.State, _ *daemon) {
			s.Cache = control.Cache{Dir: "/cache", Size: 9 << 30, Free: 1 << 20}
		}), []string{"disk.full"}, "is full: 1MiB left"},
		{"a disk that others fill", runs(func(s *control.State, _ *daemon) {
			s.Cache = control.Cache{Dir: "/cache", Size: 1 << 20, Free: 300 << 20}
		}), []string{"disk.full"}, "Something else than the cache fills it"},
		{"no room for what comes", runs(func(s *control.State, _ *daemon) {
			s.Problems = []control.Problem{{Key: control.KeyCacheUnstored, About: "cache: no space left: write: no space left on device", Text: "not everything can be cached: cache: no space left"}}
		}), []string{"disk.full"}, "pulley cache gc --free 5GB"},
		{"an image larger than the cache", runs(func(s *control.State, _ *daemon) {
			s.Problems = []control.Problem{{Key: control.KeyCacheUnstored, About: "cache: larger than cache.max_size", Text: "not everything can be cached: cache: larger than cache.max_size"}}
		}), []string{"disk.small"}, "Fix:pulley config set cache.max_size 20GiB Safe:false"},
		{"a disk that others crowd", runs(func(s *control.State, _ *daemon) {
			s.Cache = control.Cache{Dir: "/cache", Size: 9 << 30, Free: 300 << 20}
			s.Problems = []control.Problem{{Key: control.KeyCacheCrowded, Thing: "/cache", Text: "the disk that the cache is on is nearly full; the cache has made what room it could"}}
		}), []string{"disk.full"}, "Fix:pulley cache stat Safe:false"},
		{"a shared store that is not used", runs(func(s *control.State, _ *daemon) {
			s.Problems = []control.Problem{{Key: control.KeyStoreUnused, About: "no bucket", Text: "the shared store is not used: no bucket"}}
		}), []string{"store.unused"}, "no bucket"},
		{"a proxy that leads back", runs(func(s *control.State, _ *daemon) {
			s.Problems = []control.Problem{{Key: control.KeyEgressLoops, Text: "the system's proxy http://127.0.0.1:7890: it sends our connections back to pulley, and is not used"}}
		}), []string{"loop.proxy"}, "Have it connect directly"},
		{"a mirror that was put out", func(t *testing.T, o *doctor.Options) {
			runs(func(s *control.State, _ *daemon) {
				s.Problems = []control.Problem{{Key: control.KeyMirrorLied, Thing: "lab.test/liar", About: "sends what its digest does not say"}}
			})(t, o)
			addMirror(t, o, "liar")
		}, []string{"mirror.lies"}, "mirror liar of lab.test is not used"},
		{"an authority that ends", runs(func(_ *control.State, d *daemon) {
			d.cas = []control.CA{{Subject: "Pulley local CA 1", NotAfter: time.Now().Add(72 * time.Hour)}}
		}), []string{"trust.ending"}, "pulley ca rotate"},
		{"the daemon is stuck", func(_ *testing.T, o *doctor.Options) {
			o.Daemon = func(context.Context) (doctor.Daemon, error) {
				return &daemon{err: context.DeadlineExceeded}, nil
			}
		}, []string{"daemon.stuck"}, "does not answer"},
		{"the daemon is of another major version", func(_ *testing.T, o *doctor.Options) {
			o.Daemon = func(context.Context) (doctor.Daemon, error) {
				return nil, errors.New("the daemon (2.0) is newer than this program; update this program")
			}
		}, []string{"daemon.version"}, "newer than this program"},
		{"a remote engine", docker(dockercontext.Entry{Name: "prod", Kind: dockercontext.Remote, Host: "ssh://prod"}, dockercontext.Report{Reachable: true, System: "linux/x86_64"}),
			[]string{"engine.remote"}, "pulley context share prod"},
		{"an engine for others", docker(dockercontext.Entry{Name: "mine", Kind: dockercontext.Local, Host: "unix:///run/docker.sock"},
			dockercontext.Report{Error: "mine: this user may not talk to the engine; be one of the group docker there: sudo usermod -aG docker USER"}),
			[]string{"engine.denied"}, "sudo usermod -aG docker"},
		{"no engine", docker(dockercontext.Entry{Name: dockercontext.Default, Kind: dockercontext.Local, Host: "unix:///var/run/docker.sock"},
			dockercontext.Report{Error: "default: there is no socket; is the engine running?"}), nil, "no container engine runs here"},
		{"docker is installed, and podman runs", func(t *testing.T, o *doctor.Options) {
			docker(dockercontext.Entry{Name: dockercontext.Default, Kind: dockercontext.Local, Host: "unix:///var/run/docker.sock"},
				dockercontext.Report{Error: "default: there is no socket; is the engine running?"})(t, o)
			o.Engines = func(context.Context) []wiring.Engine {
				return []wiring.Engine{
					{ID: "docker", Name: "Docker Engine", Socket: "unix:///run/docker.sock"},
					{ID: "podman", Name: "Podman", Running: true, Wired: wiring.Wired{Way: wiring.Mirror, To: []string{"https://mirror.example"}}},
				}
			}
		}, []string{"engine.down"}, "Level:warning What:docker's engine does not answer: default: there is no socket Why:No docker command works until it does. Is the engine running? Fix:sudo s"},
		{"contexts that cannot be read", func(_ *testing.T, o *doctor.Options) {
			o.Contexts = contexts{err: errors.New("config.json:3: is no JSON")}
		}, []string{"engine.context"}, "config.json:3"},
		{"an engine found, and not wired", func(_ *testing.T, o *doctor.Options) {
			o.Engines = func(context.Context) []wiring.Engine {
				return []wiring.Engine{{ID: "podman", Name: "Podman", Running: true}}
			}
		}, []string{"engine.unwired"}, "pulley connect podman"},
		{"an engine that was asked for, and does not run", func(_ *testing.T, o *doctor.Options) {
			o.Engine = "containerd"
			o.Engines = func(context.Context) []wiring.Engine { return []wiring.Engine{{ID: "containerd", Name: "containerd"}} }
		}, []string{"engine.down"}, "containerd does not run"},
		{"a root certificate that is gone", func(t *testing.T, o *doctor.Options) {
			edit(t, o, func(text string) string {
				return strings.Replace(text, "extra_roots = [", "extra_roots = [\"/gone.pem\", ", 1)
			})
		}, []string{"settings.roots"}, "/gone.pem"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, o := examined(t)
			c.sick(t, o)
			r := examine(t, o)
			text := fmt.Sprintf("%+v", r.Findings)
			if got := troubles(r); !slices.Equal(got, c.want) || !strings.Contains(text, c.say) {
				t.Errorf("blamed %v, want %v and %q: %s", got, c.want, c.say, strings.ReplaceAll(text, "} {", "}\n{"))
			}
		})
	}
}

// runs has a daemon.
func runs(change func(*control.State, *daemon)) func(*testing.T, *doctor.Options) {
	return func(t *testing.T, o *doctor.Options) {
		t.Helper()
		d := &daemon{state: control.State{Enabled: true, Listen: healthy(t), ConfigFile: o.Places.ConfigFile, Cache: control.Cache{Free: -1}}}
		change(&d.state, d)
		o.Daemon = func(context.Context) (doctor.Daemon, error) { return d, nil }
	}
}

// healthy answers as our port does.
func healthy(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(time.Second))
			if n, _ := c.Read(make([]byte, 4096)); n > 0 {
				_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"))
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().String()
}

func docker(e dockercontext.Entry, r dockercontext.Report) func(*testing.T, *doctor.Options) {
	return func(_ *testing.T, o *doctor.Options) { o.Contexts = contexts{entry: e, report: r} }
}

func edit(t *testing.T, o *doctor.Options, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(o.Places.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Places.ConfigFile, []byte(change(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
}

func addMirror(t *testing.T, o *doctor.Options, name string) {
	t.Helper()
	edit(t, o, func(text string) string {
		return text + "[[registry.mirror]]\nname = \"" + name + "\"\nurl = \"http://127.0.0.1:9\"\nstyle = \"host\"\nenabled = true\n"
	})
}

// authority is a machine with a CA.
func authority(t *testing.T, o *doctor.Options) {
	t.Helper()
	if err := os.MkdirAll(o.Places.CADir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Places.CADir, "ca.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestNothingIsWrittenAndTimeIsKept: an examination leaves the machine as it was, and a machine on which everything hangs is
// examined in time.
func TestNothingIsWrittenAndTimeIsKept(t *testing.T) {
	t.Parallel()
	_, o := examined(t)
	o.Environ = []string{"HOME=" + t.TempDir()}
	o.Resolver = names{"lab.test": nil}
	o.Daemon = func(ctx context.Context) (doctor.Daemon, error) { <-ctx.Done(); return nil, ctx.Err() }
	o.System = func(ctx context.Context) (system.Settings, error) { <-ctx.Done(); return system.Settings{}, ctx.Err() }
	o.Login = func(ctx context.Context, _ string) (string, bool) { <-ctx.Done(); return "", false }
	begin := time.Now()
	r := examine(t, o)
	if took := time.Since(begin); took > doctor.Limit+2*time.Second {
		t.Errorf("it took %v", took)
	}
	if r.Problems == 0 {
		t.Errorf("%+v", r.Findings)
	}
	entries, err := os.ReadDir(o.Places.Home)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestPrivateNamesAreKept: fetch.doh is told no name that stands for something private.
func TestPrivateNamesAreKept(t *testing.T) {
	t.Parallel()
	hub, o := examined(t)
	resolver := waytest.DoH(t, map[string][]string{"lab.test": {"127.0.0.1"}})
	edit(t, o, func(text string) string {
		return strings.Replace(text, "extra_roots = [", fmt.Sprintf("doh = %q\nextra_roots = [%q, ", resolver.URL, resolver.Root), 1)
	})
	hub.Down()
	if got := troubles(examine(t, o)); !slices.Equal(got, []string{"address.refused"}) {
		t.Errorf("%v", got)
	}
	if q := resolver.Questions(); len(q) > 0 {
		t.Errorf("it was asked %v", q)
	}
	o.Resolver = names{}
	if got := troubles(examine(t, o)); !slices.Equal(got, []string{"names.blocked"}) || len(resolver.Questions()) == 0 {
		t.Errorf("of a name that does not resolve: %v", got)
	}
}

func notRunning(context.Context) (doctor.Daemon, error) {
	return nil, fmt.Errorf("%w (nothing answers)", client.ErrNotRunning)
}

// TestNotRunning is told by the error that the client gives.
func TestNotRunning(t *testing.T) {
	_, o := examined(t)
	edit(t, o, func(text string) string { return "listen = \"127.0.0.1:9\"\n" + text })
	o.Daemon = notRunning
	for start, want := range map[string]string{"": "pulley up", "pulley service start": "pulley service start"} {
		o.Start = func(context.Context) string { return start }
		r := examine(t, o)
		if got := troubles(r); !slices.Equal(got, []string{"daemon.down"}) {
			t.Errorf("%v", got)
		}
		i := slices.IndexFunc(r.Findings, func(f doctor.Finding) bool { return f.ID == "daemon.down" })
		if f := r.Findings[max(i, 0)]; f.Fix != want || f.Safe != (start != "") {
			t.Errorf("%+v", f)
		}
	}
}

// TestFixesAreCommands: those that --fix may run are pulley's own.
func TestFixesAreCommands(t *testing.T) {
	for fix, want := range map[string][]string{
		"pulley on":                         {"on"},
		`pulley config set a.b "two words"`: {"config", "set", "a.b", "two words"},
		"docker login":                      nil,
		"":                                  nil,
	} {
		if got := (doctor.Finding{Fix: fix}).Args(); !slices.Equal(got, want) {
			t.Errorf("%q: %q", fix, got)
		}
	}
}
