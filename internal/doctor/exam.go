package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/distribution/reference"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/docker/wiring"
	"pulley/proxy/egress"
	"pulley/proxy/egress/system"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

// exam is one examination. What a step fills in is read by those that wait for it.
type exam struct {
	o       Options
	secrets *secrets
	done    map[string]*outcome // by step; the map does not change once they run
	usage   error               // the question was wrong; of the engine's step

	mu     sync.Mutex
	report *Report
	saidOf map[string]bool // what was said of one host and holds for others

	file   string         // of the settings
	cfg    *config.Config // nil: it cannot be read
	cfgErr error
	egress *egress.Egress
	tokens *token.Keeper
	set    *source.Set

	repository string
	tag        string // or "" with a digest
	digest     string
	reg        *config.Registry
	foreign    bool   // the registry is none that Pulley knows
	host       string // of the registry, host[:port]

	live   Daemon // nil: none runs
	state  *control.State
	listen string // where the daemon listens, or would
	up     bool

	liveErr error // why it does not, or cannot be asked

	engines []wiring.Engine
	proxied bool // the engine is pointed at us as a proxy: it has to trust us

	site     token.Site
	creds    token.Credentials
	login    string // the person's own, as a header
	bearer   string // what requests carry
	hint     token.Hint
	platform string // of the engine, "" unknown
	layers   []layer
	limit    source.RateLimit
	limited  bool // the limit's finding was made already
}

// open asks the daemon how it is, reads the settings that it goes by and makes of them what it makes.
func (x *exam) open(ctx context.Context) error {
	x.find(ctx)
	x.file = x.o.Places.ConfigFile
	if x.up {
		x.file = x.state.ConfigFile
	}
	x.cfg, x.cfgErr = config.Load(x.file, x.o.Environ)
	cfg := x.cfg
	if cfg == nil {
		cfg = config.Default()
	}
	x.listen = cfg.Listen
	if x.up {
		x.listen = x.state.Listen
	}
	for _, e := range cfg.Egresses {
		x.secrets.url(e.URL)
	}
	var read func(context.Context) (system.Settings, error)
	if x.o.System != nil {
		read = x.o.System
	}
	settings := func() *config.Config { return cfg }
	x.egress = egress.New(egress.Options{ //nolint:contextcheck // what asks the system has a time of its own
		Settings: settings, Environ: x.o.Environ, Resolver: x.o.Resolver, System: read, Now: x.o.Now,
		Self: func() []string { return []string{x.listen} },
	})
	x.tokens = token.NewKeeper(token.Options{Settings: settings, Network: x.egress, Now: x.o.Now})
	x.set = source.NewSet(source.Options{
		Settings: settings, Network: x.egress, Tokens: x.tokens, Now: x.o.Now, Where: func() string { return "here" }, Getenv: x.getenv,
	})
	return x.name(cfg)
}

func (x *exam) close() { x.egress.Close() }

// getenv looks a variable up; the last of a name counts.
func (x *exam) getenv(name string) (value string) {
	for _, line := range x.o.Environ {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			value = v
		}
	}
	return value
}

// sampleRegistry is asked where a person names no image.
const sampleRegistry = "docker.io"

// name finds out what image of which registry is meant.
func (x *exam) name(cfg *config.Config) error {
	image := x.o.Image
	if image == "" {
		reg, ok := cfg.Registry(sampleRegistry)
		if !ok || reg.Sample == "" {
			return errors.New("which image? try: pulley doctor IMAGE")
		}
		image = reg.Name + "/" + reg.Sample
	}
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return fmt.Errorf("%.100q is no image's name: %w; try: pulley doctor alpine", image, err)
	}
	domain := reference.Domain(named)
	x.repository = reference.Path(named)
	if tagged, ok := named.(reference.Tagged); ok {
		x.tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		x.digest = digested.Digest().String()
	}
	x.report.Image = named.String()
	reg, known := cfg.Registry(domain)
	if !known {
		reg, known = cfg.RegistryByHost(domain)
	}
	if !known { // it is tunnelled, and still worth a look
		reg, x.foreign = &config.Registry{Name: domain, Hosts: []string{domain}, Route: config.RouteDirect}, true
	}
	x.reg, x.report.Registry = reg, reg.Name
	x.host = domain
	if domain == reg.Name || !reg.Spells(domain) && len(reg.Hosts) > 0 && !strings.HasPrefix(reg.Hosts[0], "*") {
		x.host = reg.Hosts[0]
	}
	x.site = token.SiteOf(reg, x.host)
	x.host = x.site.Host
	return nil
}

// ref is what is asked for: the digest, or the tag.
func (x *exam) ref() string {
	if x.digest != "" {
		return x.digest
	}
	return x.tag
}

// scheme is that of the registry.
func (x *exam) scheme() string {
	if x.reg.Insecure {
		return "http"
	}
	return "https"
}

// withPort is host:port of a host that may have one.
func withPort(host, scheme string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	port := "443"
	if scheme == "http" {
		port = "80"
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// once reports whether this was not said yet.
func (x *exam) once(text string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.saidOf[text] {
		return false
	}
	if x.saidOf == nil {
		x.saidOf = map[string]bool{}
	}
	x.saidOf[text] = true
	return true
}

// get sends a request by the daemon's ways. The caller closes the body.
func (x *exam) get(ctx context.Context, method, url string, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", "pulley")
	return x.egress.Transport(x.reg.Name).RoundTrip(r)
}

// bareHost is a host without its port.
func bareHost(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}
