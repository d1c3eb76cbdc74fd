package bundle

import (
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// IncompleteError says that the cache does not have all of what was chosen of an
// image. Nothing was written.
type IncompleteError struct {
	Image    string // full reference
	Platform string // "" when the image has none or the index itself is missing
	Missing  []Want
}

func (e *IncompleteError) Error() string {
	what := e.Image
	try := "pulley pull "
	if e.Platform != "" {
		what += " (" + e.Platform + ")"
		try += "--platform " + e.Platform + " "
	}
	missing := string(e.Missing[0].Digest)
	if n := len(e.Missing) - 1; n > 0 {
		missing += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s: not complete in the cache: %s missing; try: %s%s", what, missing, try, e.Image)
}

// PlatformError says that an image has nothing for a platform that was asked
// for. Nothing was written.
type PlatformError struct {
	Image    string // full reference
	Platform string
	Have     string // those that it has, "linux/amd64, linux/arm64"
}

func (e *PlatformError) Error() string {
	if e.Have == "" {
		return fmt.Sprintf("%s: there is no %s of it", e.Image, e.Platform)
	}
	return fmt.Sprintf("%s: there is no %s of it; choose of: %s", e.Image, e.Platform, e.Have)
}

// DamagedError says that a blob turned out not to be what its digest says, or to
// be gone, while it was written: what was written ends before that blob does.
// The cache no longer has it.
type DamagedError struct {
	Image  string // one that uses it
	Digest digest.Digest
	Err    error // the system's or the cache's; nil when the digest did not fit
}

func (e *DamagedError) Error() string {
	why := "damaged in the cache"
	if e.Err != nil {
		why = "cannot be read from the cache: " + e.Err.Error()
	}
	return fmt.Sprintf("%s: %s: %s; what was written is of no use; try: pulley pull %s and export again", e.Image, e.Digest, why, e.Image)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// InvalidError says what in an archive is not as it must be. No name was set.
type InvalidError struct {
	Entry string // path in the archive, or digest; "" the archive as a whole
	Why   string
	Err   error // the reader's; may be nil
}

func (e *InvalidError) Error() string {
	s := "archive"
	if e.Entry != "" {
		s = fmt.Sprintf("archive: %.200q", e.Entry)
	}
	if e.Why != "" {
		s += ": " + e.Why
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s + "; it was changed or did not arrive whole: get it again"
}

func (e *InvalidError) Unwrap() error { return e.Err }

func invalid(entry, format string, args ...any) error {
	return &InvalidError{Entry: entry, Why: fmt.Sprintf(format, args...)}
}

func isMiss(err error) bool {
	var miss *cache.MissError
	return errors.As(err, &miss)
}
