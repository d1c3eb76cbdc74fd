package service

import (
	"io/fs"
	"syscall"
	"time"
)

// placed is when a file came to be where it is. Package managers give it the time that it was built at; its inode they cannot.
func placed(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return info.ModTime()
}
