package service

import (
	"io/fs"
	"syscall"
	"time"
)

// placed is when a file came to be where it is. An installer gives it the time that it was built at, and Windows the other.
func placed(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		if created := time.Unix(0, st.CreationTime.Nanoseconds()); created.After(info.ModTime()) {
			return created
		}
	}
	return info.ModTime()
}
