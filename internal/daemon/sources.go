package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulley/internal/cause"
	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/proxy/egress"
	"pulley/proxy/egress/ssh"
	"pulley/proxy/registry"
	"pulley/proxy/source"
)

// Sources implements server.Sources, as the methods that follow.
func (d *Daemon) Sources(registry string) ([]control.Source, error) {
	c := d.settings.Current()
	list := []control.Source{}
	if registry != "" {
		r, known := c.Registry(registry)
		if !known {
			return nil, refused(fmt.Errorf("%s: no such registry; see: pulley route", registry))
		}
		return append(list, d.sourcesOf(r)...), nil
	}
	for i := range c.Registries {
		list = append(list, d.sourcesOf(&c.Registries[i])...)
	}
	return list, nil
}

// sourcesOf lists what can be asked first, in the order it would be, then the rest.
func (d *Daemon) sourcesOf(r *config.Registry) (list []control.Source) {
	rank := map[string]int{}
	for i, p := range d.sources.Places(r) {
		rank[p.Name()] = i + 1
	}
	for _, st := range d.sources.Standings(r) {
		s := control.Source{
			Registry: r.Name, Name: st.Name, Origin: st.Origin, URL: st.URL, Style: st.Style, Enabled: st.Enabled,
			BuiltIn: st.About != "" || st.Origin, Usable: st.Usable, Why: st.Why, Cause: st.Cause, Until: timeOrNil(st.Until),
			Rate: st.Rate, FirstByte: st.FirstByte, Proven: st.Proven,
			About: st.About, Needs: st.Needs, Limits: st.Limits, Closed: st.Closed,
		}
		for _, q := range slices.Backward(st.Quarrels) {
			s.Differs = append(s.Differs, control.Differs{
				Image: q.Registry + "/" + q.Repository + ":" + q.Tag, Mirror: q.Mirrors.String(), Origin: q.Origins.String(), At: q.At,
			})
		}
		if st.Quota != nil {
			s.Quota, s.QuotaUsed, s.QuotaEnds = st.Quota.Limit, st.Quota.Used, timeOrNil(st.Quota.Resets)
		}
		if i := slices.IndexFunc(r.Mirrors, func(m config.Mirror) bool { return m.Name == st.Name }); i >= 0 {
			m := &r.Mirrors[i]
			quota, _ := m.Quota.MarshalText()
			s.Place, s.QuotaSet, s.Auth, s.TrustTags, s.Private = i+1, string(quota), m.Auth, m.TrustTags, m.Private
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b control.Source) int { return order(rank[a.Name]) - order(rank[b.Name]) })
	return list
}

