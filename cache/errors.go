package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/opencontainers/go-digest"
)

var (
	// ErrIdle is what Claim returns when no reader is left and nobody called
	// WantAll. The driver decides: WantAll and go on, or EndIdle.
	ErrIdle = errors.New("nobody wants this download any more")
	// ErrComplete is what Claim returns when every byte is there: Commit is next.
	ErrComplete = errors.New("every byte is there")
	// ErrStop ends a claim early: the rest of it is there, somebody else
	// fetches it, or nobody wants it any more. It is no failure.
	ErrStop = errors.New("the rest of the range is not needed")
	// ErrEnded is what a fill answers that has ended without a failure of its
	// own. Ask Get, then Join again.
	ErrEnded = errors.New("the download has ended")
	// ErrStored is what Join answers when the blob is in the cache: ask Get.
	ErrStored = errors.New("the blob is stored already")
	// ErrNotWrong is what Amend answers when no Commit has found the digest not
	// to fit: bytes that may be right are not changed.
	ErrNotWrong = errors.New("the bytes are not known to be wrong")
	// ErrClosed is what everything answers after Close.
	ErrClosed = errors.New("the cache is closed")
	// ErrUnsupported is for digests that are no sha256 and names that are not
	// in the grammar of image references.
	ErrUnsupported = errors.New("not supported by the cache")
)

// Reason says why something is a miss.
type Reason string

// The reasons of a MissError.
const (
	Absent     Reason = "not stored"
	Damaged    Reason = "damaged on disk"    // hashed to something else; it has been removed
	Unreadable Reason = "not readable"       // Err says why; it has been removed if that was possible
	Mismatch   Reason = "another one's file" // a case-insensitive file system gave us somebody else's tag
)

// MissError is a miss: ask upstream. Digest or Ref names what was asked for.
type MissError struct {
	Digest digest.Digest
	Ref    string
	Reason Reason
	Err    error // the system's error, for Unreadable
}

func (e *MissError) Error() string {
	what := e.Ref
	if what == "" {
		what = string(e.Digest)
	}
	if e.Err != nil {
		return fmt.Sprintf("cache: %s: %s: %v", what, e.Reason, e.Err)
	}
	return fmt.Sprintf("cache: %s: %s", what, e.Reason)
}

func (e *MissError) Unwrap() error { return e.Err }

// DigestError says that content does not hash to its digest. Nothing of it is
// kept, unless the driver of its Fill puts it right.
type DigestError struct {
	Want, Got digest.Digest
	// Resumed is how many of the bytes came from an earlier run of this
	// process, so that nobody blames the present source alone for them.
	Resumed int64
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("cache: %s: the bytes hash to %s", e.Want, e.Got)
}

// SizeError says that two statements about one blob's size contradict each
// other. Whatever was kept of the blob is dropped when its fill ends.
type SizeError struct {
	Digest     digest.Digest
	Have, Said int64 // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("cache: %s: size %d contradicts %d", e.Digest, e.Said, e.Have)
}

// NoSpaceError says that the disk, or cache.max_size, has no room for this.
// Pass the bytes through.
type NoSpaceError struct {
	Err error // the system's error; nil when max_size is the limit
}

func (e *NoSpaceError) Error() string {
	if e.Err == nil {
		return "cache: larger than cache.max_size"
	}
	return fmt.Sprintf("cache: no space left: %v", e.Err)
}

func (e *NoSpaceError) Unwrap() error { return e.Err }

// DiskError is any other failure of the local disk. Pass the bytes through.
type DiskError struct {
	Op  string
	Err error
}

func (e *DiskError) Error() string { return fmt.Sprintf("cache: %s: %v", e.Op, e.Err) }

func (e *DiskError) Unwrap() error { return e.Err }

// IsLocal reports whether err is this machine's fault (no space, a broken
// disk, a closed cache) and not the source's: the bytes can be had, only not be
// kept.
func IsLocal(err error) bool {
	var ns *NoSpaceError
	var de *DiskError
	return errors.As(err, &ns) || errors.As(err, &de) || errors.Is(err, ErrClosed) || errors.Is(err, ErrUnsupported)
}

// ReadFailed reports whether err, of a copy of a [Blob]'s file to a connection, is the
// file's and not the connection's: it cannot be read, or has become shorter.
func ReadFailed(err error) bool {
	var read *fs.PathError
	return errors.As(err, &read) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ESTALE) // of sendfile(2)
}

// CannotRead reports whether err is of something that is there, as far as is known, and
// cannot be read now: the disk fails, or too many files are open. It may be as it should
// be all the same, so nothing may take it for gone that could not be had again.
func CannotRead(err error) bool { return isUnreadable(err) && maybeGood(err) }

// HeldError says which process holds the cache directory.
type HeldError struct {
	Dir string
	PID int // 0 when it cannot be told
}

func (e *HeldError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("cache: %s: held by %s; stop it, or set another cache.dir", e.Dir, who)
}

// diskFault types an error of the disk.
func diskFault(op string, err error) error {
	var ns *NoSpaceError
	var de *DiskError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ns), errors.As(err, &de):
		return err
	case isNoSpace(err):
		return &NoSpaceError{Err: err}
	default:
		return &DiskError{Op: op, Err: err}
	}
}
