package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// SharedName is what the store of cache.shared is called where places are listed, and in [[egress]].
const SharedName = "shared"

// SharedStore is cache.shared, read.
type SharedStore struct {
	Bucket   string
	Prefix   string // "" or "team/pulley", without slashes at its ends
	Endpoint string // "https://host[:port]" or "http://…"; "" is Amazon's own
	Region   string // "": the store is asked
	Style    string // how a bucket is named in URLs: "path", "host"; "": as the endpoint is known to want it
}

// Secure reports whether the store is reached over TLS.
func (s SharedStore) Secure() bool { return !strings.HasPrefix(s.Endpoint, "http://") }

// String is the URL again. It holds no secret: ParseShared takes none.
func (s SharedStore) String() string {
	u := url.URL{Scheme: "s3", Host: s.Bucket}
	if s.Prefix != "" {
		u.Path = "/" + s.Prefix
	}
	q := url.Values{}
	for key, value := range map[string]string{"endpoint": s.Endpoint, "region": s.Region, "style": s.Style} {
		if value != "" {
			q.Set(key, value)
		}
	}
	u.RawQuery = strings.NewReplacer("%3A", ":", "%2F", "/").Replace(q.Encode())
	return u.String()
}

var (
	bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
	regionPattern = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

var errSharedSecret = errors.New("credentials do not belong in a URL; give the daemon AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, " +
	"or ~/.aws/credentials")

// ParseShared reads cache.shared: s3://bucket/prefix?endpoint=https://host:port&region=…&style=path. Its errors quote nothing that may
// be a secret.
func ParseShared(text string) (SharedStore, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil && strings.Contains(text, "@"):
		return SharedStore{}, errSharedSecret
	case err != nil:
		return SharedStore{}, errors.New("not a URL such as s3://bucket/prefix?endpoint=https://s3.example.com")
	}
	if u.User != nil {
		return SharedStore{}, errSharedSecret
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return SharedStore{}, errors.New("what follows its ? cannot be read")
	}
	for key, values := range q {
		switch {
		case secretKey(key):
			return SharedStore{}, errSharedSecret
		case !slices.Contains([]string{"endpoint", "region", "style"}, key):
			return SharedStore{}, fmt.Errorf("%.40q is not one of endpoint, region, style", key)
		case len(values) > 1:
			return SharedStore{}, fmt.Errorf("%s is given twice", key)
		}
	}
	s := SharedStore{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), Endpoint: strings.TrimSuffix(q.Get("endpoint"), "/"), Region: q.Get("region"), Style: q.Get("style")}
	switch {
	case u.Scheme != "s3":
		return SharedStore{}, errors.New("not an s3:// URL")
	case !bucketPattern.MatchString(s.Bucket):
		return SharedStore{}, errors.New("no bucket in it: s3://bucket/prefix")
	case s.Prefix != "" && (!prefixPattern.MatchString(s.Prefix) || slices.ContainsFunc(strings.Split(s.Prefix, "/"), func(p string) bool { return p == "." || p == ".." })):
		return SharedStore{}, errors.New("its prefix is not made of letters, digits, '.', '_', '-' and '/'")
	case s.Region != "" && !regionPattern.MatchString(s.Region):
		return SharedStore{}, errors.New("region is not one such as eu-central-1")
	case !slices.Contains([]string{"", "path", "host"}, s.Style):
		return SharedStore{}, errors.New(`style is not "path" or "host"`)
	case s.Endpoint == "":
		return s, nil
	}
	e, err := url.Parse(s.Endpoint)
	switch {
	case err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Hostname() == "" || e.Path != "" || e.RawQuery != "" || e.Fragment != "":
		return SharedStore{}, errors.New("endpoint is not https://host:port")
	case e.User != nil:
		return SharedStore{}, errSharedSecret
	}
	return s, nil
}

// secretKey reports whether a parameter's name is one that credentials come by.
func secretKey(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc([]string{"key", "secret", "token", "password", "credential", "signature", "user"}, func(s string) bool {
		return strings.Contains(key, s)
	})
}

func (k *checker) shared(c *Config) {
	if c.Cache.Shared == "" {
		return
	}
	if _, err := ParseShared(c.Cache.Shared); err != nil {
		k.fail("cache.shared", "%v", err)
	}
	for _, r := range c.Registries {
		if _, taken := r.Mirror(SharedName); taken {
			k.fail(k.mirrorPath(r.Name, SharedName), "%q is what the store of cache.shared is called; give the mirror another name", SharedName)
		}
	}
}
