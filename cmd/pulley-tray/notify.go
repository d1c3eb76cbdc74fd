//go:build cgo

package main

import (
	"context"
	"time"

	"fyne.io/fyne/v2"

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
		}
		for _, text := range texts {
			p.app.SendNotification(fyne.NewNotification(name, text)) // waits for the desktop, so not on the UI goroutine
		}
	}
}
