package cache

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// fileBasicInfo is FILE_BASIC_INFO; times are in 100 ns.
type fileBasicInfo struct {
	created, accessed, written, changed int64
	attributes                          uint32
	_                                   uint32
}

func stampOf(f *os.File) (stamp, error) {
	var info windows.ByHandleFileInformation
	h := windows.Handle(f.Fd())
	if err := windows.GetFileInformationByHandle(h, &info); err != nil {
		return stamp{}, err
	}
	if info.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0 {
		return stamp{}, errNotRegular
	}
	var basic fileBasicInfo
	if err := windows.GetFileInformationByHandleEx(h, windows.FileBasicInfo, (*byte)(unsafe.Pointer(&basic)), uint32(unsafe.Sizeof(basic))); err != nil {
		return stamp{}, err
	}
	return stamp{
		size:  int64(info.FileSizeHigh)<<32 | int64(info.FileSizeLow),
		mtime: basic.written * 100,
		ctime: basic.changed * 100,
		inode: uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow),
	}, nil
}
