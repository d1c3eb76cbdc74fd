package model

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultContext is the context that cannot be changed: what the environment says.
const DefaultContext = "default"

// Context is a docker context, as `pulley context ls --json` has it.
type Context struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"` // local, remote, unknown
	Host        string `json:"host"`
	Description string `json:"description"`
	Mark        *Mark  `json:"mark"`
	TLS         bool   `json:"tls"`
	Wins        bool   `json:"wins"`
	Why         string `json:"why"` // of the one that wins: a variable, "currentContext", or that nothing else is set
	Error       string `json:"error"`
	Cures       []Cure `json:"cures"`
}

// Mark is a word in a colour that tells a context from others.
type Mark struct {
	Word   string `json:"mark"`
	Colour string `json:"colour"`
}

// Cure is what can be done about an engine elsewhere, which does not use this Pulley.
type Cure struct {
	What    string `json:"what"`
	Command string `json:"command"`
}

// SSH says whether its machine is reached by ssh: what it takes to share with it, or to go out by it.
func (c Context) SSH() bool { return strings.HasPrefix(c.Host, "ssh://") }

// Fixed says that it can be neither changed nor removed.
func (c Context) Fixed() bool { return c.Name == DefaultContext }

// ContextReport is how an engine answered, as `pulley context test --json` has it.
type ContextReport struct {
	Name      string        `json:"name"`
	Reachable bool          `json:"reachable"`
	Error     string        `json:"error"`
	Cause     string        `json:"cause"` // the kind of that
	Engine    string        `json:"engine"`
	System    string        `json:"system"`
	Latency   time.Duration `json:"latency_ns"`
	Mirrors   []string      `json:"mirrors"`
	Proxy     string        `json:"proxy"`
	Images    int           `json:"images"`
	Running   int           `json:"running"`
	Disk      int64         `json:"disk_bytes"` // -1: not known
}

// Rest is how long a report holds: engines elsewhere are not asked more often.
const Rest = 30 * time.Second

// Contexts are the contexts with what is known of their engines. For one goroutine.
type Contexts struct {
	list    []Context
	reports map[string]ContextReport
	tested  time.Time
	column  string
	down    bool
}

// NewContexts makes one without any.
func NewContexts() *Contexts { return &Contexts{reports: map[string]ContextReport{}, column: "name"} }

// Set takes a list. Reports of contexts that are gone, or lead elsewhere now, are forgotten.
func (c *Contexts) Set(list []Context) {
	reports := make(map[string]ContextReport, len(list))
	for _, x := range list {
		old, known := c.Get(x.Name)
		if !known || old.Host != x.Host {
			c.tested = time.Time{} // it is asked soon
		} else if r, asked := c.reports[x.Name]; asked {
			reports[x.Name] = r
		}
	}
	c.list, c.reports = slices.Clone(list), reports
	c.sort()
}

// Report takes reports that came at a time.
func (c *Contexts) Report(list []ContextReport, at time.Time) {
	for _, r := range list {
		c.reports[r.Name] = r
	}
	c.tested = at
	c.sort()
}

// Due says whether engines are to be asked again.
func (c *Contexts) Due(now time.Time) bool {
	return len(c.list) > 0 && (c.tested.IsZero() || now.Sub(c.tested) >= Rest)
}

// Stale has engines asked again as soon as somebody looks.
func (c *Contexts) Stale() { c.tested = time.Time{} }

// Tested is when they were asked last; zero: never.
func (c *Contexts) Tested() time.Time { return c.tested }

// Len is how many there are.
func (c *Contexts) Len() int { return len(c.list) }

// At is one by its row.
func (c *Contexts) At(row int) Context { return c.list[row] }

// Names are all names.
func (c *Contexts) Names() []string {
	names := make([]string, len(c.list))
	for i, x := range c.list {
		names[i] = x.Name
	}
	return names
}

// Get is one by its name.
func (c *Contexts) Get(name string) (Context, bool) {
	i := slices.IndexFunc(c.list, func(x Context) bool { return x.Name == name })
	if i < 0 {
		return Context{}, false
	}
	return c.list[i], true
}

