package daemon

import (
	"fmt"
	"slices"
	"time"

	"pulley/internal/cause"
	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/proxy/egress"
	"pulley/proxy/source"
)

// problems are worst first.
func (d *Daemon) problems() (list []control.Problem) {
	if d.cacheErr != nil {
		list = append(list, control.Problem{
			Kind: control.ProblemCache, Key: control.KeyCacheUnusable, Thing: d.dir, About: d.cacheErr.Error(), Cause: cause.Of(d.cacheErr), Text: d.cacheErr.Error(),
			Fix: "mend the folder, then restart Pulley; pulls pass through meanwhile",
		})
	}
	if why := d.unwritable(); why != nil {
		list = append(list, control.Problem{
			Kind: control.ProblemDisk, Key: control.KeyCacheReadOnly, Thing: d.dir, About: why.Error(), Cause: cause.Of(why),
			Text: "the cache cannot be written: " + why.Error(),
			Fix:  "make the folder writable, then restart Pulley; what is cached is served, all else passes through meanwhile",
		})
	}
	if why := d.settings.Problem(); why != "" {
		list = append(list, control.Problem{
			Kind: control.ProblemConfig, Key: control.KeyConfigBroken, Thing: d.settings.Path(), About: why, Text: why, Fix: "pulley config edit",
		})
	}
	if address, why, kind := d.place.refused(); address != "" {
		list = append(list, control.Problem{
			Kind: control.ProblemConfig, Key: control.KeyListenRefused, Thing: address, About: why, Cause: kind,
			Text: fmt.Sprintf("the address %s cannot be taken up: %s; Pulley stays at %s", address, why, d.Address()), Fix: "pulley config set listen " + d.Address(),
		})
	}
	if err := d.port.CheckAccess(); err != nil {
		list = append(list, control.Problem{
			Kind: control.ProblemConfig, Key: control.KeyAccessCert, Thing: d.settings.Current().Access.Cert, About: err.Error(), Cause: cause.Of(err), Text: err.Error(),
			Fix: "pulley config edit",
		})
	}
	if why := d.unstored.reason(d.opt.Now()); why != "" {
		list = append(list, control.Problem{
			Kind: control.ProblemDisk, Key: control.KeyCacheUnstored, About: why, Text: "not everything can be cached: " + why,
			Fix: "free some disk space, or: pulley config set cache.max_size 5GiB",
		})
	}
	if d.cacheErr == nil && d.cache.Stat().Crowded {
		list = append(list, control.Problem{
			Kind: control.ProblemDisk, Key: control.KeyCacheCrowded, Thing: d.dir,
			Text: "the disk that the cache is on is nearly full; the cache has made what room it could",
			Fix:  "free some disk space, or move the cache: pulley config set cache.dir DIR",
		})
	}
	for _, r := range d.port.Rejected() {
		until := clock(r.Until)
		list = append(list, control.Problem{
			Kind: control.ProblemRejected, Key: control.KeyCARejected, Thing: r.Host, About: until,
			Text: fmt.Sprintf("a client does not trust Pulley's certificate for %s (%s); it is passed through until %s", r.Host, r.Reason, until),
			Fix:  "pulley ca trust",
		})
	}
	return slices.Concat(list, d.egressProblems(), d.storeProblems(), d.limitProblems(), d.pullProblems(), d.mirrorProblems())
}

// clock is a time of the day as problems say it.
func clock(t time.Time) string { return t.Local().Format("15:04") }

// unwritable is why nothing new can be cached; nil if it can, or if there is no cache at all.
func (d *Daemon) unwritable() error {
	if d.cacheErr != nil {
		return nil //nolint:nilerr // that there is no cache is another problem, told as itself
	}
	return d.cache.Stat().ReadOnly
}

// look tells those who watch when the problems are others than those known: some end by the clock.
func (d *Daemon) look(known []control.Problem) []control.Problem {
	now := d.problems()
	if !slices.Equal(now, known) {
		d.changes.tell()
	}
	return now
}

// egressProblems are those about ways out and the names that are looked up there.
func (d *Daemon) egressProblems() (list []control.Problem) {
	for _, p := range d.egress.Pending() {
		key := fmt.Sprintf("%s (%s)", p.Host, p.Fingerprint)
		list = append(list, control.Problem{
			Kind: control.ProblemEgress, Key: control.KeyEgressKey, Thing: p.Egress, About: key,
			Text: fmt.Sprintf("egress %s waits: nobody has vouched for the key of %s", p.Egress, key),
			Fix:  "pulley egress test " + p.Egress,
		})
	}
	for _, p := range d.egress.Poisoned() {
		list = append(list, poisoned(p, d.settings.Current().Fetch.DoH))
	}
	for _, p := range d.egress.Problems() {
		list = append(list, control.Problem{
			Kind: control.ProblemEgress, Key: wayKeys[p.Kind], Thing: p.Way, About: p.Text, Text: p.Way + ": " + p.Text,
		})
	}
	return list
}

