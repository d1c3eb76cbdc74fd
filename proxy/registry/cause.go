package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"pulley/cache"
	"pulley/proxy/source"
)

// Cause is what kind of thing went wrong with a request or a download: few
// enough to count by, and never made of what a client or a registry says.
type Cause string

// The causes.
const (
	CauseLeft        Cause = "client_left" // before it had everything
	CauseRequest     Cause = "request"     // nothing that is answered here: a bad path, a push to a mirror, a browser
	CauseDenied      Cause = "denied"      // not for these credentials, or for none
	CauseMissing     Cause = "not_found"   // the origin has no such thing
	CauseLimit       Cause = "limit"       // a pull limit is used up
	CauseOffline     Cause = "offline"     // not cached, and nobody may be asked
	CauseUnreachable Cause = "unreachable" // nobody answered, or not in time
	CauseUpstream    Cause = "upstream"    // answered with a failure of its own, or broke off
	CauseDigest      Cause = "digest"      // the bytes were not what was asked for
	CauseDisk        Cause = "disk"        // the cache cannot be read or written
	CauseOther       Cause = "other"
)

// Causes lists all of them.
func Causes() []Cause {
	return []Cause{
		CauseLeft, CauseRequest, CauseDenied, CauseMissing, CauseLimit, CauseOffline, CauseUnreachable, CauseUpstream,
		CauseDigest, CauseDisk, CauseOther,
	}
}

// causeOf sorts an error.
func causeOf(err error) Cause {
	var (
		wrong *cache.DigestError
		no    *refusalError
		op    net.Error
	)
	status, spoke := spoken(err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errWrongPrefix):
		return CauseLeft
	case errors.As(err, &wrong):
		return CauseDigest
	case errors.Is(err, errOffline):
		return CauseOffline
	case cache.IsLocal(err):
		return CauseDisk
	case errors.As(err, &no):
		return causeOfRefusal(no.status)
	case spoke && status.Status >= http.StatusBadRequest:
		return causeOfRefusal(status.Status)
	case unreached(err), errors.As(err, &op), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errSlow), errors.Is(err, source.ErrHeaderTimeout):
		return CauseUnreachable
	case spoke, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return CauseUpstream
	}
	return CauseOther
}

func causeOfRefusal(status int) Cause {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return CauseDenied
	case status == http.StatusNotFound:
		return CauseMissing
	case status == http.StatusTooManyRequests:
		return CauseLimit
	case status >= http.StatusInternalServerError:
		return CauseUpstream
	}
	return CauseRequest
}

// causeOfStatus sorts an answer for which nothing else was said. A 401 asks for
// credentials, as every pull begins: nothing has gone wrong yet.
func causeOfStatus(status int) Cause {
	if status < http.StatusBadRequest || status == http.StatusUnauthorized {
		return ""
	}
	return causeOfRefusal(status)
}
