package cache

import (
	"os"
	"syscall"
)

func stampOf(f *os.File) (stamp, error) {
	var st syscall.Stat_t
	if err := fstat(f, &st); err != nil {
		return stamp{}, err
	}
	return stamp{size: st.Size, mtime: st.Mtimespec.Nano(), ctime: st.Ctimespec.Nano(), inode: st.Ino}, nil
}
