package desktop_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pulley/internal/desktop"
)

// TestMain lets this test program be the child of its own tests.
func TestMain(m *testing.M) {
	switch os.Getenv("DESKTOP_TEST_CHILD") {
	case "":
		goleak.VerifyTestMain(m)
	case "fails":
		fmt.Println("ready soon")
		fmt.Fprintln(os.Stderr, "pulley: 127.0.0.1:5055 is held by nginx (pid 812)")
		os.Exit(1)
	case "silent":
		os.Exit(3)
	case "talks":
		fmt.Println("ready 127.0.0.1:5055")
		fmt.Fprintln(os.Stderr, `time=2030-01-01T00:00:00Z level=WARN msg="settings: not built yet"`)
		os.Exit(3)
	case "leaves":
		fmt.Println("ready 127.0.0.1:5055")
	case "obeys":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		fmt.Println("ready")
		<-asked
		fmt.Println("bye")
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		<-time.After(time.Hour)
	}
}

func startSelf(t *testing.T, kind string) (c *desktop.Child, output string) {
	t.Helper()
	t.Setenv("DESKTOP_TEST_CHILD", kind)
	output = filepath.Join(t.TempDir(), "log", "up.log")
	c, err := desktop.StartChild(output, os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return c, output
}

// says waits until the child has printed a line.
func says(t *testing.T, output, line string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if text, err := os.ReadFile(output); err == nil && strings.Contains(string(text), line) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("the child never said %q", line)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestChildSaysWhyItEnded(t *testing.T) {
	for kind, want := range map[string]string{
		"fails":  "127.0.0.1:5055 is held by nginx (pid 812)",
		"silent": "it ended by itself (exit status 3)",
		"talks":  "it ended by itself (exit status 3)", // what it said before is no reason
		"leaves": "it ended by itself",
	} {
		c, _ := startSelf(t, kind)
		<-c.Done()
		if got := c.Reason(); got != want {
			t.Errorf("%s: got %q, want %q", kind, got, want)
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Errorf("stopping what has ended: %v", err)
		}
	}
}

func TestStopAsksFirst(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // nothing without a console can be asked there
	}
	c, output := startSelf(t, "obeys")
	says(t, output, "ready")
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	says(t, output, "bye")
}

func TestStopKillsTheDeaf(t *testing.T) {
	c, output := startSelf(t, "deaf")
	says(t, output, "ready")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Stop(ctx); runtime.GOOS != "windows" && err == nil {
		t.Error("want an error that says it was killed")
	}
	<-c.Done()
}

func TestStartChildThatIsNotThere(t *testing.T) {
	_, err := desktop.StartChild(filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "nothing"))
	if err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("got %v", err)
	}
}

func TestClaim(t *testing.T) {
	dir, err := os.MkdirTemp("", "claim") // short: a socket goes there
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	shown := make(chan struct{}, 10)
	show := func() { shown <- struct{}{} }
	first, err := desktop.Claim(dir, show)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := desktop.Claim(dir, func() { t.Error("the second was asked to show") }); !errors.Is(err, desktop.ErrRunning) {
			t.Fatalf("a second one: %v", err)
		}
		<-shown
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := desktop.Claim(dir, show)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// What a process that was killed leaves behind is in nobody's way.
func TestClaimAfterACrash(t *testing.T) {
	dir, err := os.MkdirTemp("", "claim")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, name := range []string{"tray.lock", "tray.sock"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	i, err := desktop.Claim(dir, func() {})
	if err != nil {
		t.Fatal(err)
	}
	_ = i.Close()
}

// A path too long for a socket still makes one instance.
func TestClaimInADeepFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30))
	i, err := desktop.Claim(dir, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = i.Close() }()
	if _, err := desktop.Claim(dir, func() {}); !errors.Is(err, desktop.ErrRunning) {
		t.Errorf("a second one: %v", err)
	}
}

func TestFindBinary(t *testing.T) {
	if got, err := desktop.FindBinary("no-such-program-anywhere"); err == nil {
		t.Errorf("found %s", got)
	} else if !strings.Contains(err.Error(), "no-such-program-anywhere") {
		t.Errorf("got %v", err)
	}
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	got, err := desktop.FindBinary(name)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(got) != filepath.Dir(os.Args[0]) {
		t.Errorf("found %s, want the one beside this program", got)
	}
}
