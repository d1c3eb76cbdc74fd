package daemon

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/moby/sys/atomicwriter"

	"pulley/internal/control"
)

// history keeps answered requests as JSON lines in requests.log and hands new ones to whoever follows. When the file
// reaches half of what log.max_size allows it becomes requests.log.1, so that both together stay within it. Methods may
// be called concurrently; record never waits for the disk.
type history struct {
	path    string
	maxSize func() int64
	log     *slog.Logger
	news    chan struct{} // something is pending that was not a moment ago
	ask     chan func()

	mu      sync.Mutex
	pending []control.Event
	follows map[chan control.Event]struct{}

	// Of the goroutine in run.
	file   *os.File
	size   int64
	broken bool            // said so already
	taken  []control.Event // room for the next that are pending
	lines  []byte          // gathered
}

// queued bounds what waits for the disk; more than that is dropped from the file, not from the totals.
const queued = 4096

func newHistory(dir string, maxSize func() int64, log *slog.Logger) *history {
	return &history{
		path: filepath.Join(dir, "requests.log"), maxSize: maxSize, log: log,
		news: make(chan struct{}, 1), ask: make(chan func()), follows: make(map[chan control.Event]struct{}),
	}
}

// record hands an event to the file and to those who follow.
func (h *history) record(e control.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pending) < queued {
		h.pending = append(h.pending, e)
	}
	if len(h.pending) == 1 { // one wakes the writer for all that come in its time
		select {
		case h.news <- struct{}{}:
		default:
		}
	}
	for c := range h.follows {
		select {
		case c <- e:
		default: // too slow: it misses this one
		}
	}
}

// followed is how many events somebody who follows may lag behind.
const followed = 1024

// follow hands out new events until stop is called.
func (h *history) follow() (events <-chan control.Event, stop func()) {
	c := make(chan control.Event, followed)
	h.mu.Lock()
	h.follows[c] = struct{}{}
	h.mu.Unlock()
	return c, func() {
		h.mu.Lock()
		delete(h.follows, c)
		h.mu.Unlock()
	}
}

// gathers is how long events are gathered before they are written, all at once.
const gathers = 5 * time.Millisecond

// roomFor is for how many events room is kept.
const roomFor = 512

// run writes until end is closed, and then what is left.
func (h *history) run(end <-chan struct{}) {
	defer func() {
		if h.file != nil {
			_ = h.file.Close()
		}
	}()
	timer := time.NewTimer(gathers)
	defer timer.Stop()
	for {
		select {
		case <-h.news:
			timer.Reset(gathers)
		case <-timer.C:
			h.drain()
		case f := <-h.ask:
			h.drain()
			f()
		case <-end:
			h.drain()
			return
		}
	}
}

// drain writes everything that was recorded, in pieces that are small beside the file.
func (h *history) drain() {
	h.mu.Lock()
	h.taken, h.pending = h.pending, h.taken[:0]
	h.mu.Unlock()
	for i := range h.taken {
		h.lines = appendLine(h.lines, &h.taken[i])
		if int64(len(h.lines)) > min(64<<10, h.maxSize()/8) {
			h.write()
		}
	}
	clear(h.taken)
	if len(h.taken) > roomFor {
		h.taken = nil
	}
	h.write()
}

// write appends what was gathered to the file.
func (h *history) write() {
	lines := h.lines
	if len(lines) == 0 {
		return
	}
	defer func() { h.lines = lines[:0] }()
	if h.file != nil && h.size+int64(len(lines)) > h.maxSize()/2 {
		_ = h.file.Close()
		h.file = nil
		_ = os.Rename(h.path, h.path+".1")
	}
	if err := h.open(); err == nil {
		var n int
		n, err = h.file.Write(lines)
		h.size += int64(n)
		if err == nil {
			h.broken = false
			return
		}
	} else if h.broken {
		return
	}
	if !h.broken {
		h.broken = true
		h.log.Warn("request log: cannot be written; pulls go on without it", "path", h.path)
	}
}

