package daemon

import (
	"errors"
	"fmt"
	"os"
	"time"

	"pulley/cache"
	"pulley/internal/cause"
	"pulley/internal/config"
	"pulley/internal/control/server"
	"pulley/internal/handover"
	"pulley/proxy"
	"pulley/proxy/ca"
)

// privateDir makes a folder for its owner alone.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%s: cannot be used as a folder: %w; set another PULLEY_HOME, or make it writable", dir, cause.Bare(err))
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written to: %w; set another PULLEY_HOME, or make it writable", dir, cause.Bare(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// cacheDir is where the settings want the cache.
func (d *Daemon) cacheDir() string {
	if dir := d.settings.Current().Cache.Dir; dir != "" {
		return dir
	}
	return d.opt.Places.CacheDir
}

// openCache opens the cache. One that cannot be used does not stop pulls; one that another daemon holds does, and so does one
// that another daemon could use and has handed over.
func (d *Daemon) openCache() error {
	lock := d.take.given.Lock
	d.take.given.Lock = nil
	d.dir = d.cacheDir()
	var held *cache.HeldError
	begun := time.Now()
	for {
		d.cache, d.cacheErr = cache.Open(cache.Options{
			Dir: d.dir, MaxSize: int64(d.settings.Current().Cache.MaxSize), Now: d.opt.Now, Log: d.opt.Log, Lock: lock,
		})
		if !errors.As(d.cacheErr, &held) || time.Since(begun) >= d.take.patience {
			break
		}
		<-time.After(glance)
	}
	if errors.As(d.cacheErr, &held) {
		return runsHere(held)
	}
	if d.cacheErr != nil {
		if lock != nil {
			return d.cacheErr
		}
		d.opt.Log.Error("running without a cache: everything passes through", "err", d.cacheErr)
		if err := d.openThrowaway(); err != nil {
			return fmt.Errorf("%w; and there is no room for running without it: %w", d.cacheErr, err)
		}
	}
	return nil
}

// openCA opens the certificate authorities.
func (d *Daemon) openCA() (err error) {
	c := d.settings.Current()
	if d.ca, err = ca.Open(ca.Options{Dir: d.opt.Places.CADir, Now: d.opt.Now, Log: d.opt.Log}); err != nil {
		return err
	}
	return d.ca.Cover(CAHosts(c))
}

// listen binds the port and the control socket, unless another daemon has given them.
func (d *Daemon) listen() (err error) {
	port, control := d.take.given.Port, d.take.given.Control
	d.take.given.Port, d.take.given.Control = nil, nil
	d.place.as = d.settings.Current().Listen
	if port == nil {
		if port, err = listenPort(d.place.as); err != nil {
			return err
		}
	}
	d.listener = handover.NewGate(port, proxy.ErrLeft)
	if control == nil {
		if control, err = listenControl(d.opt.Places.ControlSocket); err != nil {
			return err
		}
	}
	d.control = handover.NewGate(control, server.ErrLeft)
	return nil
}

// runsHere says who holds the cache.
func runsHere(held *cache.HeldError) error {
	who := "another daemon runs here"
	if held.PID > 0 {
		who += fmt.Sprintf(" (process %d)", held.PID)
	}
	return fmt.Errorf("%s: it holds %s; see: pulley status", who, held.Dir)
}

// openThrowaway opens a cache in which nothing fits, so that pulls pass through.
func (d *Daemon) openThrowaway() (err error) {
	if d.throw, err = os.MkdirTemp("", "pulley-"); err != nil {
		return err
	}
	d.cache, err = cache.Open(cache.Options{Dir: d.throw, MaxSize: 1, Now: d.opt.Now, Log: d.opt.Log})
	return err
}

// CAHosts are the names that the local authorities must be able to sign for.
func CAHosts(c *config.Config) []string {
	hosts := ca.DoorHosts()
	for _, r := range c.Registries {
		hosts = append(hosts, r.Hosts...)
	}
	return hosts
}
