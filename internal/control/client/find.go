package client

import (
	"context"
	"errors"
	"slices"
	"strings"

	"pulley/internal/config"
)

// Find returns a client of the daemon that answers: the one in PULLEY_HOME if that is set, else the user's own, else the
// system service's. If none does, the error Is ErrNotRunning and the client is that of the first place, where one would
// come to be.
func Find(ctx context.Context, environ []string) (*Client, error) {
	return find(ctx, environ, config.SystemSocket)
}

func find(ctx context.Context, environ []string, systemSocket string) (*Client, error) {
	places, err := config.FindPlaces(environ)
	if err != nil {
		return nil, err
	}
	first := New(places.ControlSocket)
	_, err = first.Version(ctx)
	if err == nil || slices.ContainsFunc(environ, func(e string) bool {
		return strings.HasPrefix(e, "PULLEY_HOME=") && e != "PULLEY_HOME="
	}) {
		return first, err
	}
	system := New(systemSocket)
	_, serr := system.Version(ctx)
	if serr == nil || errors.Is(err, ErrNotRunning) && !errors.Is(serr, ErrNotRunning) {
		return system, serr // it runs, also where it cannot be asked
	}
	return first, err
}
