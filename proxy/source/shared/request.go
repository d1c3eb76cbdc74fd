package shared

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"
)

// transport is the way out of now.
func (s *Store) transport() http.RoundTripper { return &outward{s} }

// outward sends each request by the way out of its time, uploads no faster than
// they may be.
type outward struct{ s *Store }

func (o *outward) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.ContentLength > leastPaced {
		body := o.s.queue.paced(r.Context(), r.Body, o.s.opt.Rate)
		r = r.Clone(r.Context())
		r.Body = body
	}
	return o.s.opt.Transport().RoundTrip(r)
}

// endpoint is where the store is.
func (s *Store) endpoint() *url.URL {
	text := s.opt.Store.Endpoint
	if text == "" {
		text = "https://s3.amazonaws.com"
	}
	u, err := url.Parse(text)
	if err != nil { // the settings were checked
		return &url.URL{}
	}
	return u
}

// dial makes the client, which asks nothing of anybody yet.
func (s *Store) dial() (*minio.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		return s.client, nil
	}
	lookup := minio.BucketLookupAuto
	switch s.opt.Store.Style {
	case "path":
		lookup = minio.BucketLookupPath
	case "host":
		lookup = minio.BucketLookupDNS
	}
	u := s.endpoint()
	c, err := minio.New(u.Host, &minio.Options{
		Creds: s.creds, Secure: u.Scheme == "https", Transport: s.transport(), Region: s.opt.Store.Region, BucketLookup: lookup,
		MaxRetries: 1, // the queue has its own patience
	})
	if err != nil {
		return nil, errors.New("its endpoint cannot be used; correct cache.shared")
	}
	c.SetAppInfo("pulley", "1")
	s.client = c
	return c, nil
}

// learn finds out how requests for objects look: the bucket's region and URL, and
// whose they are.
func (s *Store) learn(ctx context.Context) error {
	v, err := s.login(ctx)
	if err != nil {
		return err
	}
	c, err := s.dial()
	if err != nil {
		return err
	}
	region, err := c.GetBucketLocation(ctx, s.opt.Store.Bucket)
	if err != nil {
		if denied(codeOf(err)) || codeOf(err) == "" {
			return unquoted(err)
		}
		region = "us-east-1" // who may not ask for it
	}
	// The client alone knows how the bucket is named in URLs. A signature made for
	// that is thrown away.
	u, err := c.Presign(ctx, http.MethodGet, s.opt.Store.Bucket, marker, time.Minute, nil)
	if err != nil {
		return unquoted(err)
	}
	base := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path[:len(u.Path)-len(marker)]}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base, s.region, s.value = base, region, v
	return nil
}

// unquoted is plain without the URL that net/http's client puts in front.
func unquoted(err error) error {
	err = plain(err)
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// ErrUnknown is what Request fails with before the store was found.
var ErrUnknown = errors.New("the store has not been found yet")

// Request makes a GET or HEAD for a key, signed here and now in a header, which
// header is added to and not changed. The URL holds no secret and may be shown.
func (s *Store) Request(ctx context.Context, method, key string, header http.Header) (*http.Request, error) {
	s.mu.Lock()
	base, region, v := s.base, s.region, s.value
	s.mu.Unlock()
	if base == nil {
		return nil, ErrUnknown
	}
	u := *base
	u.Path += s.key(key)
	u.RawPath = s3utils.EncodePath(u.Path)
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, errors.New("malformed key")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	return signer.SignV4(*r, v.AccessKeyID, v.SecretAccessKey, v.SessionToken, region), nil
}

// maxAnswer caps what is read of an answer that is no object.
const maxAnswer = 64 << 10

// Code is S3's name for what went wrong, out of the body of an answer; "" if there
// is none. The rest of the body may quote the signature and is nobody's business.
func Code(body []byte) string {
	var e struct{ Code string }
	if xml.Unmarshal(body, &e) != nil || len(e.Code) > 64 {
		return ""
	}
	return e.Code
}

// Absent reports whether an answer says that there is no such object. Those who may
// not list a bucket are told 403 of what is not there.
func Absent(status int, code string) bool {
	return status == http.StatusNotFound && (code == "" || missing(code)) || status == http.StatusForbidden && code == "AccessDenied"
}

// get asks for a small object.
func (s *Store) get(ctx context.Context, key string) (body []byte, code string, err error) {
	r, err := s.Request(ctx, http.MethodGet, key, http.Header{})
	if err != nil {
		return nil, "", err
	}
	rsp, err := s.opt.Transport().RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = rsp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(rsp.Body, maxAnswer))
	if err != nil {
		return nil, "", err
	}
	if rsp.StatusCode == http.StatusOK {
		return body, "", nil
	}
	if code = Code(body); code == "" {
		return nil, "", fmt.Errorf("%s answers %d", r.URL.Host, rsp.StatusCode)
	}
	return nil, code, nil
}
