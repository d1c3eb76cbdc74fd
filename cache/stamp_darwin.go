package cache

import "syscall"

func stampIn(st *syscall.Stat_t) stamp {
	return stamp{size: st.Size, mtime: st.Mtimespec.Nano(), ctime: st.Ctimespec.Nano(), inode: st.Ino}
}
