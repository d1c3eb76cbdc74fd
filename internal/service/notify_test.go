//go:build unix

package service

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestNotify(t *testing.T) {
	dir, err := os.MkdirTemp("", "notify")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	t.Setenv("NOTIFY_SOCKET", socket)
	if err := Notify(MainPID(42), Ready); err != nil {
		t.Fatal(err)
	}
	message := make([]byte, 100)
	n, err := manager.Read(message)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(message[:n]), "MAINPID=42\nREADY=1"; got != want {
		t.Errorf("the manager heard %q, want %q", got, want)
	}
	_ = manager.Close()
	if err := Notify(Stopping); err == nil {
		t.Error("nobody listens, and nothing was said about it")
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Notify(Stopping); err != nil {
		t.Errorf("without a manager: %v", err)
	}
}
