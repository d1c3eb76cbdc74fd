package daemon

import (
	"context"
	"time"

	"pulley/proxy/source"
)

// lookEvery is how often it is looked whether this machine is somewhere else: a person who carried a laptop about waits no
// longer than that, and an idle daemon does next to nothing.
const lookEvery = 10 * time.Second

// whereabouts notices that the machine is on another network, or has slept.
type whereabouts struct {
	network func() string        // its name, offline for none
	wall    func() time.Time     // goes on while the machine sleeps
	awake   func() time.Duration // does not

	on    string
	then  time.Time
	until time.Duration
}

const offline = "none" // as source.Networks has it

func newWhereabouts() *whereabouts {
	start := time.Now()
	w := &whereabouts{
		network: source.Networks(),
		wall:    func() time.Time { return time.Now().Round(0) },
		awake:   func() time.Duration { return time.Since(start) },
	}
	w.changed()
	return w
}

// changed reports whether connections that were open when it was last called may be dead by now.
func (w *whereabouts) changed() bool {
	wall, awake := w.wall(), w.awake()
	slept := wall.Sub(w.then)-(awake-w.until) > lookEvery
	w.then, w.until = wall, awake
	on := w.network()
	if on == offline { // which is no other network yet
		return slept
	}
	moved := on != w.on
	w.on = on
	return slept || moved
}

// watchNetwork tells the ways out when what they know of the network is out of date.
func (d *Daemon) watchNetwork(ctx context.Context) error {
	w := newWhereabouts()
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		if w.changed() {
			d.opt.Log.Info("another network, or awake again: connecting anew")
			d.egress.NetworkChanged()
			d.line.NetworkChanged()
			d.changes.tell()
		}
	}
}
