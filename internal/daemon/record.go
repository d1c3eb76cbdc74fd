package daemon

import (
	"strings"

	"pulley/internal/control"
	"pulley/proxy/registry"
)

// record takes an answered request into history: that of the daemon that has taken over, if one has.
func (d *Daemon) record(e registry.Event) {
	if !d.hand.keep(e) {
		d.note(e)
	}
}

func (d *Daemon) note(e registry.Event) {
	event := control.Event{
		Time: e.Time, Door: e.Door, Client: e.Client, Agent: e.Agent, Method: e.Method,
		Registry: e.Registry, Repository: e.Repository, What: e.What, Reference: e.Reference, Digest: e.Digest.String(),
		Status: e.Status, Bytes: e.Bytes, FromCache: e.FromCache, FromNet: e.FromNet, Source: e.Source, Way: e.Way,
		Duration: e.Duration, FirstByte: e.FirstByte, PullsLeft: e.PullsLeft, Note: e.Note, Err: e.Err, Cause: string(e.Cause),
	}
	for _, part := range e.Parts {
		event.Parts = append(event.Parts, control.Part(part))
	}
	for _, failed := range e.Failed {
		event.Failed = append(event.Failed, control.Failed(failed))
	}
	if e.Unkept != "" && d.cacheErr == nil && d.unwritable() == nil {
		d.unstored.note(e.Unkept, d.opt.Now())
	}
	d.failures.note(&e, d.opt.Now())
	if who := d.disputed(e); who != "" {
		event.Note = strings.TrimPrefix(event.Note+"; "+who, "; ")
	}
	d.metrics.count(&e)
	d.totals.add(event)
	d.history.record(event)
	d.moved()
}

// moved is for what may have changed what is cached.
func (d *Daemon) moved() {
	d.tally.changed()
	d.changes.tell()
}
