//go:build unix

package machine

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// own gives a new file the owner of the one that it replaces, or of the folder that it is made in: what root makes in a
// person's home is the person's.
func own(name string, old fs.FileInfo) error {
	if old == nil {
		return inherit(name)
	}
	return chown(name, old)
}

// inherit gives a file or folder the owner of the folder that it is in.
func inherit(name string) error {
	parent, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return err
	}
	return chown(name, parent)
}

func chown(name string, like fs.FileInfo) error {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil // only root gives files away
	}
	return os.Lchown(name, int(st.Uid), int(st.Gid))
}

// ownedAlike says that a file has the owner and the group of another.
func ownedAlike(name string, other fs.FileInfo) bool {
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	a, ok := info.Sys().(*syscall.Stat_t)
	b, ok2 := other.Sys().(*syscall.Stat_t)
	return !ok || !ok2 || a.Uid == b.Uid && a.Gid == b.Gid
}

// elevated says whether this process is root's.
func elevated() bool { return os.Geteuid() == 0 }

func dialPipe(context.Context, string) (net.Conn, error) {
	return nil, errors.New("named pipes are Windows's")
}
