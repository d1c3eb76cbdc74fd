package daemon

import (
	"net"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pulley/internal/config"
	"pulley/internal/handover"
	"pulley/proxy"
)

// PlacesOf are those of a home that goes with the test. Its name is short, as a socket's path may not be long.
func PlacesOf(t testing.TB) config.Places {
	t.Helper()
	home, err := os.MkdirTemp("", "pulley")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	return config.PlacesIn(home)
}

// OptionsIn are a daemon's there, on a port of its own.
func OptionsIn(places config.Places) Options {
	return Options{Places: places, Environ: []string{"PULLEY_LISTEN=127.0.0.1:0"}}
}

// FromElsewhere makes every client one that is not on this machine. It must be called before Run.
func (d *Daemon) FromElsewhere() { d.listener = handover.NewGate(elsewhere{d.listener}, proxy.ErrLeft) }

type elsewhere struct{ net.Listener }

func (l elsewhere) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return elsewhereConn{c.(*net.TCPConn)}, nil
}

type elsewhereConn struct{ *net.TCPConn }

func (elsewhereConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 40000}
}

// Metrics are what the daemon shows Prometheus.
func (d *Daemon) Metrics() prometheus.Gatherer { return d.metrics.registry }
