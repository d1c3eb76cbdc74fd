package waytest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Echo serves at addr (port 0 for any) until the test ends, and returns where:
// it says a line with its name, if it has one, and then gives back what it gets.
func Echo(t testing.TB, addr, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", addr) //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				if name != "" {
					_, _ = io.WriteString(c, name+"\n")
				}
				_, _ = io.Copy(c, c)
			})
		}
	})
	return l.Addr().String()
}
