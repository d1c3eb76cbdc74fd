package hubtest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

// response counts, throttles and spoils what a handler writes. One goroutine writes to it.
type response struct {
	http.ResponseWriter
	rc     *http.ResponseController
	hub    *Hub
	req    *http.Request
	conn   *conn
	target target
	query  query
	entry  *Request

	begun    bool
	spoil    bool    // the answer is one that body faults act on
	fault    effects // of the rules in force
	gen      uint64
	released bool     // from its stall
	whole    int64    // length of the body as the handler knows it, -1 unknown
	limit    int64    // send no more than this, -1: all
	wrote    int64    // body bytes so far
	paces    []*pacer // it shares
}

func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) note(s string) {
	w.hub.record.update(func() {
		if w.entry.Note != "" {
			s = w.entry.Note + " " + s
		}
		w.entry.Note = s
	})
}

func (w *response) user(name string) { w.hub.record.update(func() { w.entry.User = name }) }

// wait sleeps unless the client or the hub goes first.
func (w *response) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.req.Context().Done():
	case <-w.hub.done:
	}
}

// prepare looks up body faults before the header is written; handlers that serve ranges call it themselves.
func (w *response) prepare() {
	if !w.spoil && w.req.Method != http.MethodHead {
		w.spoil = true
		w.fault, w.gen = w.hub.faults.match(atBody, w.query, false)
	}
}

func (w *response) WriteHeader(status int) {
	if w.begun {
		return
	}
	if status < 200 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.begun = true
	h := w.Header()
	w.whole = -1
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil {
		w.whole = n
	}
	w.hub.record.update(func() {
		w.entry.Status = status
		if w.req.Method != http.MethodHead {
			w.entry.Asked = max(0, w.whole)
		}
	})
	if status == http.StatusOK || status == http.StatusPartialContent {
		w.prepare()
		w.spoilHeader(h)
	}
	w.ResponseWriter.WriteHeader(status)
	if w.fault.Chunked {
		_ = w.rc.Flush() // or net/http would count a short body for us
	}
}

func (w *response) spoilHeader(h http.Header) {
	f := w.fault
	if f.Length != 0 && w.whole >= 0 {
		w.note("length")
		declared := max(0, w.whole+f.Length)
		h.Set("Content-Length", strconv.FormatInt(declared, 10))
		w.limit = min(w.whole, declared)
	}
	if f.Chunked {
		w.note("chunked")
		h.Del("Content-Length")
	}
	if f.ContentRange != "" && h.Get("Content-Range") != "" {
		w.note("content-range")
		h.Del("Content-Range")
		if f.ContentRange != "-" {
			h.Set("Content-Range", f.ContentRange)
		}
	}
}

// refresh takes up rules that changed since the last look.
func (w *response) refresh() {
	b := &w.hub.faults
	b.mu.Lock()
	same := b.gen == w.gen
	b.mu.Unlock()
	if same || !w.spoil {
		return
	}
	old := w.fault
	w.fault, w.gen = b.match(atBody, w.query, true)
	w.fault.Length, w.fault.Chunked, w.fault.NoRange = old.Length, old.Chunked, old.NoRange // sent already
}

func (w *response) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.req.Method == http.MethodHead {
		return len(p), nil
	}
	if w.limit >= 0 {
		p = p[:min(int64(len(p)), max(0, w.limit-w.wrote))]
	}
	n := 0
	for n < len(p) {
		w.refresh()
		w.halt()
		piece := p[n:][:w.room(int64(len(p)-n))]
		w.pace(int64(len(piece)))
		k, err := w.send(w.corrupt(piece))
		n += k
		w.age(int64(len(piece)), int64(k))
		if err != nil {
			return n, err
		}
	}
	if w.limit >= 0 && w.wrote >= w.limit {
		return n, errLimit
	}
	return n, nil
}

var errLimit = errors.New("hub: declared length reached")

// send counts bytes before they go, so that whoever has received them finds them counted.
func (w *response) send(p []byte) (int, error) {
	w.count(int64(len(p)))
	n, err := w.ResponseWriter.Write(p)
	if n < len(p) {
		w.count(int64(n - len(p)))
	}
	w.wrote += int64(n)
	return n, err
}

func (w *response) count(n int64) { w.hub.record.update(func() { w.entry.Sent += n }) }

// room is how many of n bytes, at least one, may go before something happens.
func (w *response) room(n int64) int64 {
	f, room := &w.fault, n
	for _, rate := range []int64{f.Bandwidth, f.Total} {
		if rate > 0 {
			room = min(room, max(rate/200, 512), 128<<10)
		}
	}
	if f.Cut != nil {
		room = min(room, *f.Cut-w.wrote)
	}
	if f.Stall != nil && !w.released {
		room = min(room, *f.Stall-w.wrote)
	}
	room = max(1, room)
	if f.life == nil {
		return room
	}
	room, last := f.life.take(room)
	if last {
		w.die()
	}
	if room == 0 {
		panic(http.ErrAbortHandler)
	}
	return room
}

