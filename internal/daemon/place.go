package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"pulley/internal/cause"
)

// place is where the port is by the settings, which may be changed while it is open.
type place struct {
	asked chan struct{} // holds one signal: the settings are others

	mu    sync.Mutex
	as    string // the setting in force
	tried string // the one that cannot be, and why
	why   string
	kind  string // of that, one of cause.Kinds; "" none of them
}

// is the setting in force.
func (p *place) is() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.as
}

// refused is an address of the settings that cannot be taken up, why, and of which kind that is; "" if there is none.
func (p *place) refused() (address, why, kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tried, p.why, p.kind
}

// ask has the settings looked at.
func (p *place) ask() {
	select {
	case p.asked <- struct{}{}:
	default:
	}
}

// retryPort is how often an address that cannot be had is tried again: whoever has it may end.
const retryPort = 5 * time.Second

// follow keeps the port where the settings want it, until ctx ends. A port that cannot be had leaves the one before open.
func (d *Daemon) follow(ctx context.Context) error {
	ticks := time.NewTicker(retryPort)
	defer ticks.Stop()
	for {
		d.move(d.settings.Current().Listen)
		select {
		case <-ctx.Done():
			return nil
		case <-d.place.asked:
		case <-ticks.C:
		}
	}
}

// move moves the port. What was accepted goes on.
func (d *Daemon) move(to string) {
	p := &d.place
	p.mu.Lock()
	as, tried, why, kind := p.as, p.tried, p.why, p.kind
	p.mu.Unlock()
	was := d.Address()
	var err error
	if to != as && !sameAddress(to, was) {
		var addr *net.TCPAddr
		if addr, err = net.ResolveTCPAddr("tcp", to); err == nil { // which may take long, and nobody is accepted meanwhile below
			err = d.listener.Move(func(now net.Listener) (net.Listener, error) { return moved(now, addr.String()) })
		}
	}
	switch {
	case errors.Is(err, net.ErrClosed): // it is another daemon's, or nobody's any more
		return
	case err == nil:
		as, tried, why, kind = to, "", "", ""
	case tried != to: // who has it is found out once
		tried, why, kind = to, portError(to, err).Error(), cause.Of(err)
	}
	p.mu.Lock()
	told := p.tried == tried && p.why == why && p.as == as
	p.as, p.tried, p.why, p.kind = as, tried, why, kind
	p.mu.Unlock()
	if told {
		return
	}
	if err != nil {
		d.opt.Log.Warn("listen: the address cannot be taken up", "address", to, "stays", was, "err", err)
	} else if now := d.Address(); now != was {
		d.opt.Log.Info("listen: another address", "was", was, "is", now)
	}
	d.changes.tell()
}

// moved opens a port in place of one that is open. All addresses of a port and one of them cannot be had at once, so that then
// the one that is open is closed for a moment; it is opened again if nothing comes of it.
func moved(now net.Listener, to string) (net.Listener, error) {
	ln, err := net.Listen("tcp", to)
	if err == nil || !isInUse(err) || !samePort(to, now.Addr().String()) {
		return ln, err
	}
	_ = now.Close()
	if ln, err = net.Listen("tcp", to); err == nil {
		return ln, nil
	}
	back, failed := net.Listen("tcp", now.Addr().String())
	if failed != nil {
		return nil, fmt.Errorf("%w; and the address before is lost: %w", err, failed)
	}
	return back, err
}

// sameAddress reports whether what settings say is an address in use.
func sameAddress(listen, inUse string) bool {
	a, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return false
	}
	b, err := net.ResolveTCPAddr("tcp", inUse)
	return err == nil && a.Port == b.Port && a.IP.Equal(b.IP)
}

func samePort(a, b string) bool {
	_, one, err := net.SplitHostPort(a)
	if err != nil {
		return false
	}
	_, other, err := net.SplitHostPort(b)
	return err == nil && one == other
}
