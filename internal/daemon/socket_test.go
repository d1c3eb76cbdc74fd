package daemon_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"pulley/internal/daemon"
)

// Two daemons that start at once over a socket that a third one left behind: one starts, and can be asked; the other says
// who is in its way, and takes nothing from it.
func TestTwoStartOverOneStaleSocket(t *testing.T) {
	places := daemon.PlacesOf(t)
	for range 20 {
		stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: places.ControlSocket})
		if err != nil {
			t.Fatal(err)
		}
		stale.SetUnlinkOnClose(false)
		_ = stale.Close()
		var daemons [2]*daemon.Daemon
		var errs [2]error
		var both sync.WaitGroup
		for i := range daemons {
			both.Go(func() {
				daemons[i], errs[i] = daemon.New(daemon.OptionsIn(places))
			})
		}
		both.Wait()
		first, refusal := daemons[0], errs[1]
		if first == nil {
			first, refusal = daemons[1], errs[0]
		}
		if first == nil || refusal == nil {
			t.Fatalf("of two daemons %v and %v started: %v, %v", daemons[0] != nil, daemons[1] != nil, errs[0], errs[1])
		}
		if want := fmt.Sprintf("another daemon runs here (process %d)", os.Getpid()); !strings.Contains(refusal.Error(), want) {
			t.Fatalf("the second says %q, want %q in it", refusal, want)
		}
		conn, err := net.Dial("unix", places.ControlSocket)
		if err != nil {
			t.Fatalf("the first cannot be asked any more: %v", err)
		}
		_ = conn.Close()
		first.Close()
	}
}