// pace waits until the link has had time for n bytes.
func (w *response) pace(n int64) {
	f := &w.fault
	if f.Total > 0 {
		f.pace.wait(w, n, f.Total)
	}
	if f.Bandwidth > 0 {
		w.conn.pace.wait(w, n, f.Bandwidth)
	}
}

// age counts what was sent of what room allowed.
func (w *response) age(allowed, sent int64) {
	f := &w.fault
	if f.Total > 0 || f.Bandwidth > 0 {
		_ = w.rc.Flush()
	}
	if f.life != nil && f.life.spend(allowed, sent) {
		w.die()
	}
}

// die takes the hub down.
func (w *response) die() {
	w.note("die")
	_ = w.rc.Flush()
	w.hub.mu.Lock()
	w.hub.shut(w.fault.life.reset, nil)
	w.hub.mu.Unlock()
	w.fault.life.end()
	panic(http.ErrAbortHandler)
}

// halt stalls or cuts where a rule says so.
func (w *response) halt() {
	if w.conn.cut.Load() {
		panic(http.ErrAbortHandler)
	}
	for w.fault.Stall != nil && !w.released && w.wrote >= *w.fault.Stall {
		w.stall()
	}
	if w.fault.Cut != nil && w.wrote >= *w.fault.Cut {
		w.note("cut")
		_ = w.rc.Flush()
		if w.fault.CutReset {
			w.conn.reset()
		}
		panic(http.ErrAbortHandler)
	}
}

func (w *response) stall() {
	b := &w.hub.faults
	b.mu.Lock()
	released, change, gen := b.released, b.changedLocked(), b.gen
	b.mu.Unlock()
	if gen != w.gen {
		w.refresh()
		return
	}
	w.note("stall")
	_ = w.rc.Flush()
	select {
	case <-change:
	case <-w.req.Context().Done():
		panic(http.ErrAbortHandler)
	case <-w.hub.done:
		panic(http.ErrAbortHandler)
	}
	b.mu.Lock()
	w.released = b.released != released
	b.mu.Unlock()
	w.refresh()
}

// corrupt returns p, or a copy of it with wrong bytes.
func (w *response) corrupt(p []byte) []byte {
	if !w.spoil {
		return p
	}
	from := w.entry.Off + w.wrote
	wrong := w.hub.faults.wrongBytes(w.query, from, from+int64(len(p)))
	if len(wrong) == 0 {
		return p
	}
	w.note("wrong-byte")
	p = slices.Clone(p)
	for _, at := range wrong {
		p[at-from] ^= 0xff
	}
	return p
}

// sendContent writes [off, off+n) of a content.
func (w *response) sendContent(c Content, off, n int64) {
	if f, ok := c.(*fileContent); ok && w.plain() {
		w.sendFile(f, off, n)
		return
	}
	buf := make([]byte, min(n, 256<<10))
	for n > 0 {
		k, err := c.ReadAt(buf[:min(n, int64(len(buf)))], off)
		if k > 0 {
			if _, err := w.Write(buf[:k]); err != nil {
				return
			}
		}
		off, n = off+int64(k), n-int64(k)
		if err != nil && n > 0 {
			panic(http.ErrAbortHandler) // a shorter content than it said
		}
	}
}

// plain reports whether nothing stands between a file and the socket. Rules that come later act from the next piece on.
func (w *response) plain() bool {
	f := &w.fault
	return f.Bandwidth == 0 && f.Total == 0 && f.Cut == nil && f.Stall == nil && f.Die == nil && w.limit < 0 && !w.hub.faults.mayLie()
}

// sendFile lets net/http find sendfile, in pieces small enough to count them as they go.
func (w *response) sendFile(c *fileContent, off, n int64) {
	f, err := os.Open(c.path)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer f.Close()
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		panic(http.ErrAbortHandler)
	}
	for n > 0 {
		if w.refresh(); !w.plain() {
			w.sendContent(c, off, n)
			return
		}
		piece := min(n, 4<<20)
		w.count(piece)
		k, err := io.CopyN(w.ResponseWriter, f, piece)
		w.count(k - piece)
		w.wrote += k
		if off, n = off+k, n-k; err != nil {
			return
		}
	}
}

// Hijack hands the connection over, for upgrades.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hub.record.update(func() { w.entry.Status = http.StatusSwitchingProtocols })
	return w.rc.Hijack()
}

// counted counts what is read of a request's body.
type counted struct {
	io.ReadCloser
	w *response
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if n > 0 {
		c.w.hub.record.update(func() { c.w.entry.Received += int64(n) })
	}
	return n, err
}

func copyN(r io.Reader, n int64) (int64, error) { return io.CopyN(io.Discard, r, n) }
