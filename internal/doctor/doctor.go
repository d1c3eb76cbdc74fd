// Package doctor walks the path of a pull, from the daemon and the engine to one byte of a layer, and says in plain words
// where it is broken or slow, why, and which one command mends it.
//
// There is a file for each thing that is looked at. What goes over the network goes the ways that the daemon goes (the
// same settings, by the same packages), and beside them without Pulley where that explains something. The cause is named
// and its consequences are not: what could not be looked at because of it is said to be not examined.
//
// It writes nothing and starts nothing. It must not know how findings are shown, nor mend anything itself: a fix is a
// command for a person, and whoever shows it may run those that are safe.
package doctor

import (
	"context"
	"runtime"
	"time"

	"pulley/internal/config"
	"pulley/internal/control"
	dockercontext "pulley/internal/docker/context"
	"pulley/internal/docker/wiring"
	"pulley/internal/trust"
	"pulley/proxy/egress"
	"pulley/proxy/egress/system"
)

// How long it may take: each step, and all of it.
const (
	StepLimit = 5 * time.Second
	Limit     = 30 * time.Second
)

// Options of an examination. Environ and Places must be set; what is nil is not looked at.
type Options struct {
	Image   string // as Docker takes it; "": a small public one
	Engine  string // an engine's ID or a docker context; "": the one that docker uses
	Environ []string
	Places  config.Places
	Version string // of this program
	Root    bool   // it runs as root, or as an administrator
	Now     func() time.Time

	// Daemon is the one that runs; an error that Is client.ErrNotRunning says that none does.
	Daemon func(ctx context.Context) (Daemon, error)
	// Start is the command that starts a background service that is installed; "" for none.
	Start func(ctx context.Context) string
	// Holder names the program that listens at an address, "" unknown.
	Holder func(address string) string
	// Contexts are docker's.
	Contexts Contexts
	// Engines are those that are installed.
	Engines func(ctx context.Context) []wiring.Engine
	// Trust compares the system's store with the PEM file of our authorities.
	Trust func(pemFile string) (trust.Status, error)
	// System reads the system's proxy settings.
	System func(ctx context.Context) (system.Settings, error)
	// Login is what docker's configuration has for an image's registry, as an Authorization header or "Refresh …"; false:
	// its credential helper fails.
	Login func(ctx context.Context, registry string) (authorization string, ok bool)
	// Resolver resolves names; nil is the system's.
	Resolver egress.Resolver
	// Progress is told what is looked at now. Calls may overlap.
	Progress func(step string)
}

// Daemon is what is asked of one that runs; *client.Client is one.
type Daemon interface {
	State(ctx context.Context) (control.State, error)
	Sources(ctx context.Context, registry string) ([]control.Source, error)
	Images(ctx context.Context) ([]control.Image, error)
	CAs(ctx context.Context) ([]control.CA, error)
	TestEgress(ctx context.Context, name, target string) (control.EgressReport, error)
}

// Contexts is what is asked of docker's contexts; *context.Book is one.
type Contexts interface {
	Winner(flag string) (dockercontext.Winner, error)
	Get(name string) (dockercontext.Entry, error)
	Test(ctx context.Context, name string) dockercontext.Report
}

// Report is what was found. It holds no secret.
type Report struct {
	Version   string    `json:"version"`
	System    string    `json:"system"` // linux/amd64
	Time      time.Time `json:"time"`
	Image     string    `json:"image,omitempty"`
	Registry  string    `json:"registry,omitempty"`
	Problems  int       `json:"problems"`
	Warnings  int       `json:"warnings"`
	Findings  []Finding `json:"findings"` // in the order of a pull's path
	Settings  *Settings `json:"settings,omitempty"`
	Hosts     []Host    `json:"hosts,omitempty"`
	Proxies   []Proxy   `json:"proxies,omitempty"`
	Mirrors   []Mirror  `json:"mirrors,omitempty"`
	Blob      *Measured `json:"blob,omitempty"`
	Took      []Took    `json:"took"`
	TookWhole Duration  `json:"took_whole"`
}

// Duration is one as a person reads it.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).Round(time.Millisecond).String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Took is how long a step took.
type Took struct {
	Step string   `json:"step"`
	Time Duration `json:"time"`
}

// Examine looks at everything, in at most Limit. Whatever it finds is in the report; the error is about the question alone:
// an image's name that is none, an engine that is not there.
func Examine(ctx context.Context, o Options) (*Report, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	x := &exam{o: o, secrets: secretsOf(o.Environ), done: map[string]*outcome{}}
	x.report = &Report{Version: o.Version, System: runtime.GOOS + "/" + runtime.GOARCH, Time: o.Now().UTC().Truncate(time.Second)}
	if err := x.open(ctx); err != nil {
		return nil, err
	}
	defer x.close()
	x.walk(ctx)
	if x.usage != nil {
		return nil, x.usage
	}
	x.report.TookWhole = Duration(time.Since(begin))
	x.finish()
	return x.report, nil
}

// steps are the path of a pull. Those that wait for none begin at once.
var steps = []step{
	{name: "settings", run: (*exam).settings},
	{name: "daemon", run: (*exam).daemon, after: []string{"settings"}},
	{name: "engines", run: (*exam).search},
	{name: "engine", run: (*exam).engine, after: []string{"daemon", "engines"}},
	{name: "trust", run: (*exam).trust, after: []string{"daemon", "engine"}},
	{name: "proxies", run: (*exam).proxies, after: []string{"daemon"}, needs: []string{"settings"}},
	{name: "loops", run: (*exam).loops, after: []string{"daemon"}, needs: []string{"settings"}},
	{name: "route", run: (*exam).route, after: []string{"daemon"}, needs: []string{"settings"}},
	{name: "way", run: (*exam).way, after: []string{"proxies"}, needs: []string{"settings", "route", "loops"}},
	{name: "registry", run: (*exam).ping, needs: []string{"way"}},
	{name: "token service", run: (*exam).token, needs: []string{"registry"}},
	{name: "manifest", run: (*exam).manifest, after: []string{"engine"}, needs: []string{"token service"}}, // for its platform
	{name: "blob", run: (*exam).blob, needs: []string{"manifest"}},
	{name: "limits", run: (*exam).limits, after: []string{"manifest", "blob"}, needs: []string{"settings", "route"}},
	{name: "mirrors", run: (*exam).mirrors, after: []string{"daemon"}, needs: []string{"settings"}},
	{name: "disk", run: (*exam).disk, after: []string{"daemon"}, needs: []string{"settings"}},
}
