//go:build unix

package service

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// keeping is a Keeper of shell scripts that pretend to be daemons: each writes its number to a file of its own.
type keeping struct {
	t     *testing.T
	dir   string
	renew chan os.Signal
	done  chan error
	stop  context.CancelFunc
	log   *os.File
}

func keep(t *testing.T, script string) *keeping {
	t.Helper()
	k := &keeping{t: t, dir: t.TempDir(), renew: make(chan os.Signal, 1), done: make(chan error, 1)}
	var err error
	if k.log, err = os.Create(filepath.Join(k.dir, "log")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	k.stop = stop
	keeper := Keeper{
		Program: "/bin/sh", Args: []string{"-c", "cd '" + k.dir + "'; echo $$ >>pids; " + script}, Output: k.log,
		Pause: 10 * time.Millisecond, Grace: 5 * time.Second,
	}
	go func() { k.done <- keeper.Keep(ctx, k.renew) }()
	t.Cleanup(func() {
		stop()
		_ = k.log.Close()
	})
	return k
}

// pids waits for the nth daemon and returns all so far.
func (k *keeping) pids(n int) []int {
	k.t.Helper()
	var pids []int
	k.until("daemon "+strconv.Itoa(n), func() bool {
		pids = nil
		text, _ := os.ReadFile(filepath.Join(k.dir, "pids"))
		for field := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				k.t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return len(pids) >= n
	})
	return pids
}

func (k *keeping) until(what string, is func() bool) {
	k.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			k.t.Fatalf("never: %s; log:\n%s", what, k.said())
		}
	}
}

func (k *keeping) said() string {
	text, _ := os.ReadFile(k.log.Name())
	return string(text)
}

func (k *keeping) end() error {
	k.t.Helper()
	select {
	case err := <-k.done:
		return err
	case <-time.After(20 * time.Second):
		k.t.Fatal("the keeper does not end")
		return nil
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// serve is a daemon that serves until it is asked to end.
const serve = "trap 'echo bye; exit 0' TERM; echo ready x; while :; do sleep 0.02; done"

func TestKeeperRestarts(t *testing.T) {
	k := keep(t, serve)
	first := k.pids(1)[0]
	k.until("ready", func() bool { return strings.Contains(k.said(), "ready x") })
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := k.pids(2)[1]
	k.until("ready again", func() bool { return strings.Count(k.said(), "ready x") == 2 })
	k.stop()
	if err := k.end(); err != nil {
		t.Error(err)
	}
	if alive(second) || !strings.Contains(k.said(), "bye") {
		t.Errorf("it was not asked to end:\n%s", k.said())
	}
}

func TestKeeperEndsWithItsDaemon(t *testing.T) {
	if err := keep(t, "echo ready x").end(); err != nil {
		t.Errorf("one that ended in order: %v", err)
	}
	var exit *exec.ExitError
	if err := keep(t, "exit 2").end(); !errors.As(err, &exit) {
		t.Errorf("wrong usage will not get right by itself: %v", err)
	}
}

// TestKeeperRenews has a second daemon take over: the first ends in order only then.
func TestKeeperRenews(t *testing.T) {
	k := keep(t, `if [ -e first ]; then kill -USR1 $(cat first); else echo $$ >first; fi
trap 'exit 0' USR1; `+serve)
	first := k.pids(1)[0]
	k.until("ready", func() bool { return strings.Contains(k.said(), "ready x") })
	k.renew <- syscall.SIGHUP
	second := k.pids(2)[1]
	k.until("the first gone", func() bool { return !alive(first) })
	if !alive(second) {
		t.Error("the second went with the first")
	}
	// It is the second now that is kept.
	if err := syscall.Kill(second, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(k.dir, "first"))
	k.pids(3)
	k.stop()
	if err := k.end(); err != nil {
		t.Error(err)
	}
}

// TestKeeperRenewFails leaves the old daemon alone when the new one cannot take over.
func TestKeeperRenewFails(t *testing.T) {
	k := keep(t, `[ -e first ] && { echo 'pulley: no port' >&2; exit 1; }; : >first; `+serve)
	first := k.pids(1)[0]
	k.until("ready", func() bool { return strings.Contains(k.said(), "ready x") })
	k.renew <- syscall.SIGHUP
	k.until("said so", func() bool { return strings.Contains(k.said(), "the old daemon goes on") })
	if !alive(first) || len(k.pids(2)) != 2 {
		t.Error("the old one should have gone on")
	}
	k.stop()
	if err := k.end(); err != nil {
		t.Error(err)
	}
}

// TestKeeperKills does not wait for ever.
func TestKeeperKills(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	ctx, stop := context.WithCancel(t.Context())
	k := &keeping{t: t, dir: dir, done: make(chan error, 1), log: log}
	keeper := Keeper{Program: "/bin/sh", Args: []string{"-c", "trap '' TERM; echo ready x; while :; do sleep 0.02; done"}, Output: log, Grace: 50 * time.Millisecond}
	go func() { k.done <- keeper.Keep(ctx, nil) }()
	k.until("ready", func() bool { return strings.Contains(k.said(), "ready x") })
	stop()
	if err := k.end(); err != nil {
		t.Error(err)
	}
}

func TestHandOver(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "pid")
	answers := func(context.Context) (int, error) {
		text, err := os.ReadFile(mark)
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err := HandOver(t.Context(), "/bin/sh", []string{"-c", "exit 1"}, answers); err == nil || !strings.Contains(err.Error(), "the old one goes on") {
		t.Errorf("one that fails: %v", err)
	}
	if err := HandOver(t.Context(), "/bin/sh", []string{"-c", "echo $$ >'" + mark + ".new'; mv '" + mark + ".new' '" + mark + "'; sleep 1"}, answers); err != nil {
		t.Errorf("one that takes over: %v", err)
	}
	pid, err := answers(t.Context())
	if err != nil || !alive(pid) {
		t.Errorf("it should go on (%v)", err)
	}
	(&keeping{t: t, log: os.Stderr}).until("its end", func() bool { return !alive(pid) })
}

func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "pulley.log")
	l, err := OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	l.most = 10
	for _, line := range []string{"12345678\n", "next\n"} {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{path: "next\n", path + ".1": "12345678\n"} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", file, got, err, want)
		}
	}
}
