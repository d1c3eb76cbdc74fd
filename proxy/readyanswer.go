package proxy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// readyAnswer writes answers to plain requests: head and body at once. It is used for
// one after the other, by one goroutine.
type readyAnswer struct {
	conn   net.Conn
	long   func() (done func()) // around what may take the client a while
	header http.Header
	status int
	head   bool // to a HEAD request: no body follows
	last   bool // the connection ends with it
	begun  bool // the head was sent
	left   int64
	out    bytes.Buffer
	second int64  // since 1970, that
	date   []byte // is of
}

// begin makes it ready for the next request.
func (a *readyAnswer) begin(head, last bool) {
	clear(a.header)
	a.status, a.begun, a.left = 0, false, 0
	a.head, a.last = head, last
}

// Header implements http.ResponseWriter.
func (a *readyAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. The head waits for the body.
func (a *readyAnswer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

// Write implements http.ResponseWriter. Without a Content-Length the first one is
// the whole body.
func (a *readyAnswer) Write(p []byte) (int, error) {
	if a.head {
		return len(p), nil
	}
	if !a.begun {
		if a.header["Content-Length"] == nil {
			a.header["Content-Length"] = []string{strconv.Itoa(len(p))}
		}
		a.write()
		a.out.Grow(len(p))
		a.left -= int64(a.put(p))
		return len(p), a.flush()
	}
	if int64(len(p)) > a.left {
		return 0, http.ErrContentLength
	}
	a.left -= int64(len(p))
	_, err := a.conn.Write(p)
	return len(p), a.failed(err)
}

// ReadFrom implements io.ReaderFrom, for parts of files as io.CopyN makes them. They are sent by the system where it can.
func (a *readyAnswer) ReadFrom(r io.Reader) (int64, error) {
	part, ok := r.(*io.LimitedReader)
	if a.head || !ok || !isFile(r) {
		return io.Copy(struct{ io.Writer }{a}, r)
	}
	if !a.begun {
		a.write()
		if err := a.flush(); err != nil {
			return 0, err
		}
	}
	if part.N > a.left {
		return 0, http.ErrContentLength
	}
	defer a.long()()
	n, err := sendFile(a.conn, r)
	a.left -= n
	return n, err
}

// sendFile copies a file to a connection: by the system, or with a buffer of its own.
func sendFile(c net.Conn, file io.Reader) (int64, error) {
	if by, ok := c.(io.ReaderFrom); ok {
		return by.ReadFrom(file)
	}
	buf := copyPool.Get().(*[32 << 10]byte)
	defer copyPool.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c}, file, buf[:])
}

// put adds to what the next flush sends.
func (a *readyAnswer) put(p []byte) int {
	n, _ := a.out.Write(p) // it never fails
	return n
}

// write puts the head together.
func (a *readyAnswer) write() {
	a.WriteHeader(http.StatusOK)
	a.begun = true
	a.left, _ = strconv.ParseInt(a.header.Get("Content-Length"), 10, 64)
	if a.last {
		a.header["Connection"] = []string{"close"}
	}
	b := a.out.AvailableBuffer()
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(append(b, ' '), http.StatusText(a.status)...)
	b = append(b, "\r\nDate: "...)
	if now := time.Now(); now.Unix() != a.second {
		a.second, a.date = now.Unix(), now.UTC().AppendFormat(a.date[:0], http.TimeFormat)
	}
	b = append(append(b, a.date...), "\r\n"...)
	lines, ok := usualLines(b, a.header)
	if ok {
		a.put(append(lines, "\r\n"...))
		return
	}
	a.put(b)
	_ = a.header.Write(&a.out) // makes one line of each
	a.put([]byte("\r\n"))
}

// usual are the headers that most answers have, in the order in which net/http writes
// them.
var usual = [...]string{
	"Accept-Ranges", "Connection", "Content-Length", "Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version", "Etag",
}

// usualLines adds a header's lines, as its Write does; not ok if there is any in it
// that takes more than that.
func usualLines(b []byte, header http.Header) (lines []byte, ok bool) {
	seen := 0
	for _, name := range usual {
		values, there := header[name]
		if !there {
			continue
		}
		if len(values) != 1 || !visible(values[0]) {
			return nil, false
		}
		b = append(append(b, name...), ": "...)
		b = append(append(b, values[0]...), "\r\n"...)
		seen++
	}
	return b, seen == len(header)
}

// keptAnswer is how much room is kept for the next answer.
const keptAnswer = 64 << 10

func (a *readyAnswer) flush() error {
	_, err := a.conn.Write(a.out.Bytes())
	if a.out.Cap() > keptAnswer {
		a.out = bytes.Buffer{}
	}
	a.out.Reset()
	return a.failed(err)
}

func (a *readyAnswer) failed(err error) error {
	if err != nil {
		a.last = true
	}
	return err
}

// finish sends the head of an answer without a body. One that did not have all that
// its head promised ends the connection.
func (a *readyAnswer) finish() {
	if !a.begun {
		if a.header["Content-Length"] == nil && !a.head {
			a.header["Content-Length"] = []string{"0"}
		}
		a.write()
		_ = a.flush()
	}
	if a.left != 0 && !a.head {
		a.last = true
	}
}