// order puts what has no rank last.
func order(rank int) int {
	if rank == 0 {
		return 1 << 20
	}
	return rank
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// disputed says who names another digest for the tag that a request was about. It changed nothing about the answer; whoever
// reads in the log where an image came from may want to know.
func (d *Daemon) disputed(e registry.Event) string {
	r, known := d.settings.Current().Registry(e.Registry)
	if !known || e.What != string(registry.Manifest) || strings.Contains(e.Reference, ":") {
		return ""
	}
	names := d.sources.Disputes(r, e.Repository, e.Reference)
	if len(names) == 0 {
		return ""
	}
	return "another digest for this tag at " + strings.Join(names, " and ")
}

func (d *Daemon) AddMirror(m control.Mirror) error {
	c := d.settings.Current()
	r, known := c.Registry(m.Registry)
	if !known {
		return refused(fmt.Errorf("%s: no such registry; see: pulley route", m.Registry))
	}
	if m.Style == "" {
		m.Style = config.StyleHost
	}
	old, taken := r.Mirror(m.Name)
	switch {
	case m.Amend && !taken:
		return refused(fmt.Errorf("%s: there is no mirror %.80s to change; see: pulley mirror ls %s", r.Name, m.Name, r.Name))
	case m.Amend:
		return refused(d.rewriteMirror(m, old))
	case taken:
		if old.About == "" {
			return refused(fmt.Errorf("%s: there is a mirror %s already; to change it: pulley mirror rm %s %s, or pulley config edit", r.Name, m.Name, r.Name, m.Name))
		}
		return refused(d.amendMirror(m))
	}
	mirror := config.Mirror{
		Name: m.Name, URL: m.URL, Style: m.Style, Enabled: true, Auth: m.Auth, TrustTags: m.TrustTags, Private: m.Private,
	}
	if err := mirror.Quota.UnmarshalText([]byte(m.Quota)); err != nil {
		return refused(fmt.Errorf("quota: %w", err))
	}
	return refused(d.settings.AddMirror(m.Registry, mirror))
}

// rewriteMirror brings a mirror to what was said, key by key: the first that is refused ends it, and those before it hold.
func (d *Daemon) rewriteMirror(m control.Mirror, old *config.Mirror) error {
	quota, _ := old.Quota.MarshalText()
	for _, kv := range [][3]string{
		{"url", cmp.Or(m.URL, old.URL), old.URL}, {"style", cmp.Or(m.Style, old.Style), old.Style},
		{"quota", m.Quota, string(quota)}, {"auth", m.Auth, old.Auth},
		{"trust_tags", strconv.FormatBool(m.TrustTags), strconv.FormatBool(old.TrustTags)},
		{"private", strconv.FormatBool(m.Private), strconv.FormatBool(old.Private)},
	} {
		if kv[1] == kv[2] {
			continue
		}
		if err := d.settings.SetMirror(m.Registry, m.Name, kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}

// amendMirror changes of a built-in mirror what was said, and switches it on last.
func (d *Daemon) amendMirror(m control.Mirror) error {
	said := [][2]string{{"url", m.URL}, {"quota", m.Quota}, {"auth", m.Auth}}
	if m.TrustTags {
		said = append(said, [2]string{"trust_tags", "true"})
	}
	if m.Private {
		said = append(said, [2]string{"private", "true"})
	}
	for _, kv := range append(said, [2]string{"enabled", "true"}) {
		if kv[1] == "" {
			continue
		}
		if err := d.settings.SetMirror(m.Registry, m.Name, kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}

func (d *Daemon) RemoveMirror(registry, name string) error {
	return refused(d.settings.RemoveMirror(registry, name))
}

func (d *Daemon) SwitchMirror(registry, name string, on bool) error {
	if name == config.SharedName && d.sources.Keeps() {
		return d.switchStore(on)
	}
	found := false
	for _, r := range d.settings.Current().Registries {
		m, has := r.Mirror(name)
		if registry != "" && r.Name != registry || !has {
			continue
		}
		found = true
		if on && m.Incomplete() {
			return refused(fmt.Errorf("%s: mirror %s needs %s in its url; try: pulley mirror add %s %s %s", r.Name, name, or(m.Needs, "a name of yours"), r.Name, name, m.URL))
		}
		if on {
			d.sources.Readmit(r.Name, name)
		}
		if m.Enabled == on {
			continue
		}
		if err := d.settings.SetMirror(r.Name, name, "enabled", strconv.FormatBool(on)); err != nil {
			return refused(err)
		}
	}
	if !found {
		return refused(fmt.Errorf("%s: no such mirror; see: pulley mirror ls --all", name))
	}
	d.changes.tell()
	return nil
}

func (d *Daemon) OrderMirrors(registry string, names []string) error {
	return refused(d.settings.OrderMirrors(registry, names))
}

// switchStore lets the shared store in again that has lied.
func (d *Daemon) switchStore(on bool) error {
	if !on {
		return refused(errors.New(`the shared store is a setting; to do without it: pulley config set cache.shared ""`))
	}
	for _, r := range d.settings.Current().Registries {
		d.sources.Readmit(r.Name, config.SharedName)
	}
	d.changes.tell()
	return nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (d *Daemon) TestMirror(ctx context.Context, which control.MirrorTest, progress func(control.MirrorTesting)) (control.MirrorReport, error) {
	r, known := d.settings.Current().Registry(which.Registry)
	if !known {
		return control.MirrorReport{}, refused(fmt.Errorf("%s: no such registry; see: pulley route", which.Registry))
	}
	t, err := d.sources.TestWith(ctx, r, which.Name, d.sample(r), func(p source.Progress) {
		progress(control.MirrorTesting{FirstByte: p.FirstByte, Bytes: p.Bytes, Size: p.Size, Rate: p.Rate})
	})
	if err != nil {
		return control.MirrorReport{}, refused(err)
	}
	report := control.MirrorReport{
		Registry: which.Registry, Name: which.Name, Reachable: t.Reachable, FirstByte: t.FirstByte, Rate: t.Rate,
		Ranges: t.Ranges == source.AnswerYes, Agrees: string(t.Agrees), QuotaLeft: -1, Error: t.Err, Cause: cause.Of(t.Failure),
	}
	if t.Quota != nil {
		report.QuotaLeft = max(t.Quota.Limit-t.Quota.Used, 0)
	}
	return report, nil
}

// sample is an image to try a place with: the catalogue's, or for a registry that
// the catalogue does not have, one of its public images in the cache.
func (d *Daemon) sample(r *config.Registry) string {
	if r.Sample != "" || d.cacheErr != nil {
		return r.Sample
	}
	for _, t := range d.cache.AllTags() {
		if t.Registry == r.Name && d.sources.Public(r, t.Repository) {
			return t.Repository + ":" + t.Tag
		}
	}
	return ""
}

func (d *Daemon) Egresses() []control.Egress {
	pending := map[string]*control.HostKey{}
	for _, p := range d.egress.Pending() {
		pending[p.Egress] = &control.HostKey{Host: p.Host, Type: p.Type, Fingerprint: p.Fingerprint}
	}
	list := []control.Egress{}
	for _, e := range d.settings.Current().Egresses {
		list = append(list, control.Egress{Name: e.Name, URL: redacted(e.URL), For: e.For, Except: e.Except, HostKey: pending[e.Name]})
	}
	return list
}

// redacted is a URL without its password.
func redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(no url)"
	}
	return u.Redacted()
}

func (d *Daemon) AddEgress(e control.Egress) error {
	return refused(d.settings.AddEgress(config.Egress{Name: e.Name, URL: e.URL, For: e.For, Except: e.Except}))
}

func (d *Daemon) RemoveEgress(name string) error { return refused(d.settings.RemoveEgress(name)) }

func (d *Daemon) UseEgress(name string, registries []string) error {
	for _, r := range registries {
		if _, known := d.settings.Current().Registry(r); !known && r != "*" {
			return refused(fmt.Errorf("%s: no such registry; see: pulley route", r))
		}
	}
	return refused(d.settings.SetEgress(name, "for", strings.Join(registries, ",")))
}

// defaultTarget is what a way out is tried with.
const defaultTarget = "registry-1.docker.io"

func (d *Daemon) TestEgress(ctx context.Context, name, target string) (control.EgressReport, error) {
	if target == "" {
		target = defaultTarget
	}
	report := control.EgressReport{Name: name, Target: target}
	r, err := d.egress.Test(ctx, name, target)
	if errors.Is(err, egress.ErrUnknown) {
		return report, refused(err)
	}
	report.Connect, report.Answer, report.Way, report.OK = r.Connected, r.FirstByte, r.Way, err == nil
	var key *ssh.HostKeyError
	if errors.As(err, &key) {
		report.HostKey = &control.HostKey{Host: key.Host, Type: key.Type, Fingerprint: key.Fingerprint}
	}
	if err != nil {
		report.Error, report.Cause = err.Error(), cause.Of(err)
	}
	return report, nil
}

func (d *Daemon) AcceptKey(name, fingerprint string) error {
	return refused(d.egress.Accept(name, fingerprint))
}
