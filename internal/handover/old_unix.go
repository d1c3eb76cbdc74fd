//go:build unix

package handover

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"pulley/internal/control"
)

// Side is the new daemon, as the old one sees it. It must be closed.
type Side struct {
	Request
	conn *net.UnixConn
	in   *bufio.Reader
	pid  int
}

// Receive answers a request to hand over. After an error it was refused, and told so.
func Receive(w http.ResponseWriter, r *http.Request, a About) (*Side, error) {
	var said Request
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&said)
	if err == nil && !strings.EqualFold(r.Header.Get("Upgrade"), upgrade) {
		err = errors.New("this is for a daemon that takes over")
	}
	if err == nil {
		err = said.check(a.Version)
	}
	if err != nil {
		Refuse(w, http.StatusUnprocessableEntity, err.Error())
		return nil, err
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("hand-over over %T", c)
	}
	s := &Side{Request: said, conn: conn, in: rw.Reader}
	_ = conn.SetDeadline(time.Now().Add(patience))
	uid, pid, err := peerOf(conn)
	switch {
	case err != nil:
	case uid != os.Geteuid():
		err = fmt.Errorf("the running daemon is another user's (%d) and hands over to nobody else (%d)", os.Geteuid(), uid)
	case pid <= 0:
		err = errors.New("the running daemon cannot see the process that asks it to hand over")
	}
	if err != nil {
		text, _ := json.Marshal(control.Error{Text: err.Error()})
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text)
		s.Close()
		return nil, err
	}
	s.pid = pid
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s: %s\r\n%s: %s\r\n%s: %s\r\n\r\n",
		upgrade, headerProgram, a.Version, headerListen, a.Listen, headerAddress, a.Address)
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Asked waits for the new daemon to want what there is.
func (s *Side) Asked() error { return s.hear(wordTake) }

func (s *Side) hear(word string) error {
	_ = s.conn.SetDeadline(time.Now().Add(patience))
	defer func() { _ = s.conn.SetDeadline(time.Time{}) }()
	line, err := s.in.ReadString('\n')
	if err == nil && line != word+"\n" {
		err = fmt.Errorf("it said %q", line)
	}
	return err
}

// Give sends the open files of listeners and of the cache's lock, which may be nil. They stay open here. After an error
// nobody has them but us, as with Taken.
func (s *Side) Give(port, control net.Listener, lock *os.File) error {
	names, fds := []string{}, []int{}
	for name, c := range map[string]any{"port": port, "control": control} {
		fd, err := fdOf(c)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		names, fds = append(names, name), append(fds, fd)
	}
	if lock != nil {
		names, fds = append(names, "lock"), append(fds, int(lock.Fd()))
	}
	text, err := json.Marshal(names)
	if err != nil {
		return err
	}
	_ = s.conn.SetDeadline(time.Now().Add(patience))
	if _, _, err = s.conn.WriteMsgUnix(append(text, '\n'), syscall.UnixRights(fds...), nil); err != nil {
		s.expel(err)
	}
	return err
}

// fdOf is the number of a listener's file, which stays the listener's.
func fdOf(ln any) (fd int, err error) {
	sc, ok := ln.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("%T has no file", ln)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(n uintptr) { fd = int(n) })
	return fd, err
}

// Taken waits for the new daemon to serve. After an error it has nothing of what it was given any more: it let go, or it
// was ended since it was stuck.
func (s *Side) Taken() error {
	err := s.hear(wordReady)
	if err == nil {
		return nil
	}
	s.expel(err)
	return err
}

// expel ends a new daemon that did not say itself that it let go.
func (s *Side) expel(why error) {
	if !errors.Is(why, io.EOF) && !errors.Is(why, syscall.ECONNRESET) {
		_ = syscall.Kill(s.pid, syscall.SIGKILL)
		_, _ = io.Copy(io.Discard, s.in) // until it is gone
	}
}

// Tell tells the new daemon something that its Hear understands.
func (s *Side) Tell(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err = s.conn.Write(append(text, '\n'))
	return err
}

// Close ends it: the new daemon looks at what was left.
func (s *Side) Close() { _ = s.conn.Close() }
