//go:build linux

package waytest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Server is a proxy that runs.
type Server struct {
	Addr string // host:port, the same over Kill and Start
	t    T
	args []string
	cmd  *exec.Cmd
}

// SOCKS starts microsocks; with a user it demands that name and password.
func SOCKS(t T, user, password string) *Server {
	t.Helper()
	s := &Server{t: t, Addr: FreeAddr(t)}
	_, port, _ := net.SplitHostPort(s.Addr)
	s.args = []string{program(t, "microsocks"), "-i", "127.0.0.1", "-p", port}
	if user != "" {
		s.args = append(s.args, "-u", user, "-P", password)
	}
	s.run()
	return s
}

// HTTP starts tinyproxy; with a user it demands that name and password. More
// lines for its configuration may follow.
func HTTP(t T, user, password string, more ...string) *Server {
	t.Helper()
	s := &Server{t: t, Addr: FreeAddr(t)}
	_, port, _ := net.SplitHostPort(s.Addr)
	conf := fmt.Sprintf("Port %s\nListen 127.0.0.1\nTimeout 600\nMaxClients 100\nLogLevel Critical\n", port)
	if user != "" {
		conf += fmt.Sprintf("BasicAuth %s %s\n", user, password)
	}
	conf += strings.Join(more, "\n") + "\n"
	file := filepath.Join(t.TempDir(), "tinyproxy.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{program(t, "tinyproxy"), "-d", "-c", file}
	s.run()
	return s
}

func (s *Server) run() {
	s.t.Helper()
	s.Start()
	s.t.Cleanup(s.Kill)
}

// Start starts the server again after Kill, and returns when it accepts.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.CommandContext(s.t.Context(), s.args[0], s.args[1:]...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	answers(s.t, s.Addr)
}

// Kill ends the server, and all its connections with it, as a crash would.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// program finds a server's program, which may not be in a person's PATH.
func program(t T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin", "/usr/local/sbin") {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(p) {
			return p
		}
	}
	t.Fatalf("%s is not here; run: .ci/need test", name)
	return ""
}

// answers waits until somebody accepts at addr.
func answers(t T, addr string) {
	t.Helper()
	var err error
	for range 500 {
		var c net.Conn
		if c, err = new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
			_ = c.Close()
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal(strings.TrimSpace(err.Error()))
}
