package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"pulley/internal/control"
	"pulley/internal/handover"
)

// takeOver asks the daemon that answers at our control socket to end, since it cannot give away what it holds. It finishes
// what runs first, as with any end, and is waited for.
func (d *Daemon) takeOver() error {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.opt.Places.ControlSocket)
	}
	if conn, err := dial(context.Background(), "", ""); err != nil {
		return nil // none is there
	} else {
		_ = conn.Close()
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: control.Drain}
	answer, err := client.Post("http://"+control.Host+handover.Path, "application/json", nil) //nolint:noctx // it has a time-out
	if err != nil {
		return fmt.Errorf("hand-over: the running daemon does not answer: %w", err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		return fmt.Errorf("hand-over: the running daemon refused (%s); end it first: pulley service stop, or Ctrl-C where it runs", answer.Status)
	}
	d.take.patience = control.Drain + 10*time.Second
	return nil
}

// took has nobody to tell.
func (d *Daemon) took() error { return nil }

// handOver ends this daemon for one that waits.
func (d *Daemon) handOver(end context.CancelCauseFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush()
		end(nil)
	})
}