func (h *history) open() error {
	if h.file != nil {
		return nil
	}
	f, err := os.OpenFile(h.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	h.file, h.size = f, info.Size()
	return nil
}

// tail is the last n events, oldest first, with everything recorded before the call. end as for run.
func (h *history) tail(n int, end <-chan struct{}) ([]control.Event, error) {
	flushed := make(chan struct{})
	select {
	case h.ask <- func() { close(flushed) }:
		<-flushed
	case <-end:
	}
	return h.read(n)
}

// read is what of that is on the disk.
func (h *history) read(n int) ([]control.Event, error) {
	lines, err := lastLines(h.path, n)
	if err == nil && len(lines) < n {
		var older [][]byte
		older, err = lastLines(h.path+".1", n-len(lines))
		lines = append(older, lines...)
	}
	if err != nil {
		return nil, fmt.Errorf("request log: %w", err)
	}
	events := make([]control.Event, 0, len(lines))
	for _, line := range lines {
		var e control.Event
		if json.Unmarshal(line, &e) == nil { // a kill may have torn the last one
			events = append(events, e)
		}
	}
	return events, nil
}

// lastLines reads a file from its end; a missing file has none.
func lastLines(path string, n int) ([][]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	for span := int64(n+1) * 512; ; span *= 4 {
		from := max(0, info.Size()-span)
		lines, err := linesFrom(f, from, info.Size())
		if err != nil {
			return nil, err
		}
		if from > 0 && len(lines) > 0 {
			lines = lines[1:] // torn by where we began
		}
		if from == 0 || len(lines) >= n {
			return lines[max(0, len(lines)-n):], nil
		}
	}
}

func linesFrom(f *os.File, from, to int64) (lines [][]byte, err error) {
	scanner := bufio.NewScanner(io.NewSectionReader(f, from, to-from))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	return lines, scanner.Err()
}

// totals counts bytes: per minute for a day, per day for a year, ever. It is kept in totals.json, written at most every
// few seconds; a kill loses those.
type totals struct {
	path string
	now  func() time.Time

	mu    sync.Mutex
	dirty bool
	sums  sums
	busy  map[string]stretch // registry → the downloads that overlap the latest
	label struct {
		minute       time.Time // that they are of
		byMin, byDay string
	}
}

type sums struct {
	Ever    control.Bytes            `json:"ever"`
	Minutes map[string]control.Bytes `json:"minutes"` // "2006-01-02T15:04", UTC
	Days    map[string]control.Bytes `json:"days"`    // "2006-01-02", local
	Used    map[string]time.Time     `json:"used"`    // registry → last request
	Speeds  map[string]speed         `json:"speeds"`  // by registry
}

const (
	minuteForm = "2006-01-02T15:04"
	dayForm    = time.DateOnly
	keepDays   = 366
)

func newTotals(dir string, now func() time.Time) *totals {
	t := &totals{path: filepath.Join(dir, "totals.json"), now: now}
	if text, err := os.ReadFile(t.path); err == nil {
		_ = json.Unmarshal(text, &t.sums) // damaged: counting begins anew
	}
	if t.sums.Speeds == nil {
		t.sums.Speeds = map[string]speed{}
	}
	t.busy = map[string]stretch{}
	if t.sums.Minutes == nil || t.sums.Days == nil || t.sums.Used == nil {
		t.sums.Minutes, t.sums.Days, t.sums.Used = map[string]control.Bytes{}, map[string]control.Bytes{}, map[string]time.Time{}
	}
	return t
}

func (t *totals) add(e control.Event) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dirty = true
	count := func(b control.Bytes) control.Bytes {
		return control.Bytes{Requests: b.Requests + 1, FromCache: b.FromCache + e.FromCache, FromNet: b.FromNet + e.FromNet}
	}
	t.sums.Ever = count(t.sums.Ever)
	minute, day := t.labels(now)
	t.sums.Minutes[minute] = count(t.sums.Minutes[minute])
	t.sums.Days[day] = count(t.sums.Days[day])
	if e.Registry != "" {
		t.sums.Used[e.Registry] = now
		t.measure(e)
	}
}

// labels are what a moment is counted under. Needs mu.
func (t *totals) labels(now time.Time) (minute, day string) {
	if l := &t.label; !l.minute.Equal(now.Truncate(time.Minute)) || l.byMin == "" {
		l.minute, l.byMin, l.byDay = now.Truncate(time.Minute), now.UTC().Format(minuteForm), now.Format(dayForm)
	}
	return t.label.byMin, t.label.byDay
}

func (t *totals) traffic() control.Traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	return control.Traffic{Today: t.sums.Days[t.now().Format(dayForm)], Ever: t.sums.Ever}
}

// history is what was counted, by minute and by day, without what is older than is kept.
func (t *totals) history() control.History {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	return control.History{
		Minutes: points(t.sums.Minutes, minuteForm, oldestMinute(now), time.UTC),
		Days:    points(t.sums.Days, dayForm, oldestDay(now), now.Location()),
	}
}

// points are sums by time, oldest first.
func points(sums map[string]control.Bytes, form, oldest string, in *time.Location) []control.Point {
	list := make([]control.Point, 0, len(sums))
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		if at, err := time.ParseInLocation(form, key, in); err == nil && key >= oldest {
			list = append(list, control.Point{At: at, Bytes: sums[key]})
		}
	}
	return list
}

func oldestMinute(now time.Time) string { return now.Add(-24 * time.Hour).UTC().Format(minuteForm) }
func oldestDay(now time.Time) string    { return now.AddDate(0, 0, -keepDays).Format(dayForm) }

func (t *totals) lastUsed(registry string) *time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.sums.Used[registry]; ok {
		return &at
	}
	return nil
}

// flush writes what changed since the last time.
func (t *totals) flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dirty {
		return nil
	}
	now := t.now()
	forget(t.sums.Minutes, oldestMinute(now))
	forget(t.sums.Days, oldestDay(now))
	text, err := json.Marshal(t.sums)
	if err != nil {
		return err
	}
	if err := atomicwriter.WriteFile(t.path, text, 0o600); err != nil {
		return err
	}
	t.dirty = false
	return nil
}

// forget drops what is before the key oldest; the forms sort as time does.
func forget(sums map[string]control.Bytes, oldest string) {
	for key := range sums {
		if key < oldest {
			delete(sums, key)
		}
	}
}
