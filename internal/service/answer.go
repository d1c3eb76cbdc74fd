package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"time"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/handover"
)

// places are where the service's daemon has its files.
func (s *Service) places() (config.Places, error) {
	if s.opt.System {
		return config.SystemPlaces(), nil
	}
	return config.FindPlaces(s.opt.Environ)
}

// ask asks the service's daemon who it is and since when it runs.
func (s *Service) ask(ctx context.Context) (control.Version, time.Time, error) {
	places, err := s.places()
	if err != nil {
		return control.Version{}, time.Time{}, err
	}
	c := client.New(places.ControlSocket)
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	v, err := c.Version(ctx)
	if err != nil {
		return v, time.Time{}, err
	}
	state, err := c.State(ctx)
	return v, state.Started, err
}

// askToEnd is what a daemon that cannot hand over what it holds takes a hand-over for.
func (s *Service) askToEnd(ctx context.Context) error {
	places, err := s.places()
	if err != nil {
		return err
	}
	way := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", places.ControlSocket)
	}}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+control.Host+handover.Path, nil)
	if err != nil {
		return err
	}
	response, err := way.RoundTrip(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return errors.New(response.Status)
	}
	return nil
}

// awaitAnswer waits until a daemon answers, other than the old one, which is 0 if none was. One that does not within the time, or
// is no longer kept running, failed; so did one that is not the old, which goes on, when the log has more of it than was said.
func (s *Service) awaitAnswer(ctx context.Context, old int, said string) error {
	ctx, cancel := context.WithTimeout(ctx, s.await)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		v, _, err := s.answers(ctx)
		if err == nil && v.PID != old || errors.Is(err, fs.ErrPermission) { // it is there; who may ask it is another matter
			return nil
		}
		if err == nil {
			if now := s.manager.said(ctx); now != said && now != "" {
				return s.goesOn(ctx, now)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ctx := context.WithoutCancel(ctx)
			if err == nil {
				return s.goesOn(ctx, "it did not take over in time")
			}
			return s.because(ctx, fmt.Errorf("the daemon does not answer: %w", err))
		}
	}
}

// goesOn says why the old daemon does.
func (s *Service) goesOn(ctx context.Context, why string) error {
	text := "service: the new daemon failed, the old one goes on: " + why
	if status, _ := s.manager.status(ctx); status.Log != "" {
		text += "; see: " + status.Log
	}
	return errors.New(text)
}

// awaitSilence waits until the daemon answers no more, for as long as it may take to end.
func (s *Service) awaitSilence(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, control.Drain+5*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, _, err := s.answers(ctx); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
