package cause_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"pulley/internal/cause"
)

// told is an error that knows of which kind it is.
type told string

func (told) Error() string   { return "it is so" }
func (t told) Cause() string { return string(t) }

func TestCauses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, taken := net.Listen("tcp", l.Addr().String())
	_ = l.Close()
	_, refused := net.Dial("tcp", l.Addr().String())
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	answer, strange := http.Get(s.URL)
	if strange == nil {
		_ = answer.Body.Close()
	}
	for want, err := range map[string]error{
		cause.Refused: refused, cause.Taken: taken, cause.Certificate: fmt.Errorf("near: %w", strange),
		cause.Timeout: fmt.Errorf("near: %w", context.DeadlineExceeded), cause.Permission: &fs.PathError{Err: fs.ErrPermission},
		cause.Unresolved: &net.DNSError{IsNotFound: true}, "": errors.New("a connection was refused"),
	} {
		if got := cause.Of(err); got != want {
			t.Errorf("%v: %q, not %q", err, got, want)
		}
	}
	if got := cause.Of(x509.HostnameError{Certificate: &x509.Certificate{}}); got != cause.Certificate {
		t.Error(got)
	}
	if got := cause.Of(fmt.Errorf("near: %w", told(cause.Login))); got != cause.Login {
		t.Error(got)
	}
	if got := cause.Of(told("none of ours")); got != "" {
		t.Error(got)
	}
	if cause.Of(nil) != "" {
		t.Error("nothing has a cause")
	}
}
