package daemon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"
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
	if err := writeFile(p.path, text); err != nil {
		return err
	}
	p.arm(until)
	return nil
}

// arm needs mu.
func (p *pause) arm(until time.Time) {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.until = until
	p.timer = time.AfterFunc(max(0, until.Sub(p.now())), p.over)
}

// retryExpire is when switching on is tried again after it failed: somebody is perhaps editing the settings.
const retryExpire = time.Minute

// over ends the pause when its time has come. Switching on clears it; if that fails the pause stands.
func (p *pause) over() {
	if p.expire() == nil {
		p.clear()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer = time.AfterFunc(retryExpire, p.over)
	}
}

// clear ends a pause without switching anything.
func (p *pause) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
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
