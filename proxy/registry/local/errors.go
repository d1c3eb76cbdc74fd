package local

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/proxy/registry"
)

// Codes of the specification, section "Error Codes", that only pushes need.
const (
	blobUploadInvalid   registry.Code = "BLOB_UPLOAD_INVALID"
	blobUploadUnknown   registry.Code = "BLOB_UPLOAD_UNKNOWN"
	manifestBlobUnknown registry.Code = "MANIFEST_BLOB_UNKNOWN"
	manifestInvalid     registry.Code = "MANIFEST_INVALID"
	sizeInvalid         registry.Code = "SIZE_INVALID"
)

// entry is one error of an answer.
type entry struct {
	Code    registry.Code `json:"code"`
	Message string        `json:"message"`
	Detail  any           `json:"detail,omitempty"`
}

// refusalError is an answer that is an error.
type refusalError struct {
	status  int
	entries []entry     // the first is what Error says
	header  http.Header // copied onto the answer; may be nil
}

func (e *refusalError) Error() string {
	return strconv.Itoa(e.status) + " " + e.entries[0].Message
}

func refuse(status int, code registry.Code, message string) *refusalError {
	return &refusalError{status: status, entries: []entry{{Code: code, Message: message}}}
}

// about is the detail of an error about one digest.
type about struct {
	Digest digest.Digest `json:"digest"`
}

// unkept answers a push that this machine cannot keep. It is no 503: trying again
// does not help.
func unkept(err error) *refusalError {
	var full *cache.NoSpaceError
	switch {
	case errors.As(err, &full) && full.Err == nil:
		return refuse(http.StatusInsufficientStorage, registry.Denied, "this is larger than cache.max_size; raise it in config.toml")
	case full != nil:
		return refuse(http.StatusInsufficientStorage, registry.Denied, "no space left on the disk of the cache; free some, or run: pulley cache gc")
	case errors.Is(err, cache.ErrUnsupported):
		return refuse(http.StatusBadRequest, registry.Unsupported, "images here have sha256 digests only")
	case errors.Is(err, cache.ErrClosed):
		return refuse(http.StatusServiceUnavailable, registry.Unavailable, "pulley is stopping; try again")
	}
	return refuse(http.StatusInternalServerError, registry.Unknown, "the disk of the cache failed; see pulley log")
}

// answer writes an error in the specification's format.
func answer(w http.ResponseWriter, r *http.Request, no *refusalError) {
	body, err := json.Marshal(struct {
		Errors []entry `json:"errors"`
	}{no.entries})
	if err != nil { // strings always marshal
		body = nil
	}
	header := w.Header()
	for k, v := range no.header {
		header[k] = v
	}
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(no.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone, or it has it
	}
}
