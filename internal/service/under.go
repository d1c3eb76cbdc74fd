package service

import (
	"context"
	"errors"
	"os"

	kardianos "github.com/kardianos/service"
)

// serviceName is what Windows calls the service.
const serviceName = "Pulley"

// Under runs a daemon so that a service manager that started the process gets its answers: Windows's wants them within 30
// seconds, and says when to stop. Otherwise it just calls run. The context that run gets ends when the daemon has to.
func Under(ctx context.Context, run func(context.Context) error) error {
	if kardianos.Platform() != "windows-service" || kardianos.Interactive() {
		return run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &driven{run: run, ctx: ctx, cancel: cancel, done: make(chan struct{}), exit: os.Exit} //nolint:forbidigo // a failure is what the manager sees as the process's own end
	s, err := kardianos.New(d, &kardianos.Config{Name: serviceName})
	if err != nil {
		return err
	}
	if d.log, err = s.SystemLogger(nil); err != nil {
		return err
	}
	return errors.Join(s.Run(), d.err)
}

// driven is a daemon that a manager starts and stops.
type driven struct {
	run    func(context.Context) error
	ctx    context.Context //nolint:containedctx // the manager's calls have none
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of run, after done
	log    kardianos.Logger
	exit   func(int)
}

// Start must not block.
func (d *driven) Start(kardianos.Service) error {
	go func() {
		d.err = d.run(d.ctx)
		close(d.done)
		if d.ctx.Err() != nil {
			return // it was told to
		}
		// The manager restarts only what ends without having been told to.
		code := 0
		if d.err != nil {
			code = 1
			_ = d.log.Error("pulley: " + d.err.Error())
		}
		d.exit(code)
	}()
	return nil
}

// Stop waits for the daemon's end.
func (d *driven) Stop(kardianos.Service) error {
	d.cancel()
	<-d.done
	return d.err
}
