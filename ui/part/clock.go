package part

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

// clock is the time that parts go by. Tests have their own.
var clock = struct {
	now func() time.Time
	// after has f called on the UI goroutine after a while, unless it is stopped before, on that goroutine too.
	after func(wait time.Duration, f func()) (stop func())
}{time.Now, later}

func later(wait time.Duration, f func()) (stop func()) {
	if _, screen := fyne.CurrentApp().Driver().(desktop.Driver); !screen {
		return func() {} // Fyne's test driver has no UI goroutine: f would be called beside whatever the test does meanwhile
	}
	stopped := false
	timer := time.AfterFunc(wait, func() {
		fyne.Do(func() {
			if !stopped { // after the timer had run out
				f()
			}
		})
	})
	return func() {
		stopped = true
		timer.Stop()
	}
}
