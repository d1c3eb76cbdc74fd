package machine

import (
	"context"
	"io/fs"
	"net"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

func own(string, fs.FileInfo) error { return nil }

func inherit(string) error { return nil }

func ownedAlike(string, fs.FileInfo) bool { return true }

// elevated says whether this process runs as an administrator, behind the question of Windows.
func elevated() bool { return windows.GetCurrentProcessToken().IsElevated() }

func dialPipe(ctx context.Context, address string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, address)
}
