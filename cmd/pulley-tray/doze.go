//go:build cgo

package main

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
)

// doze keeps Fyne's loop from looking for events sixty times a second while there is no window to have any (Fyne 2.8.1,
// internal/driver/glfw/loop.go: its ticker runs whatever is shown, which is 1.5 % of a core). Nothing in Fyne slows it down, but it
// does what it is asked to between two of its ticks, and waits for that: so it is asked to rest. The rests are short, for the
// events that a hidden window does have: what was copied out of it is asked for, the session ends, on some desktops the
// menu is opened.
func (p *program) doze(ctx context.Context) error {
	for ctx.Err() == nil {
		open := make(chan bool, 1)
		fyne.Do(func() {
			if p.window.Open() {
				open <- true
				return
			}
			select {
			case <-p.rouse:
			case <-time.After(rest):
			case <-ctx.Done():
			}
			open <- false
		})
		select {
		case <-ctx.Done():
		case isOpen := <-open:
			next := time.After(tick)
			if isOpen {
				next = nil // until it is closed
			}
			select {
			case <-ctx.Done():
			case <-p.concealed:
			case <-next:
			}
		}
	}
	return nil
}

// tick is long enough for the loop to do what has piled up.
const tick = 2 * time.Millisecond

// onUI has f done on the UI goroutine soon, also if that is resting. Any goroutine.
func (p *program) onUI(f func()) {
	fyne.Do(f)
	signalOn(p.rouse)
}

// signalOn leaves a signal for whoever waits on a channel with room for one.
func signalOn(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
