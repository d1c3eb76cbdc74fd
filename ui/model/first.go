package model

import (
	"cmp"
	"slices"
	"time"

	"pulley/internal/control"
	"pulley/ui/lang"
)

// StepState is how one step of the first run stands.
type StepState int

// States of a step.
const (
	StepOpen StepState = iota // not yet
	StepDone
	StepSkipped
)

// First is how far somebody is who has just come. For one goroutine.
type First struct {
	steps [FirstSteps]StepState
	at    int
}

// The steps, in their order.
const (
	TrustStep = iota
	EngineStep
	MirrorStep
	ProveStep
	FirstSteps // how many
)

// Now is the step that is shown; it is FirstSteps when all are behind.
func (f *First) Now() int { return f.at }

// State is how a step stands.
func (f *First) State(step int) StepState { return f.steps[step] }

// Over says that nothing is left to do.
func (f *First) Over() bool { return f.at == FirstSteps }

// Done says that a step was taken, and goes on.
func (f *First) Done(step int) { f.end(step, StepDone) }

// Skip leaves a step out, and goes on. One that was taken before stays so.
func (f *First) Skip(step int) {
	if f.steps[step] == StepDone {
		f.end(step, StepDone)
		return
	}
	f.end(step, StepSkipped)
}

func (f *First) end(step int, state StepState) {
	f.steps[step] = state
	if f.at == step {
		f.at++
	}
	for f.at < FirstSteps && f.steps[f.at] != StepOpen {
		f.at++
	}
}

// Back goes to a step, whatever became of it.
func (f *First) Back(step int) { f.at = step }

// Undone says that a step was taken back.
func (f *First) Undone(step int) {
	f.steps[step] = StepOpen
	f.at = step
}

// Measured is one source of a registry under test.
type Measured struct {
	Name    string
	Origin  bool
	URL     string
	About   string
	Needs   string // what one must have to use it
	Closed  string // since when it serves the public no more
	Enabled bool   // it is switched on in the settings
	Chosen  bool   // the person has ticked it

	Running   bool
	Progress  control.MirrorTesting
	Report    *control.MirrorReport // nil: not measured yet
	ReportErr string                // the test could not be made
}

// Usable says that a test has found it good.
func (m Measured) Usable() bool {
	return m.Report != nil && m.Report.Reachable && m.Report.Error == "" && m.Report.Agrees != "no"
}

// Rate is its speed as far as it is known, in bytes a second.
func (m Measured) Rate() float64 {
	if m.Report != nil {
		return m.Report.Rate
	}
	return m.Progress.Rate
}

// FirstByte is how long its first byte took, as far as that is known.
func (m Measured) FirstByte() time.Duration {
	if m.Report != nil {
		return m.Report.FirstByte
	}
	return m.Progress.FirstByte
}

// Contest is the sources of one registry, measured against each other. For one goroutine.
type Contest struct {
	Registry string
	List     []Measured
}

// NewContest takes the sources that can be measured: those that have been closed to the public are left out.
func NewContest(registry string, sources []control.Source) *Contest {
	c := &Contest{Registry: registry}
	for _, s := range sources {
		if s.Closed != "" && !s.Enabled {
			continue
		}
		c.List = append(c.List, Measured{
			Name: s.Name, Origin: s.Origin, URL: s.URL, About: s.About, Needs: s.Needs, Closed: s.Closed,
			Enabled: s.Enabled || s.Origin, Chosen: s.Enabled || s.Origin,
		})
	}
	return c
}

func (c *Contest) find(name string) *Measured {
	for i := range c.List {
		if c.List[i].Name == name {
			return &c.List[i]
		}
	}
	return nil
}

// Begin says that one is being measured.
func (c *Contest) Begin(name string) {
	if m := c.find(name); m != nil {
		m.Running, m.Progress, m.Report, m.ReportErr = true, control.MirrorTesting{}, nil, ""
	}
}

// Heard takes how far it is.
func (c *Contest) Heard(name string, p control.MirrorTesting) {
	if m := c.find(name); m != nil && m.Running {
		m.Progress = p
	}
}

// End takes what came of it.
func (c *Contest) End(name string, r control.MirrorReport, err error) {
	m := c.find(name)
	if m == nil {
		return
	}
	m.Running = false
	if err != nil {
		m.ReportErr = lang.Reason(err)
		return
	}
	m.Report = &r
}

// CallOff says that the measuring of one was broken off.
func (c *Contest) CallOff(name string) {
	if m := c.find(name); m != nil {
		m.Running, m.Progress = false, control.MirrorTesting{}
	}
}

// Choose ticks a mirror, or takes the tick away. The origin is always asked.
func (c *Contest) Choose(name string, on bool) {
	if m := c.find(name); m != nil && !m.Origin {
		m.Chosen = on
	}
}

// Measuring says that one is being measured now.
func (c *Contest) Measuring() bool {
	return slices.ContainsFunc(c.List, func(m Measured) bool { return m.Running })
}

// Over says that all were measured.
func (c *Contest) Over() bool {
	return len(c.List) > 0 && !slices.ContainsFunc(c.List, func(m Measured) bool { return m.Report == nil && m.ReportErr == "" })
}

