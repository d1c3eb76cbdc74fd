//go:build cgo

package main

import (
	"context"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/notice"
)

// notify tells a person what the window does not show them, until ctx ends.
func (p *program) notify(ctx context.Context) error {
	n := notice.New()
	for {
		var texts []string
		select {
		case <-ctx.Done():
			return nil
		case <-p.heed:
			texts = n.Look(p.model.View(), p.watched.Load(), time.Now())
		case e := <-p.requests:
			texts = n.Failed(e, p.model.View(), p.watched.Load(), time.Now())
		}
		for _, text := range texts {
			p.app.SendNotification(fyne.NewNotification(name, text)) // waits for the desktop, so not on the UI goroutine
		}
	}
}

// answered takes a request that the daemon answered. Nobody waits for it: of many at once some are enough.
func (p *program) answered(e control.Event) {
	if e.Err == "" {
		return
	}
	select {
	case p.requests <- e:
	default:
	}
}
