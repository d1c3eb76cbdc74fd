package context

import (
	"io"
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes this binary the far end of an ssh connection too: with DIAL it joins a socket with its own input and
// output, as `docker system dial-stdio` does.
func TestMain(m *testing.M) {
	if socket := os.Getenv("DIAL"); socket != "" {
		os.Exit(dialStdio(socket))
	}
	goleak.VerifyTestMain(m)
}

func dialStdio(socket string) int {
	c, err := net.Dial("unix", socket) //nolint:noctx // as long as its process
	if err != nil {
		return 1
	}
	go func() {
		_, _ = io.Copy(c, os.Stdin)
		_ = c.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(os.Stdout, c)
	return 0
}
