package daemon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/moby/sys/atomicwriter"
)

// pause switches on again at a time that outlives the daemon: it is kept in a file.
type pause struct {
	path   string
	now    func() time.Time
	expire func() error

	mu    sync.Mutex
	until time.Time // zero: none
	timer *time.Timer
}

type pauseFile struct {
	Until time.Time `json:"until"`
}

// newPause takes up a pause that an earlier daemon began. expire is called when it
// ends, also if that was meanwhile, and again every minute for as long as it fails.
func newPause(dir string, now func() time.Time, expire func() error) *pause {
	p := &pause{path: filepath.Join(dir, "pause.json"), now: now, expire: expire}
	var saved pauseFile
	if text, err := os.ReadFile(p.path); err == nil && json.Unmarshal(text, &saved) == nil {
		p.mu.Lock()
		p.arm(saved.Until)
		p.mu.Unlock()
	}
	return p
}

// set begins a pause.
func (p *pause) set(d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := p.now().Add(d)
	text, err := json.Marshal(pauseFile{Until: until})
	if err != nil {
		return err
	}
	if err := atomicwriter.WriteFile(p.path, text, 0o600); err != nil {
		return err
	}
	p.arm(until)
	return nil
}

// arm needs mu. The end is a time on the wall: a timer's clock stands still while the machine sleeps.
func (p *pause) arm(until time.Time) {
	p.until = until.Round(0)
	p.wait(p.left())
}

// left needs mu.
func (p *pause) left() time.Duration { return p.until.Sub(p.now().Round(0)) }

// look is how often the clock is looked at, and when switching on is tried again after it failed: somebody is perhaps
// editing the settings.
const look = time.Minute

// wait needs mu.
func (p *pause) wait(d time.Duration) {
	p.stopTimer()
	p.timer = time.AfterFunc(min(max(0, d), look), p.tick)
}

// tick ends the pause when its time has come. Switching on clears it; if that fails the pause stands.
func (p *pause) tick() {
	p.mu.Lock()
	until, left := p.until, p.left()
	switch {
	case p.timer == nil: // closed or cleared a moment ago
		p.mu.Unlock()
		return
	case left > 0:
		p.wait(left)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	err := p.expire()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.timer == nil || !p.until.Equal(until): // closed, cleared, or another pause began meanwhile
	case err != nil:
		p.wait(look)
	default:
		p.drop()
	}
}

// clear ends a pause without switching anything.
func (p *pause) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
}

func (p *pause) drop() {
	p.stopTimer()
	p.until = time.Time{}
	_ = os.Remove(p.path)
}

// ends is when the pause ends, nil without one.
func (p *pause) ends() *time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until.IsZero() {
		return nil
	}
	until := p.until
	return &until
}

// reopen ends close.
func (p *pause) reopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.until.IsZero() {
		p.wait(p.left())
	}
}

// close leaves the file for the next daemon.
func (p *pause) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopTimer()
}

func (p *pause) stopTimer() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}
