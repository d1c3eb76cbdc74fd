package waytest

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// ports counts the ports that were given out, so that no two servers get the
// same.
var ports atomic.Int32

// FreeAddr is an address of 127.0.0.1 for a server that ends and comes back: its
// port is below those that outgoing connections get, so that nobody else has it
// by chance while the server is down.
func FreeAddr(t T) string {
	t.Helper()
	for range 500 {
		port := 12000 + (os.Getpid()*37+int(ports.Add(1)))%6000
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // a test's listener
		if err == nil {
			defer func() { _ = l.Close() }()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}