// ReportOf is the last report on one.
func (c *Contexts) ReportOf(name string) (ContextReport, bool) {
	r, ok := c.reports[name]
	return r, ok
}

// InForce is the one that docker uses.
func (c *Contexts) InForce() (Context, bool) {
	i := slices.IndexFunc(c.list, func(x Context) bool { return x.Wins })
	if i < 0 {
		return Context{}, false
	}
	return c.list[i], true
}

// Use shows one as chosen before docker's own settings say so. Where a variable decides, that one stays in force.
func (c *Contexts) Use(name string) {
	if now, ok := c.InForce(); ok && strings.HasPrefix(now.Why, "DOCKER_") {
		return
	}
	for i := range c.list {
		c.list[i].Wins, c.list[i].Why = false, ""
		if c.list[i].Name == name {
			c.list[i].Wins, c.list[i].Why = true, "currentContext"
		}
	}
	c.sort()
}

// Drop takes one out of the list.
func (c *Contexts) Drop(name string) {
	c.list = slices.DeleteFunc(c.list, func(x Context) bool { return x.Name == name })
}

// Sort puts them into an order: name, host, latency, running, disk, mark.
func (c *Contexts) Sort(column string, down bool) {
	c.column, c.down = column, down
	c.sort()
}

func (c *Contexts) sort() {
	slices.SortStableFunc(c.list, func(a, b Context) int {
		order := c.compare(a, b)
		if c.down {
			order = -order
		}
		return cmp.Or(order, strings.Compare(a.Name, b.Name))
	})
}

func (c *Contexts) compare(a, b Context) int {
	x, y := c.reports[a.Name], c.reports[b.Name]
	switch c.column {
	case "mark":
		return strings.Compare(a.word(), b.word())
	case "host":
		return strings.Compare(a.Host, b.Host)
	case "latency":
		return cmp.Compare(x.rank(), y.rank())
	case "running":
		return cmp.Compare(x.Running, y.Running)
	case "images":
		return cmp.Compare(x.Images, y.Images)
	case "disk":
		return cmp.Compare(x.Disk, y.Disk)
	}
	return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
}

func (c Context) word() string {
	if c.Mark == nil {
		return "\uffff" // after those that have one
	}
	return c.Mark.Word
}

// rank puts those that cannot be reached after the slowest.
func (r ContextReport) rank() time.Duration {
	if !r.Reachable {
		return time.Hour
	}
	return r.Latency
}

// ContextForm is what a person fills in to make or to change a context.
type ContextForm struct {
	Name, Host, Description string
	CA, Cert, Key           string // files, for tcp://
	Mark, Colour            string
}

var (
	contextName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$`) // docker/cli, cli/context/store
	markWord    = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} _.-]{0,31}$`)
)

// Wrong is the first thing that is wrong with it, as the key of a text, and of which field; "" if it can be handed in. taken are
// the names that there are already.
func (f ContextForm) Wrong(taken []string) (field, key string) {
	host, tls := f.host(), f.CA+f.Cert+f.Key != ""
	u, err := url.Parse(host)
	switch {
	case f.Name == "":
		return "name", "docker.form.name_needed"
	case !contextName.MatchString(f.Name) || f.Name == DefaultContext:
		return "name", "docker.form.name_bad"
	case slices.Contains(taken, f.Name):
		return "name", "docker.form.name_taken"
	case host == "":
		return "host", "docker.form.host_needed"
	case err != nil || u.Scheme == "":
		return "host", "docker.form.host_bad"
	case !slices.Contains([]string{"ssh", "tcp", "unix", "npipe"}, u.Scheme):
		return "host", "docker.form.host_scheme"
	case (u.Scheme == "ssh" || u.Scheme == "tcp") && u.Hostname() == "", u.Scheme == "unix" && u.Path == "":
		return "host", "docker.form.host_bad"
	case u.User != nil && passworded(u):
		return "host", "docker.form.host_password"
	case tls && u.Scheme != "tcp":
		return "tls", "docker.form.tls_scheme"
	case (f.Cert == "") != (f.Key == ""):
		return "tls", "docker.form.tls_pair"
	case f.Mark != "" && !markWord.MatchString(f.Mark):
		return "mark", "docker.form.mark_bad"
	}
	return "", ""
}

