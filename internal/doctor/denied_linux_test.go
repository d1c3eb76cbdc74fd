package doctor_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pulley/internal/control"
	"pulley/internal/doctor"
	"pulley/internal/trust"
)

// asNobody does something on a thread that may read only what everybody may, also where root runs the tests.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	if os.Geteuid() == 0 {
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	do()
}

// TestSettingsOfTheSystemsService are not a person's to read. Nothing is broken.
func TestSettingsOfTheSystemsService(t *testing.T) {
	_, o := examined(t)
	runs(func(*control.State, *daemon) {})(t, o)
	if err := os.Chmod(o.Places.ConfigFile, 0); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		r := examine(t, o)
		if len(troubles(r)) > 0 || !strings.Contains(found(t, r, "settings.denied").What, "sudo pulley doctor") {
			t.Errorf("%+v", r.Findings)
		}
		o.Daemon = func(context.Context) (doctor.Daemon, error) { return nil, os.ErrPermission }
		if r := examine(t, o); !slices.Equal(troubles(r), []string{"daemon.denied"}) {
			t.Errorf("%+v", r.Findings)
		}
		o.Daemon, o.Environ = notRunning, []string{"USER=ann"} // one's own, that root has taken
		r = examine(t, o)
		if got := troubles(r); !slices.Contains(got, "settings.broken") || !strings.HasPrefix(found(t, r, "settings.broken").Fix, "sudo chown ann ") {
			t.Errorf("%+v", r.Findings)
		}
	})
}

// TestTheCAOfTheSystemsService is not a person's to read either.
func TestTheCAOfTheSystemsService(t *testing.T) {
	_, o := examined(t)
	authority(t, o)
	o.Trust = func(string) (trust.Status, error) {
		return trust.Status{}, fmt.Errorf("trust store: %w", os.ErrPermission)
	}
	if r := examine(t, o); len(troubles(r)) > 0 || !strings.Contains(found(t, r, "trust.denied").What, "sudo pulley doctor") {
		t.Errorf("%+v", r.Findings)
	}
}
