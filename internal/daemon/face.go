package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"pulley/internal/control"
	"pulley/internal/control/server"
)

var _ server.Daemon = (*Daemon)(nil)

// Version implements server.Daemon.
func (d *Daemon) Version() control.Version {
	return control.Version{Major: control.Major, Program: d.opt.Version, PID: os.Getpid()}
}

// Changed implements server.Daemon.
func (d *Daemon) Changed() <-chan struct{} { return d.changes.wait() }

// State implements server.Daemon.
func (d *Daemon) State() control.State {
	c := d.settings.Current()
	s := control.State{
		Version: d.opt.Version, PID: os.Getpid(), Started: d.started,
		Enabled: c.Enabled, Listen: d.Address(), Home: d.opt.Places.Home, ConfigFile: d.settings.Path(),
		Problems: d.problems(), Traffic: d.traffic(c), Limits: d.limits(),
		Theme: c.Tray.Theme, Language: c.Tray.Language, Notify: c.Tray.Notify,
		Held: d.settings.Held(), Users: slices.Sorted(maps.Keys(c.Access.Users)),
	}
	if d.cacheDir() != d.dir {
		s.Later = map[string]string{"cache.dir": d.dir}
	}
	if !c.Enabled {
		s.PausedUntil = d.pause.ends()
	}
	for i := range c.Registries {
		r := &c.Registries[i]
		s.Registries = append(s.Registries, control.Registry{
			Name: r.Name, Hosts: slices.Clone(r.Hosts), Route: r.Route, Routes: r.Offered(), LastUsed: d.totals.lastUsed(r.Name),
			Best: d.sources.Best(r),
		})
	}
	for _, t := range d.handler.Active() {
		s.Active = append(s.Active, control.Transfer{
			Registry: t.Registry, Repository: t.Repository, Digest: t.Digest.String(),
			Have: t.Have, Total: t.Size, Clients: t.Clients, Since: t.Begun,
			Rate: t.Rate, Sources: t.Sources,
		})
	}
	if d.cacheErr == nil {
		stat := d.cache.Stat()
		s.Cache = control.Cache{Dir: stat.Dir, Size: stat.Size, MaxSize: stat.MaxSize, Blobs: stat.Blobs}
		d.tally.fill(&s.Cache)
	}
	return s
}

func (d *Daemon) limits() (list []control.Limit) {
	for _, l := range d.sources.LimitList() {
		if l.Known {
			list = append(list, control.Limit{
				Registry: l.Registry, Identity: l.Identity, Limit: l.Limit, Remaining: l.Remaining, Window: l.Window, At: l.At, Again: timeOrNil(l.Again),
			})
		}
	}
	return list
}

func refused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", err, server.ErrRefused)
}

// SetEnabled implements server.Daemon.
func (d *Daemon) SetEnabled(on bool) error {
	if err := d.settings.Set("enabled", fmt.Sprint(on)); err != nil {
		return refused(err)
	}
	d.pause.clear()
	d.changes.tell()
	return nil
}

// Pause implements server.Daemon.
func (d *Daemon) Pause(length time.Duration) error {
	if length <= 0 {
		return refused(fmt.Errorf("pause: %s is no time to pause for; try: pulley pause 1h", length))
	}
	was := d.settings.Current().Enabled
	if err := d.settings.Set("enabled", "false"); err != nil {
		return refused(err)
	}
	err := d.pause.set(length)
	if err != nil && was { // or it would be off for good
		err = errors.Join(err, d.settings.Set("enabled", "true"))
	}
	d.changes.tell()
	return err
}

// SetRoute implements server.Daemon.
func (d *Daemon) SetRoute(registry, route string) error {
	r, known := d.settings.Current().Registry(registry)
	if !known {
		return refused(fmt.Errorf("%s: no such registry; see: pulley route", registry))
	}
	if m, ok := r.Mirror(route); ok && !slices.Contains(r.Offered(), route) {
		switch {
		case m.Closed != "":
			return refused(fmt.Errorf("%s: it serves the public no more, since %s; see: pulley mirror ls", route, m.Closed))
		case m.Incomplete():
			return refused(fmt.Errorf("%s: it needs %s; see: pulley mirror ls", route, cmp.Or(m.Needs, "an address of its own")))
		}
		return refused(fmt.Errorf("%s: the mirror is switched off; try: pulley mirror on %[1]s", route))
	}
	return refused(d.settings.Set("registry."+registry+".route", route))
}

// Setting implements server.Daemon.
func (d *Daemon) Setting(key string) (string, error) {
	value, err := d.settings.Current().Get(key)
	return value, refused(err)
}

// SetSetting implements server.Daemon.
func (d *Daemon) SetSetting(key, value string) error { return refused(d.settings.Set(key, value)) }

// CAs implements server.Daemon.
func (d *Daemon) CAs() (list []control.CA) {
	for _, info := range d.ca.List() {
		list = append(list, control.CA{
			Subject: info.Name, Permitted: slices.Concat(info.Hosts, info.Addresses),
			NotAfter: info.NotAfter, SHA256: info.Fingerprint, Retired: info.Retired,
		})
	}
	return list
}

// RotateCA implements server.Daemon.
func (d *Daemon) RotateCA() error { return d.ca.Rotate() }

// CATrusted implements server.Daemon.
func (d *Daemon) CATrusted() {
	d.port.ForgetRejected()
	d.changes.tell()
}

// History implements server.Daemon.
func (d *Daemon) History() control.History { return d.totals.history() }

// Events implements server.Daemon.
func (d *Daemon) Events(n int) ([]control.Event, error) { return d.history.tail(n, d.end) }

// Follow implements server.Daemon.
func (d *Daemon) Follow() (<-chan control.Event, func()) { return d.history.follow() }
