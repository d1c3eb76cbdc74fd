//go:build unix

package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"pulley/internal/handover"
)

// takeOver has the daemon that answers at our control socket give what it holds, if there is one.
func (d *Daemon) takeOver() error {
	dir, err := filepath.Abs(d.cacheDir())
	if err != nil {
		return err
	}
	d.take.peer, err = handover.Ask(context.Background(), d.opt.Places.ControlSocket, handover.Request{Version: d.opt.Version, CacheDir: dir})
	if errors.Is(err, handover.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	// What may fail goes before anything is taken.
	var own net.Listener
	if listen := d.settings.Current().Listen; listen != d.take.peer.Listen && !sameAddress(listen, d.take.peer.Address) {
		if own, err = listenPort(listen); err != nil {
			return err
		}
	}
	given, err := d.take.peer.Take()
	if err != nil {
		if own != nil {
			_ = own.Close()
		}
		return err
	}
	if d.take.given = *given; own != nil {
		d.take.unwanted.Port, d.take.given.Port = given.Port, own
	}
	return nil
}

// took says that this daemon serves now.
func (d *Daemon) took() error {
	if d.take.peer == nil {
		return nil
	}
	if err := d.take.peer.Ready(); err != nil {
		return err
	}
	if u, ok := d.control.Socket().(*net.UnixListener); ok {
		u.SetUnlinkOnClose(true)
	}
	d.take.unwanted.Close()
	d.take.unwanted = handover.Given{}
	return nil
}

// handOver answers a daemon that wants to take over. end ends this one.
func (d *Daemon) handOver(end context.CancelCauseFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.hand.busy.TryLock() {
			handover.Refuse(w, http.StatusConflict, "the running daemon is handing over to another one just now; wait a moment")
			return
		}
		defer d.hand.busy.Unlock()
		if d.hand.gone() {
			handover.Refuse(w, http.StatusConflict, "this daemon has handed over already; try again")
			return
		}
		s, err := handover.Receive(w, r, handover.About{Version: d.opt.Version, Listen: d.place.is(), Address: d.Address()})
		if err != nil {
			d.opt.Log.Warn("hand-over refused", "why", err)
			return
		}
		if err := s.Asked(); err != nil { // it found something wrong with itself
			s.Close()
			return
		}
		if err := d.giveTo(s, func() { end(nil) }); err != nil {
			s.Close()
			d.opt.Log.Warn("the daemon that wanted to take over did not come; going on", "version", s.Version, "err", err)
			return
		}
		d.opt.Log.Info("handed over; what was accepted here is finished here", "version", s.Version)
	})
}

// giveTo gives another daemon what this one holds. After an error everything is as it was; else end ends this one if what is
// left takes too long.
func (d *Daemon) giveTo(s *handover.Side, end func()) error {
	gates := []*handover.Gate{d.listener, d.control}
	d.hand.begin()
	var lock *os.File
	err := func() (err error) {
		for _, g := range gates {
			if err := g.Hold(); err != nil {
				return err
			}
		}
		d.sources.Retire()
		d.pause.close()
		if err := d.totals.flush(); err != nil {
			d.opt.Log.Warn("totals", "err", err)
		}
		if d.cacheErr == nil && s.CacheDir == d.cache.Dir() {
			if lock, err = d.cache.Detach(); err != nil {
				return err
			}
		}
		if err := s.Give(d.listener.Socket(), d.control.Socket(), lock); err != nil {
			return err
		}
		return s.Taken()
	}()
	if err != nil {
		d.cache.Attach()
		d.pause.reopen()
		d.sources.Resume()
		for _, e := range d.hand.fail() {
			d.note(e)
		}
		for _, g := range gates {
			err = errors.Join(err, g.Resume())
		}
		return err
	}
	if lock != nil {
		_ = lock.Close()
	}
	d.hand.leave(s, end) // before the gates: a port that nobody is connected to looks at once whether it was left
	for _, g := range gates {
		_ = g.Leave()
	}
	return nil
}
