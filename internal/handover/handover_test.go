//go:build unix

package handover_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pulley/internal/handover"
)

func TestMain(m *testing.M) {
	if socket := os.Getenv("PULLEY_TEST_STUCK"); socket != "" {
		stuck(socket)
	}
	goleak.VerifyTestMain(m)
}

// stuck takes everything, says what it should not, and stays.
func stuck(socket string) {
	p, err := handover.Ask(context.Background(), socket, handover.Request{Version: "v2"})
	if err == nil {
		_, err = p.Take()
	}
	if err == nil {
		_, _ = p.Take()
	}
	select {}
}

var errLeft = errors.New("left")

// old is a daemon that can hand over.
type old struct {
	t             *testing.T
	socket        string
	port, control *handover.Gate
	lock          *os.File
	got           chan error
	side          *handover.Side
	version       string
}

func newOld(t *testing.T) *old {
	t.Helper()
	dir, err := os.MkdirTemp("", "hand")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	o := &old{t: t, socket: filepath.Join(dir, "s"), got: make(chan error, 1), version: "v1"}
	unix, err := net.Listen("unix", o.socket)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.lock, err = os.Create(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	o.port, o.control = handover.NewGate(tcp, errLeft), handover.NewGate(unix, errLeft)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+handover.Path, func(w http.ResponseWriter, r *http.Request) {
		s, err := handover.Receive(w, r, handover.About{Version: o.version, Listen: "configured", Address: o.port.Addr().String()})
		if err == nil {
			err = s.Asked()
		}
		if err == nil {
			err = errors.Join(o.port.Hold(), s.Give(o.port.Socket(), o.control.Socket(), o.lock))
		}
		if err == nil {
			err = s.Taken()
		}
		o.side = s
		o.got <- err
	})
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(o.control) }()
	t.Cleanup(func() {
		_ = server.Close()
		_ = o.port.Close()
		_ = o.control.Close()
		_ = o.lock.Close()
		if o.side != nil {
			o.side.Close()
		}
	})
	return o
}

func (o *old) ask() *handover.Peer {
	o.t.Helper()
	p, err := handover.Ask(o.t.Context(), o.socket, handover.Request{Version: "v2"})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(p.Close)
	return p
}

