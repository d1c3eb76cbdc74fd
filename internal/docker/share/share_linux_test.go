package share

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pulley/internal/docker/machine"
	"pulley/internal/waytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trial is a share of a server here with a machine there.
type trial struct {
	far    *waytest.Machine
	events chan Event
	cancel context.CancelFunc
	ended  chan error
}

func begin(t *testing.T, change func(*Options)) *trial {
	t.Helper()
	return beginAt(t, waytest.SSHD(t, ""), change)
}

func beginAt(t *testing.T, far *waytest.Machine, change func(*Options)) *trial {
	t.Helper()
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	t.Cleanup(here.Close)
	tr := &trial{far: far, events: make(chan Event, 100), ended: make(chan error, 1)}
	o := Options{
		SSH: machine.SSHOptions{URL: far.URL(), Name: "far", Environ: waytest.Knowing(t, far).Environ()},
		To:  here.Listener.Addr().String(), Say: func(e Event) { tr.events <- e },
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	tr.cancel = cancel
	done := make(chan struct{})
	go func() { tr.ended <- Run(ctx, o); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return tr
}

// next is the next event but for vain tries.
func (tr *trial) next(t *testing.T, want string) Event {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e := <-tr.events:
			if e.Event == Retry && want != Retry {
				continue
			}
			if e.Event != want || e.Context != "far" || e.Time.IsZero() {
				t.Fatalf("want %s: %+v", want, e)
			}
			return e
		case err := <-tr.ended:
			t.Fatalf("want %s, it has ended: %v", want, err)
		case <-timeout:
			t.Fatalf("no %s", want)
		}
	}
}

func (tr *trial) end(t *testing.T) error {
	t.Helper()
	tr.cancel()
	select {
	case err := <-tr.ended:
		return err
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
		return nil
	}
}

func ask(t *testing.T, port int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/v2/", port))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "/v2/" {
		t.Errorf("the port answers %q: %v", body, err)
	}
}

// closed waits until nobody listens any more: sshd there sees the end a moment later.
func closed(t *testing.T, port int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			_ = c.Close()
		}
		if time.Now().After(deadline) {
			t.Fatal("the port is still open")
		}
	}
}

func TestShareComesBackAndLeavesNothing(t *testing.T) {
	var calls []string
	tr := begin(t, func(o *Options) {
		o.Wire = func(ctx context.Context, m machine.Machine, reach string) error {
			out, err := m.Run(ctx, machine.Command{Args: []string{"echo", reach}})
			calls = append(calls, "wire "+strings.TrimSpace(string(out)))
			return err
		}
		o.Unwire = func(ctx context.Context, m machine.Machine) error {
			_, err := m.Run(ctx, machine.Command{Args: []string{"true"}})
			calls = append(calls, "unwire")
			return err
		}
	})
	up := tr.next(t, Up)
	if up.Port == 0 || !up.Proved || up.Error != "" {
		t.Errorf("up: %+v", up)
	}
	tr.next(t, Wired)
	ask(t, up.Port)
	for range 2 {
		tr.far.Kill()
		if down := tr.next(t, Down); !strings.HasPrefix(down.Error, "far: ") {
			t.Errorf("down: %+v", down)
		}
		tr.far.Start()
		if again := tr.next(t, Up); again.Port != up.Port || !again.Proved {
			t.Errorf("up again: %+v", again)
		}
		ask(t, up.Port)
	}
	if err := tr.end(t); err != nil {
		t.Error(err)
	}
	tr.next(t, Unwired)
	tr.next(t, Finished)
	closed(t, up.Port)
	if want := []string{fmt.Sprintf("wire 127.0.0.1:%d", up.Port), "unwire"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q", calls)
	}
}

// While a machine is away it is tried again; what was wired there is taken back over a link made for that, or it is said
// that it is not.
func TestShareEndsWhileTheMachineIsAway(t *testing.T) {
	unwired := 0
	tr := begin(t, func(o *Options) {
		o.Wire = func(context.Context, machine.Machine, string) error { return nil }
		o.Unwire = func(context.Context, machine.Machine) error { unwired++; return nil }
	})
	tr.next(t, Up)
	tr.next(t, Wired)
	tr.far.Kill()
	tr.next(t, Down)
	if e := tr.next(t, Retry); !strings.Contains(e.Error, "nobody listens for ssh there") || e.Retry != firstPause {
		t.Errorf("retry: %+v", e)
	}
	err := tr.end(t)
	if err == nil || !strings.Contains(err.Error(), "pulley disconnect --context far") || unwired != 0 {
		t.Errorf("it ended with %v", err)
	}
}

