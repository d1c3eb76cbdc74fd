package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"pulley/cache"
)

// A PullError says why an image, or a part of it, could not be had.
type PullError struct {
	Image  string // full reference
	Cause  Cause
	Status int    // what the registry answered; 0: nothing
	Why    string // what went wrong and what to do, on one line
	Err    error  // what it was made of; may be nil
}

func (e *PullError) Error() string { return e.Image + ": " + e.Why }

func (e *PullError) Unwrap() error { return e.Err }

// explain makes of what went wrong with a request what a person can do about it.
func (h *Handler) explain(image string, req *Request, err error) *PullError {
	if unreached(err) {
		err = h.untold(req, err)
	}
	told := &PullError{Image: image, Cause: causeOf(err), Why: reason(err), Err: err}
	if status, ok := spoken(err); ok && (!status.Elsewhere || overrun(status)) {
		told.Status = status.Status
	}
	if step := h.nextStep(req, told); step != "" {
		told.Why += "; " + step
	}
	return told
}

// nextStep is what a person can do about a PullError.
func (h *Handler) nextStep(req *Request, e *PullError) string {
	switch {
	case e.Status == http.StatusTooManyRequests:
		status, _ := spoken(e.Err)
		return h.limitAdvice(req, status)
	case e.Status == http.StatusNotFound && req.What == Blob:
		return "the registry lacks a part of the image: push it anew"
	case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, cache.ErrClosed): // not by the person: pulling.failed knows
		e.Cause, e.Why = CauseOther, "pulley is being stopped"
		return "what came is kept: try again"
	case errors.Is(e.Err, cache.ErrUnsupported):
		e.Cause, e.Why = CauseOther, "its digests are of a kind that is not kept here"
		return "pull it with an engine"
	case strings.Contains(e.Why, "; try: "): // it says so already
		return ""
	}
	switch e.Cause {
	case CauseOffline:
		e.Why = "not in the cache"
		return switchedOff(req.Registry.Name)
	case CauseDenied:
		return loginAdvice(req)
	case CauseMissing:
		return "check the spelling of name and tag"
	case CauseDigest:
		return "nothing that was wrong is kept: try again"
	case CauseDisk:
		return "make room, or raise cache.max_size: pulley cache gc"
	case CauseUnreachable, CauseUpstream:
		return "what came is kept: try again"
	}
	return ""
}

// loginAdvice is for somebody whom the registry turned away.
func loginAdvice(req *Request) string {
	if !req.Asker.anonymous() {
		return "these credentials may not pull it, or there is no such image"
	}
	login := "docker login"
	if req.Registry.Name != hub {
		login += " " + req.called()
	}
	return "it is private, or there is no such image; try: " + login
}
