//go:build unix

package handover

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"pulley/internal/control"
)

// Peer is the old daemon, as the new one sees it. It must be closed.
type Peer struct {
	About
	conn *net.UnixConn
}

// Ask finds the daemon at a control socket and asks whether it would hand over. Nothing has happened then. ErrNone: there
// is none. *RefusedError: it would not.
func Ask(ctx context.Context, socket string, r Request) (_ *Peer, err error) {
	r.Protocol = Protocol
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOTDIR) {
			return nil, ErrNone
		}
		return nil, fmt.Errorf("hand-over: %w", err)
	}
	p := &Peer{conn: conn.(*net.UnixConn)}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	_ = conn.SetDeadline(time.Now().Add(patience))
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		Path, control.Host, upgrade, len(body), body); err != nil {
		return nil, fmt.Errorf("hand-over: %w", err)
	}
	answer, err := p.answer()
	if err != nil {
		return nil, fmt.Errorf("hand-over: the running daemon does not answer: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, refusal(answer)
	}
	h := answer.Header
	p.About = About{Version: h.Get(headerProgram), Listen: h.Get(headerListen), Address: h.Get(headerAddress)}
	return p, nil
}

// answer reads the head of an answer and nothing behind it: files come with bytes, and are lost with them.
func (p *Peer) answer() (*http.Response, error) {
	var head bytes.Buffer
	for b := make([]byte, 1); !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")); head.Write(b) {
		if head.Len() > 16<<10 {
			return nil, errors.New("its answer has no end")
		}
		if _, err := io.ReadFull(p.conn, b); err != nil {
			return nil, err
		}
	}
	return http.ReadResponse(bufio.NewReader(io.MultiReader(&head, p.conn)), nil)
}

func refusal(answer *http.Response) error {
	var said control.Error
	if err := json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&said); err != nil || said.Text == "" {
		said.Text = "the running daemon cannot hand over (" + answer.Status + "); end it first: pulley service stop, or Ctrl-C where it runs"
	}
	return &RefusedError{said.Text}
}

// Take gets what the old daemon holds. From here on it answers nobody new, until Ready, or until the connection is closed:
// then it goes on as before.
func (p *Peer) Take() (*Given, error) {
	_ = p.conn.SetDeadline(time.Now().Add(2 * patience))
	if _, err := p.conn.Write([]byte(wordTake + "\n")); err != nil {
		return nil, fmt.Errorf("hand-over: %w", err)
	}
	names, files, err := receive(p.conn)
	if err != nil {
		return nil, fmt.Errorf("hand-over: the running daemon gave nothing: %w", err)
	}
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	g := &Given{}
	for i, name := range names {
		switch name {
		case "port":
			g.Port, err = net.FileListener(files[i])
		case "control":
			g.Control, err = net.FileListener(files[i])
		case "lock":
			g.Lock, files[i] = files[i], nil
		}
		if err != nil {
			g.Close()
			return nil, fmt.Errorf("hand-over: %s: %w", name, err)
		}
	}
	if g.Port == nil || g.Control == nil {
		g.Close()
		return nil, errors.New("hand-over: the running daemon gave no listeners")
	}
	return g, nil
}

// Ready says that the new daemon serves. The old one does not come back after that.
func (p *Peer) Ready() error {
	_ = p.conn.SetDeadline(time.Now().Add(patience))
	_, err := p.conn.Write([]byte(wordReady + "\n"))
	_ = p.conn.SetDeadline(time.Time{})
	if err != nil {
		return fmt.Errorf("hand-over: %w", err)
	}
	return nil
}

// Hear calls f for each thing that the old daemon tells, until that has ended, which is no error, or Close.
func (p *Peer) Hear(f func(json.RawMessage)) error {
	said := json.NewDecoder(p.conn)
	for {
		var m json.RawMessage
		if err := said.Decode(&m); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				return nil
			}
			return err
		}
		f(m)
	}
}

// Close ends it. Before Ready the old daemon goes on as if nothing was.
func (p *Peer) Close() { _ = p.conn.Close() }

// receive reads one message of files: a line with their names.
func receive(conn *net.UnixConn) (names []string, files []*os.File, err error) {
	line := make([]byte, 4096)
	oob := make([]byte, 1024)
	n, oobn, _, _, err := conn.ReadMsgUnix(line, oob)
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, nil, err
	}
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	if err := json.Unmarshal(line[:n], &names); err != nil || len(names) != len(files) {
		for _, f := range files {
			_ = f.Close()
		}
		return nil, nil, fmt.Errorf("%d files of %q", len(files), line[:n])
	}
	return names, files, nil
}