// TestEverythingGoesAcross: connections that come while nobody accepts are answered by the new one, the old one's events are
// heard, and the socket's file stays.
func TestEverythingGoesAcross(t *testing.T) {
	o := newOld(t)
	p := o.ask()
	if p.Version != "v1" || p.Listen != "configured" || p.Address != o.port.Addr().String() {
		t.Errorf("%+v", p.About)
	}
	given, err := p.Take()
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	waiting, err := net.Dial("tcp", p.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if err := p.Ready(); err != nil {
		t.Fatal(err)
	}
	if err := <-o.got; err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(o.port.Leave(), o.control.Leave()); err != nil {
		t.Fatal(err)
	}
	if _, err := o.port.Accept(); !errors.Is(err, errLeft) {
		t.Errorf("the old one accepts: %v", err)
	}
	c, err := given.Port.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if c.RemoteAddr().String() != waiting.LocalAddr().String() {
		t.Error("somebody else came first")
	}
	_ = c.Close()
	if _, err := os.Stat(o.socket); err != nil {
		t.Error(err)
	}
	mine, _ := o.lock.Stat()
	theirs, err := given.Lock.Stat()
	if err != nil || !os.SameFile(mine, theirs) {
		t.Errorf("the lock is another file: %v", err)
	}
	go func() {
		for i := range 3 {
			_ = o.side.Tell(map[string]int{"n": i})
		}
		o.side.Close()
	}()
	var heard []string
	if err := p.Hear(func(m json.RawMessage) { heard = append(heard, string(m)) }); err != nil {
		t.Error(err)
	}
	if got := strings.Join(heard, " "); got != `{"n":0} {"n":1} {"n":2}` {
		t.Errorf("heard %s", got)
	}
}

// TestOneThatGoesAway: the old one hears of it at once, has everything, and goes on.
func TestOneThatGoesAway(t *testing.T) {
	o := newOld(t)
	for _, take := range []bool{false, true} {
		p := o.ask()
		if take {
			given, err := p.Take()
			if err != nil {
				t.Fatal(err)
			}
			given.Close()
		}
		p.Close()
		if err := <-o.got; !errors.Is(err, io.EOF) {
			t.Errorf("taken %v: %v", take, err)
		}
		if !take {
			continue
		}
		if err := o.port.Resume(); err != nil {
			t.Fatal(err)
		}
		accepted := make(chan error, 1)
		go func() {
			c, err := o.port.Accept()
			if err == nil {
				_ = c.Close()
			}
			accepted <- err
		}()
		c, err := net.Dial("tcp", o.port.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if err := <-accepted; err != nil {
			t.Error(err)
		}
	}
}

// TestOneThatIsStuck: it is ended, so that nobody has the files but the old one when that goes on.
func TestOneThatIsStuck(t *testing.T) {
	o := newOld(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PULLEY_TEST_STUCK="+o.socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-o.got; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the old one says %v", err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("it ended by itself: %v", err)
	}
}

// TestRefusals are one line that says what to do.
func TestRefusals(t *testing.T) {
	o := newOld(t)
	if _, err := handover.Ask(t.Context(), o.socket+"x", handover.Request{}); !errors.Is(err, handover.ErrNone) {
		t.Errorf("no socket: %v", err)
	}
	left := o.socket + "y"
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	_ = ln.Close()
	if _, err := handover.Ask(t.Context(), left, handover.Request{}); !errors.Is(err, handover.ErrNone) {
		t.Errorf("a dead one's socket: %v", err)
	}
	for protocol, want := range map[int]string{handover.Protocol + 1: "(v1) is older than v2", handover.Protocol - 1: "newer than v2; update that program"} {
		conn, err := net.Dial("unix", o.socket)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		body, _ := json.Marshal(handover.Request{Protocol: protocol, Version: "v2"})
		r, _ := http.NewRequest(http.MethodPost, "http://pulley"+handover.Path, strings.NewReader(string(body)))
		r.Header.Set("Upgrade", "pulley-handover")
		r.Header.Set("Connection", "Upgrade")
		_ = r.Write(conn)
		answer, err := http.ReadResponse(bufio.NewReader(conn), r)
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || !strings.Contains(string(said), want) || answer.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("protocol %d: %s %s %v", protocol, answer.Status, said, err)
		}
		_ = conn.Close()
		if err := <-o.got; err == nil {
			t.Error("no error on the other side")
		}
	}
}

// TestGate: nobody accepts while it is held, whoever comes meanwhile is accepted afterwards, and Close ends everything.
func TestGate(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := handover.NewGate(ln, errLeft)
	accepted := make(chan error)
	go func() {
		for {
			c, err := g.Accept()
			if err == nil {
				_ = c.Close()
			}
			accepted <- err
			if err != nil {
				return
			}
		}
	}()
	for range 50 {
		if err := g.Hold(); err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-accepted:
			t.Fatalf("accepted while held: %v", err)
		default:
		}
		if err := g.Resume(); err != nil {
			t.Fatal(err)
		}
		if err := <-accepted; err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestGateMoves: who accepts goes on at another socket, also one whose gate was held when it was to move, and an error that
// brings no socket changes nothing.
func TestGateMoves(t *testing.T) {
	open := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	first, second := open(), open()
	g := handover.NewGate(first, errLeft)
	accepted := make(chan error)
	go func() {
		for {
			c, err := g.Accept()
			if err == nil {
				_ = c.Close()
			}
			accepted <- err
			if err != nil {
				return
			}
		}
	}()
	if err := g.Move(func(net.Listener) (net.Listener, error) { return nil, io.EOF }); !errors.Is(err, io.EOF) || g.Addr() != first.Addr() {
		t.Fatalf("%v, %s", err, g.Addr())
	}
	if err := g.Hold(); err != nil {
		t.Fatal(err)
	}
	moved := make(chan error)
	go func() { moved <- g.Move(func(net.Listener) (net.Listener, error) { return second, nil }) }()
	if g.Addr() != first.Addr() {
		t.Error("moved while held")
	}
	if err := g.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-moved; err != nil || g.Addr() != second.Addr() {
		t.Fatalf("%v, %s", err, g.Addr())
	}
	c, err := net.Dial("tcp", second.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if c, err := net.Dial("tcp", first.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the one before is still open")
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := g.Move(func(net.Listener) (net.Listener, error) { return nil, nil }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed one moves: %v", err)
	}
}
