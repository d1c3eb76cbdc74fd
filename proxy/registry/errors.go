package registry

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Code is an error code of the OCI distribution specification.
type Code string

// The codes answered here; UNAVAILABLE is used by every registry though the
// specification does not list it. What the origin says keeps its own code.
const (
	BlobUnknown     Code = "BLOB_UNKNOWN"
	DigestInvalid   Code = "DIGEST_INVALID"
	ManifestUnknown Code = "MANIFEST_UNKNOWN"
	NameInvalid     Code = "NAME_INVALID"
	NameUnknown     Code = "NAME_UNKNOWN"
	TagInvalid      Code = "TAG_INVALID"
	TooManyRequests Code = "TOOMANYREQUESTS"
	Unauthorized    Code = "UNAUTHORIZED"
	Denied          Code = "DENIED"
	Unsupported     Code = "UNSUPPORTED"
	Unavailable     Code = "UNAVAILABLE"
	Unknown         Code = "UNKNOWN"
)

// refusalError is an answer that is an error: what the client is told, and no more.
type refusalError struct {
	status  int
	code    Code
	message string
	header  http.Header // copied onto the answer; may be nil
}

func (e *refusalError) Error() string { return strconv.Itoa(e.status) + " " + e.message }

func refuse(status int, code Code, message string) *refusalError {
	return &refusalError{status: status, code: code, message: message}
}

// write answers a request with the specification's error document.
func (e *refusalError) write(w http.ResponseWriter, r *http.Request) {
	type entry struct {
		Code    Code   `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(struct {
		Errors []entry `json:"errors"`
	}{[]entry{{e.code, e.message}}})
	if err != nil { // strings always marshal
		body = nil
	}
	header := w.Header()
	for k, v := range e.header {
		header[k] = v
	}
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone, or it has it
	}
}