// wayKeys are what problems of ways out are called.
var wayKeys = map[egress.ProblemKind]string{
	egress.Unusable: control.KeyEgressUnusable, egress.Itself: control.KeyEgressSelf,
	egress.Loops: control.KeyEgressLoops, egress.Script: control.KeyEgressScript,
}

// poisoned is about a name that leads to somebody else.
func poisoned(p egress.Poison, doh string) control.Problem {
	key, what, fix := control.KeyHostPoisoned, "DNS poisoned", "pulley egress add"
	switch {
	case p.Pinned:
		key, what, fix = control.KeyHostPinned, "an [[address]] of the settings", "pulley address rm "+p.Host
	case doh == "":
		fix = "pulley config set fetch.doh https://…, or: " + fix
	}
	return control.Problem{
		Kind: control.ProblemNetwork, Key: key, Thing: p.Host, About: p.Addr.Addr().String(), Fix: fix,
		Text: fmt.Sprintf("%s answers from %s, an address it does not own (%s)", p.Host, p.Addr.Addr(), what),
	}
}

// limitProblems are registries that find that too much is asked of them.
func (d *Daemon) limitProblems() (list []control.Problem) {
	for _, r := range d.sources.Rests() {
		list = append(list, control.Problem{
			Kind: control.ProblemLimit, Key: control.KeyLimitRest, Thing: r.Registry, About: clock(r.Until),
			Text: fmt.Sprintf("%s asks to be left alone until %s; what is cached still pulls", r.Registry, clock(r.Until)),
		})
	}
	return list
}

// pullProblems are images that were asked for in vain of late.
func (d *Daemon) pullProblems() (list []control.Problem) {
	coming := map[string]bool{}
	for _, t := range d.handler.Active() {
		coming[t.Digest.String()] = true
	}
	for _, f := range d.failures.told(d.opt.Now(), func(reference string) bool { return coming[reference] }) {
		list = append(list, control.Problem{
			Kind: control.ProblemPull, Key: control.KeyPullFailed, Thing: f.image(), About: f.why,
			Text: fmt.Sprintf("%s could not be pulled through Pulley: %s", f.image(), f.why),
			Fix:  "pulley doctor " + f.image(),
		})
	}
	return list
}

// storeProblems are those of the shared store, which is one for all registries.
func (d *Daemon) storeProblems() (list []control.Problem) {
	const unused = "the shared store is not used: "
	if why := d.sources.StoreProblem(); why != "" {
		list = append(list, control.Problem{Kind: control.ProblemMirror, Key: control.KeyStoreUnused, About: why, Text: unused + why})
	}
	if !d.sources.Keeps() {
		return list
	}
	c := d.settings.Current()
	for i := range c.Registries {
		for _, st := range d.sources.Standings(&c.Registries[i]) {
			if isStore(st) && st.Expelled != nil {
				return append(list, control.Problem{
					Kind: control.ProblemMirror, Key: control.KeyStoreLied, About: st.Expelled.Why, Text: unused + st.Expelled.Why,
					Fix: "pulley mirror on " + st.Name,
				})
			}
		}
	}
	return list
}

func isStore(st source.Standing) bool {
	return st.Name == config.SharedName && st.Style == source.StyleStore
}

// mirrorProblems are those of each registry's mirrors, one for each.
func (d *Daemon) mirrorProblems() (list []control.Problem) {
	c := d.settings.Current()
	for i := range c.Registries {
		r := &c.Registries[i]
		for _, st := range d.sources.Standings(r) {
			if p, has := mirrorProblem(r.Name, st); has && st.Enabled && !isStore(st) {
				list = append(list, p)
			}
		}
	}
	return list
}

func mirrorProblem(registry string, st source.Standing) (p control.Problem, has bool) {
	p = control.Problem{Kind: control.ProblemMirror, Thing: registry + "/" + st.Name}
	switch {
	case st.Expelled != nil:
		p.Key, p.About, p.Fix = control.KeyMirrorLied, st.Expelled.Why, "pulley mirror off "+st.Name
		p.Text = fmt.Sprintf("mirror %s of %s is not used: %s", st.Name, registry, st.Expelled.Why)
	case st.Closed != "":
		p.Key, p.About, p.Fix = control.KeyMirrorClosed, st.Closed, "pulley mirror off "+st.Name
		p.Text = fmt.Sprintf("mirror %s of %s is closed since %s", st.Name, registry, st.Closed)
	case len(st.Quarrels) > 0:
		q := st.Quarrels[len(st.Quarrels)-1]
		p.Key, p.About, p.Fix = control.KeyMirrorDisagrees, fmt.Sprintf("%s/%s:%s", registry, q.Repository, q.Tag), "pulley mirror test "+registry
		p.Text = fmt.Sprintf("mirror %s disagrees with the origin about %s; the origin is believed", st.Name, p.About)
	default:
		return p, false
	}
	return p, true
}