func passworded(u *url.URL) bool {
	_, has := u.User.Password()
	return has
}

// host is the address as it is meant: user@machine, and a path, without a scheme, too.
func (f ContextForm) host() string {
	host := strings.TrimSpace(f.Host)
	switch {
	case host == "" || strings.Contains(host, "://"):
		return host
	case strings.HasPrefix(host, "/"):
		return "unix://" + host
	case strings.Contains(host, "@"):
		return "ssh://" + host
	}
	return host
}

// Open says that whoever reaches the engine is root there: TCP without certificates to another machine.
func (f ContextForm) Open() bool {
	u, err := url.Parse(f.host())
	return err == nil && u.Scheme == "tcp" && f.CA+f.Cert == "" && u.Hostname() != "localhost" && !strings.HasPrefix(u.Hostname(), "127.")
}

// TCP says that it is reached by TCP, where certificates have a use.
func (f ContextForm) TCP() bool { return strings.HasPrefix(f.host(), "tcp://") }

// Create are the arguments that make it.
func (f ContextForm) Create() []string {
	args := []string{"context", "create", f.Name, f.host()}
	for _, flag := range [][2]string{{"--description", f.Description}, {"--ca", f.CA}, {"--cert", f.Cert}, {"--key", f.Key}, {"--mark", f.Mark}} {
		if flag[1] != "" {
			args = append(args, flag[0], flag[1])
		}
	}
	if f.Mark != "" && f.Colour != "" {
		args = append(args, "--colour", f.Colour)
	}
	return args
}

// Form is a context as a person may change it. Its certificates are not shown: they stay unless others are given.
func (c Context) Form() ContextForm {
	f := ContextForm{Name: c.Name, Host: c.Host, Description: c.Description}
	if c.Mark != nil {
		f.Mark, f.Colour = c.Mark.Word, c.Mark.Colour
	}
	return f
}

// Update are the arguments that make of one what f says; nil: nothing has changed.
func (f ContextForm) Update(was Context) []string {
	old, args := was.Form(), []string{"context", "update", f.Name}
	if host := f.host(); host != old.Host {
		args = append(args, "--host", host)
	}
	if f.Description != old.Description {
		args = append(args, "--description", f.Description)
	}
	for _, flag := range [][2]string{{"--ca", f.CA}, {"--cert", f.Cert}, {"--key", f.Key}} {
		if flag[1] != "" {
			args = append(args, flag[0], flag[1])
		}
	}
	if f.Mark != old.Mark || f.Mark != "" && f.Colour != old.Colour {
		args = append(args, "--mark", f.Mark)
		if f.Mark != "" && f.Colour != "" {
			args = append(args, "--colour", f.Colour)
		}
	}
	if len(args) == 3 {
		return nil
	}
	return args
}

// Colours are those of marks that have a name.
var Colours = []string{"red", "orange", "yellow", "green", "blue", "purple", "grey"}

// NamedColour is the one of Colours that a mark's colour is, or is like.
func NamedColour(colour string) string {
	if slices.Contains(Colours, colour) {
		return colour
	}
	rgb, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil || len(colour) != 7 {
		return "grey"
	}
	hue, saturation := hueOf(int(rgb>>16&0xff), int(rgb>>8&0xff), int(rgb&0xff))
	switch {
	case saturation < 0.15:
		return "grey"
	case hue < 15 || hue >= 330:
		return "red"
	case hue < 42:
		return "orange"
	case hue < 70:
		return "yellow"
	case hue < 175:
		return "green"
	case hue < 255:
		return "blue"
	}
	return "purple"
}

// hueOf is a colour's hue in degrees, and its saturation (HSV).
func hueOf(r, g, b int) (hue, saturation float64) {
	top, low := max(r, g, b), min(r, g, b)
	span := float64(top - low)
	switch {
	case span == 0:
		return 0, 0
	case top == r:
		hue = 60 * float64(g-b) / span
	case top == g:
		hue = 120 + 60*float64(b-r)/span
	default:
		hue = 240 + 60*float64(r-g)/span
	}
	if hue < 0 {
		hue += 360
	}
	return hue, span / float64(top)
}
