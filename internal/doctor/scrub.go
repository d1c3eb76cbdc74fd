package doctor

import (
	"encoding/base64"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// secrets are what must not be in a report: it is made to be shown to strangers.
type secrets struct {
	mu    sync.Mutex
	known []string
}

// proxyVariables are those that programs take a proxy from.
var proxyVariables = []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"}

// secretsOf knows those that the environment holds.
func secretsOf(environ []string) *secrets {
	s := &secrets{}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if slices.Contains(proxyVariables, name) {
			s.url(value)
		}
		for _, sign := range []string{"PASSWORD", "SECRET", "TOKEN", "PASSWD", "CREDENTIAL"} {
			if strings.Contains(strings.ToUpper(name), sign) && len(value) >= leastByName {
				s.add(value)
			}
		}
	}
	return s
}

// leastByName keeps what a variable with a secret's name has, such as "true" or "docker", from being taken out of every text.
const leastByName = 8

// leastSecret keeps a password of "a" from taking every a out of a text. What shows it stands in a URL or a header, and is
// taken out as such.
const leastSecret = 4

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if len(v) >= leastSecret && !slices.Contains(s.known, v) {
			s.known = append(s.known, v)
		}
	}
}

// url takes a URL's password for a secret, also where it is none because nobody has escaped the password.
func (s *secrets) url(text string) {
	if _, after, has := strings.Cut(text, "://"); has {
		text = after
	}
	_, password, _ := strings.Cut(text[:max(strings.LastIndexByte(text, '@'), 0)], ":")
	s.add(password)
	if plain, err := url.PathUnescape(password); err == nil {
		s.add(plain, url.QueryEscape(plain), url.PathEscape(plain))
	}
}

// authorization takes a header's.
func (s *secrets) authorization(text string) {
	scheme, rest, _ := strings.Cut(text, " ")
	s.add(rest)
	if raw, err := base64.StdEncoding.DecodeString(rest); err == nil && strings.EqualFold(scheme, "basic") {
		_, password, _ := strings.Cut(string(raw), ":")
		s.add(password)
	}
}

var (
	inURL    = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s"'@]*@`)
	inQuery  = regexp.MustCompile(`(https?://[^\s"'?]*)\?[^\s"']*`)
	inHeader = regexp.MustCompile(`(?i)\b(basic|bearer|refresh)\s+[A-Za-z0-9._~+/=-]{8,}`)
)

// withoutUser takes the user out of the beginning of a URL, but for those that stand for what a person fills in.
func withoutUser(begin string) string {
	if strings.HasSuffix(begin, "://NAME:PASSWORD@") || strings.HasSuffix(begin, "://USER@") {
		return begin
	}
	return begin[:strings.Index(begin, "://")+len("://")]
}

// clean is a text without them.
func (s *secrets) clean(text string) string {
	text = s.without(text) // first: a password may look like the end of a URL's user
	text = inURL.ReplaceAllStringFunc(text, withoutUser)
	text = inQuery.ReplaceAllString(text, "$1")
	return inHeader.ReplaceAllString(text, "$1 …")
}

// without takes out those that are known.
func (s *secrets) without(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.known {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return text
}

// scrub cleans every text in a report.
func (s *secrets) scrub(r *Report) { s.value(reflect.ValueOf(r)) }

func (s *secrets) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.value(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				s.value(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.value(v.Index(i))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(s.clean(v.String()))
		}
	default: // nothing else holds text
	}
}