// Best is the fastest that was found good, "" if none was.
func (c *Contest) Best() string {
	best := -1
	for i, m := range c.List {
		if m.Usable() && (best < 0 || m.Rate() > c.List[best].Rate()) {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	return c.List[best].Name
}

// Fastest is the highest speed seen so far.
func (c *Contest) Fastest() float64 {
	var fastest float64
	for _, m := range c.List {
		fastest = max(fastest, m.Rate())
	}
	return fastest
}

// worthwhile is how much of the origin's speed a mirror must have to be proposed: slow sources add up.
const worthwhile = 0.25

// Propose ticks the mirrors that help: found good, agreeing with the origin, and fast enough beside it to add something, or
// all there is where the origin cannot be reached. Those that were ticked before stay so if they are good.
func (c *Contest) Propose() {
	var origin float64
	for _, m := range c.List {
		if m.Origin && m.Usable() {
			origin = m.Rate()
		}
	}
	for i := range c.List {
		m := &c.List[i]
		if m.Origin {
			continue
		}
		good := m.Usable() && m.Needs == ""
		m.Chosen = good && (m.Enabled || m.Rate() >= worthwhile*origin)
	}
}

// Sort puts the fastest first, those that are no good last. The origin stays at the top: the others are measured against it.
func (c *Contest) Sort() {
	slices.SortStableFunc(c.List, func(a, b Measured) int {
		if a.Origin != b.Origin {
			return map[bool]int{true: -1, false: 1}[a.Origin]
		}
		if a.Usable() != b.Usable() {
			return map[bool]int{true: -1, false: 1}[a.Usable()]
		}
		return cmp.Compare(b.Rate(), a.Rate())
	})
}

// Changes are the mirrors to be switched so that those are on which are ticked.
func (c *Contest) Changes() (list []control.MirrorSwitch) {
	for _, m := range c.List {
		if !m.Origin && m.Chosen != m.Enabled {
			list = append(list, control.MirrorSwitch{Registry: c.Registry, Name: m.Name, Enabled: m.Chosen})
		}
	}
	return list
}

// Applied says that the settings are as ticked now.
func (c *Contest) Applied() {
	for i := range c.List {
		c.List[i].Enabled = c.List[i].Chosen
	}
}

// Chosen are the names of the ticked mirrors.
func (c *Contest) Chosen() (names []string) {
	for _, m := range c.List {
		if m.Chosen && !m.Origin {
			names = append(names, m.Name)
		}
	}
	return names
}

// TestPull is a pull as it was seen: how much came from whom, and how fast.
type TestPull struct {
	Bytes   int64         // of all blobs
	Fetched int64         // of those, what came over the network
	Sources []string      // who brought that, most first
	Took    time.Duration // all of it
	Error   string
}

// Rate is bytes a second of all of it.
func (t TestPull) Rate() float64 {
	if t.Took <= 0 {
		return 0
	}
	return float64(t.Bytes) / t.Took.Seconds()
}

// Cached says that nothing came over the network.
func (t TestPull) Cached() bool { return t.Error == "" && t.Bytes > 0 && t.Fetched == 0 }

// Pulse is a pull while it runs: what its blobs have told. For one goroutine.
type Pulse struct {
	blobs map[string]control.Pulling
	order []string
}

// Heard takes a word about a blob.
func (p *Pulse) Heard(one control.Pulling) {
	if one.Digest == "" {
		return
	}
	if p.blobs == nil {
		p.blobs = map[string]control.Pulling{}
	}
	if _, known := p.blobs[one.Digest]; !known {
		p.order = append(p.order, one.Digest)
	}
	p.blobs[one.Digest] = one
}

// Have and size are the bytes of all blobs that are known; size is of those whose size is.
func (p *Pulse) Have() (have, size int64) {
	for _, one := range p.blobs {
		if one.Done && one.Size > 0 {
			have += one.Size
		} else {
			have += one.Have
		}
		size += max(one.Size, one.Have, 0)
	}
	return have, size
}

// TestPull is what it all came to.
func (p *Pulse) TestPull(took time.Duration) TestPull {
	t := TestPull{Took: took}
	by := map[string]int64{}
	for _, digest := range p.order {
		one := p.blobs[digest]
		size := max(one.Size, one.Have, 0)
		t.Bytes += size
		if one.Cached {
			continue
		}
		t.Fetched += size
		if one.Source != "" {
			by[one.Source] += size
		}
	}
	for source := range by {
		t.Sources = append(t.Sources, source)
	}
	slices.SortFunc(t.Sources, func(a, b string) int { return cmp.Or(cmp.Compare(by[b], by[a]), cmp.Compare(a, b)) })
	return t
}

// Trusting is one thing that `pulley ca trust --dry-run` says it would do.
type Trusting struct {
	TrustStore

	What string `json:"what"` // the command that does it, or what is done
	Root bool   `json:"root"` // only an administrator may
}

// TrustStore is a place with certificates that programs trust, as the command line names it.
type TrustStore struct {
	Store string `json:"store"` // for people, in English: "system (update-ca-certificates)"
	Kind  string `json:"kind"`
}

// Name is what it is called in the language in force. Those of browsers are names.
func (t TrustStore) Name() string {
	if key := "first.trust.store." + t.Kind; t.Kind != "" && lang.Tag() != "en" && lang.Has(key) {
		return lang.Say(key)
	}
	return t.Store
}
