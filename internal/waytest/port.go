package waytest

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// ports counts the ports that were looked at, so that the next search begins
// behind the last.
var ports atomic.Int32

// FreeAddr is an address of 127.0.0.1 for a server that ends and comes back, the
// test's own until its end. Its port is below those that outgoing connections
// get, so that nobody has it by chance while the server is down; the tests of
// other processes leave it alone, because they find its UDP side taken.
func FreeAddr(t T) string {
	t.Helper()
	for range 500 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12000+(os.Getpid()*37+int(ports.Add(1)))%6000)
		mark, err := net.ListenPacket("udp", addr) //nolint:noctx // a test's
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", addr) //nolint:noctx // closed at once
		if err != nil {
			_ = mark.Close()
			continue
		}
		_ = l.Close()
		t.Cleanup(func() { _ = mark.Close() })
		return addr
	}
	t.Fatal("no free port")
	return ""
}
