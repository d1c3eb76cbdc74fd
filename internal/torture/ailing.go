//go:build linux

package main

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// ailing is a file system that has everything from the folder beneath it, and can be slow or fail: also for what is open by
// then, as a real disk is. Names are known for a second; everything else is asked for each time.
type ailing struct {
	fuse.RawFileSystem
	slow  atomic.Bool
	fails atomic.Int64 // one operation in so many; 0: none
	db    sync.Map     // numbers of files that are mapped
}

// mapped is what the daemon maps, which the kernel has to keep in memory for that. Everything else is read and written here
// each time: what it keeps of a file that is written, read and opened at once is not always what is in it.
const mapped = "cache.db"

// well ends whatever it suffers from.
func (a *ailing) well() {
	a.slow.Store(false)
	a.fails.Store(0)
}

// suffer takes its time, and says whether this operation fails.
func (a *ailing) suffer() bool {
	if a.slow.Load() {
		<-time.After(2*time.Millisecond + rand.N(13*time.Millisecond)) //nolint:gosec // no secret
	}
	n := a.fails.Load()
	return n > 0 && rand.Int64N(n) == 0 //nolint:gosec // no secret
}

// ask is an operation that changes nothing, or hands something out that has to be given back: it is not done if it fails.
func (a *ailing) ask(do func() fuse.Status) fuse.Status {
	if a.suffer() {
		return fuse.EIO
	}
	return do()
}

// change is one that has been done all the same in half of the cases in which it fails.
func (a *ailing) change(do func() fuse.Status) fuse.Status {
	fails := a.suffer()
	if fails && rand.IntN(2) == 0 { //nolint:gosec // no secret
		return fuse.EIO
	}
	if s := do(); !fails {
		return s
	}
	return fuse.EIO
}

// way is how the kernel is to read and write a file.
func (a *ailing) way(name string, number uint64) uint32 {
	if name == mapped {
		a.db.Store(number, true)
	}
	if _, is := a.db.Load(number); is {
		return fuse.FOPEN_KEEP_CACHE
	}
	return fuse.FOPEN_DIRECT_IO
}

// Init keeps the server to itself: the nodes would have the kernel read and write the files beneath past us.
func (a *ailing) Init(*fuse.Server) {}

type cancel = <-chan struct{}

func (a *ailing) Lookup(c cancel, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	return a.ask(func() fuse.Status {
		s := a.RawFileSystem.Lookup(c, in, name, out)
		a.way(name, out.NodeId)
		return s
	})
}

func (a *ailing) GetAttr(c cancel, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return a.ask(func() fuse.Status { return a.RawFileSystem.GetAttr(c, in, out) })
}

func (a *ailing) Access(c cancel, in *fuse.AccessIn) fuse.Status {
	return a.ask(func() fuse.Status { return a.RawFileSystem.Access(c, in) })
}

func (a *ailing) StatFs(c cancel, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	return a.ask(func() fuse.Status { return a.RawFileSystem.StatFs(c, in, out) })
}

func (a *ailing) Open(c cancel, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return a.ask(func() fuse.Status {
		s := a.RawFileSystem.Open(c, in, out)
		out.OpenFlags = a.way("", in.NodeId)
		return s
	})
}

func (a *ailing) Create(c cancel, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	in.Flags |= unix.O_CLOEXEC // of the file beneath: a daemon that is started has no business with it
	return a.ask(func() fuse.Status {
		s := a.RawFileSystem.Create(c, in, name, out)
		out.OpenFlags = a.way(name, out.NodeId)
		return s
	})
}

func (a *ailing) Mkdir(c cancel, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return a.ask(func() fuse.Status { return a.RawFileSystem.Mkdir(c, in, name, out) })
}

func (a *ailing) Read(c cancel, in *fuse.ReadIn, into []byte) (read fuse.ReadResult, s fuse.Status) {
	s = a.ask(func() (s fuse.Status) { read, s = a.RawFileSystem.Read(c, in, into); return s })
	return read, s
}

func (a *ailing) OpenDir(c cancel, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return a.ask(func() fuse.Status { return a.RawFileSystem.OpenDir(c, in, out) })
}

func (a *ailing) ReadDir(c cancel, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return a.ask(func() fuse.Status { return a.RawFileSystem.ReadDir(c, in, out) })
}

func (a *ailing) SetAttr(c cancel, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	return a.change(func() fuse.Status { return a.RawFileSystem.SetAttr(c, in, out) })
}

func (a *ailing) Write(c cancel, in *fuse.WriteIn, data []byte) (n uint32, s fuse.Status) {
	s = a.change(func() (s fuse.Status) { n, s = a.RawFileSystem.Write(c, in, data); return s })
	return n, s
}

func (a *ailing) Fallocate(c cancel, in *fuse.FallocateIn) fuse.Status {
	return a.change(func() fuse.Status { return a.RawFileSystem.Fallocate(c, in) })
}

func (a *ailing) Flush(c cancel, in *fuse.FlushIn) fuse.Status {
	return a.change(func() fuse.Status { return a.RawFileSystem.Flush(c, in) })
}

func (a *ailing) Fsync(c cancel, in *fuse.FsyncIn) fuse.Status {
	return a.change(func() fuse.Status { return a.RawFileSystem.Fsync(c, in) })
}

func (a *ailing) FsyncDir(c cancel, in *fuse.FsyncIn) fuse.Status {
	return a.change(func() fuse.Status { return a.RawFileSystem.FsyncDir(c, in) })
}

func (a *ailing) Rename(c cancel, in *fuse.RenameIn, from, to string) fuse.Status {
	return a.change(func() fuse.Status { return a.RawFileSystem.Rename(c, in, from, to) })
}

func (a *ailing) Unlink(c cancel, in *fuse.InHeader, name string) fuse.Status {
	return a.change(func() fuse.Status { return a.RawFileSystem.Unlink(c, in, name) })
}

func (a *ailing) Rmdir(c cancel, in *fuse.InHeader, name string) fuse.Status {
	return a.change(func() fuse.Status { return a.RawFileSystem.Rmdir(c, in, name) })
}
