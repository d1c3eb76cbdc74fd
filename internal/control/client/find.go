package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"pulley/internal/config"
)

// Find returns a client of the daemon that answers: the one in PULLEY_HOME if that is set, else the user's own, else the
// system service's. If none does, the error Is ErrNotRunning and the client is that of the first place, where one would
// come to be.
func Find(ctx context.Context, environ []string) (*Client, error) {
	return find(ctx, environ, session(environ), config.SystemSocket)
}

// Places are those of the daemon that Find finds; with none, those where one would come to be. The system service's can be
// read by root alone.
func Places(ctx context.Context, environ []string) (config.Places, error) {
	if c, err := Find(ctx, environ); c != nil {
		c.Close()
		if c.Socket() == config.SystemSocket && !errors.Is(err, ErrNotRunning) {
			return config.SystemPlaces(), nil
		}
	}
	return config.FindPlaces(environ)
}

// find asks at the place that environ says, and then at others, if that is not PULLEY_HOME.
func find(ctx context.Context, environ []string, others ...string) (*Client, error) {
	places, err := config.FindPlaces(environ)
	if err != nil {
		return nil, err
	}
	first := New(places.ControlSocket)
	_, err = first.Version(ctx)
	if err == nil || has(environ, "PULLEY_HOME") {
		return first, err
	}
	for _, socket := range others {
		if socket == "" || socket == config.SystemSocket && !isSystems(socket) {
			continue
		}
		other := New(socket)
		_, oerr := other.Version(ctx)
		if oerr == nil || errors.Is(err, ErrNotRunning) && !errors.Is(oerr, ErrNotRunning) {
			return other, oerr // it runs, also where it cannot be asked
		}
		other.Close()
	}
	return first, err
}

// session is where the person's own service listens if that has a session's folder, and this program was started without
// knowing of it: after su, or by cron.
func session(environ []string) string {
	if os.Getuid() < 0 || has(environ, "XDG_RUNTIME_DIR") {
		return ""
	}
	return fmt.Sprintf("/run/user/%d/pulley/control.sock", os.Getuid())
}

// has tells whether a variable is set to something.
func has(environ []string, name string) bool {
	return slices.ContainsFunc(environ, func(e string) bool {
		return strings.HasPrefix(e, name+"=") && e != name+"="
	})
}