func TestShareThatCannotBegin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	tr := begin(t, func(o *Options) { o.Port = port })
	err = <-tr.ended
	var taken *machine.PortError
	if !errors.As(err, &taken) || !strings.HasSuffix(err.Error(), fmt.Sprintf("; take another: --port %d", port+1)) {
		t.Errorf("a port that is taken: %v", err)
	}
	undone := false
	broken := errors.New("no engine there")
	tr = begin(t, func(o *Options) {
		o.Wire = func(context.Context, machine.Machine, string) error { return broken }
		o.Unwire = func(context.Context, machine.Machine) error { undone = true; return nil }
	})
	if err := <-tr.ended; !errors.Is(err, broken) || !undone {
		t.Errorf("wiring that fails: %v, undone: %v", err, undone)
	}
}

// A machine that goes away while everything is taken back is one that this is said of.
func TestShareWhoseMachineGoesAwayAtTheEnd(t *testing.T) {
	var far *waytest.Machine
	tr := begin(t, func(o *Options) {
		o.Wire = func(context.Context, machine.Machine, string) error { return nil }
		o.Unwire = func(ctx context.Context, m machine.Machine) error {
			far.Kill()
			_, err := m.Run(ctx, machine.Command{Args: []string{"true"}})
			return err
		}
	})
	far = tr.far
	tr.next(t, Up)
	tr.next(t, Wired)
	if err := tr.end(t); err == nil || !strings.Contains(err.Error(), "pulley disconnect --context far") {
		t.Errorf("it ended with %v", err)
	}
}

// There is one share of a context at a time. The next one waits for one that ends, and takes its port.
func TestShareIsTakenUpByTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b", "far.json")
	unwiring, may := make(chan struct{}), make(chan struct{})
	first := begin(t, func(o *Options) {
		o.Memory = path
		o.Wire = func(context.Context, machine.Machine, string) error { return nil }
		o.Unwire = func(context.Context, machine.Machine) error { close(unwiring); <-may; return nil }
	})
	port := first.next(t, Up).Port
	next := func() *trial {
		return beginAt(t, first.far, func(o *Options) { o.Memory, o.Port = path, port })
	}
	if err := <-next().ended; err == nil || err.Error() != fmt.Sprintf("far: it is shared with already, by process %d; end that first", os.Getpid()) {
		t.Errorf("a second one: %v", err)
	}
	ask(t, port)
	first.cancel()
	<-unwiring
	second := next()
	select {
	case e := <-second.events:
		t.Errorf("it does not wait: %+v", e)
	case <-time.After(2 * lockEvery):
	}
	third := next()
	if err := third.end(t); err != nil {
		t.Errorf("one that need not wait any more: %v", err)
	}
	close(may)
	if err := <-first.ended; err != nil {
		t.Error(err)
	}
	if up := second.next(t, Up); up.Port != port {
		t.Errorf("it has port %d, not %d", up.Port, port)
	}
	ask(t, port)
	if err := second.end(t); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is remembered after its end: %v", err)
	}
}

// One that was killed, or whose machine lost its power, has left sshd there with a link that nobody has any more, and the
// port.
func TestShareTakesUpWhatAKilledOneLeft(t *testing.T) {
	far := waytest.SSHD(t, "")
	path := filepath.Join(t.TempDir(), "far.json")
	here, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	orphan, err := machine.ConnectSSH(t.Context(), machine.SSHOptions{
		URL: far.URL(), Environ: waytest.Knowing(t, far).Environ(), Reverse: &machine.Reverse{To: here.Addr().String()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer orphan.Close()
	killed, err := remember(t.Context(), "far", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(killed.write(left{Far: orphan.FarEnd()}), killed.lock.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-beginAt(t, far, func(o *Options) { o.Memory, o.SSH.URL = path, "ssh://127.0.0.1:1" }).ended; err == nil {
		t.Error("it is shared with a machine that is away")
	}
	if killed.read().Far != orphan.FarEnd() {
		t.Error("what was left is forgotten while the machine is away")
	}
	next := beginAt(t, far, func(o *Options) { o.Memory, o.Port = path, orphan.Port() })
	if up := next.next(t, Up); up.Port != orphan.Port() {
		t.Errorf("it has port %d, not %d", up.Port, orphan.Port())
	}
	ask(t, orphan.Port())
	select {
	case <-orphan.Done():
	case <-time.After(time.Minute):
		t.Error("what was left lives on")
	}
	if err := next.end(t); err != nil {
		t.Error(err)
	}
}
