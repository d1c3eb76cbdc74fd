package token

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A Challenge is one entry of a WWW-Authenticate header (RFC 9110, 11.6.1).
type Challenge struct {
	Scheme string            // lower case: "bearer", "basic"
	Params map[string]string // names in lower case, values unquoted; never nil
	Token  string            // the token68 form, used by schemes we do not speak
}

// Limits on what a server may make us parse. Real challenges have three to five
// parameters and stay under a kilobyte.
const (
	maxChallengeBytes = 16 << 10
	maxChallenges     = 16
	maxParams         = 32
)

// ErrChallenge is wrapped by every error of [ParseChallenges].
var ErrChallenge = errors.New("malformed WWW-Authenticate")

// ParseChallenges reads every challenge of every WWW-Authenticate header, in
// order. It is strict where leniency could move a credential (a parameter given
// twice, an unterminated string) and lenient where servers differ harmlessly
// (empty list elements, space around "="). A header that does not parse fails
// the whole: half a challenge is not acted on.
func ParseChallenges(h http.Header) ([]Challenge, error) {
	var out []Challenge
	total := 0
	for _, v := range h.Values("WWW-Authenticate") {
		if total += len(v); total > maxChallengeBytes {
			return nil, fmt.Errorf("%w: longer than %d bytes", ErrChallenge, maxChallengeBytes)
		}
		p := parser{s: v}
		list, err := p.challenges()
		if err != nil {
			return nil, err
		}
		if out = append(out, list...); len(out) > maxChallenges {
			return nil, fmt.Errorf("%w: more than %d challenges", ErrChallenge, maxChallenges)
		}
	}
	return out, nil
}

// Find returns the first challenge of a scheme.
func Find(list []Challenge, scheme string) (Challenge, bool) {
	for _, c := range list {
		if c.Scheme == scheme {
			return c, true
		}
	}
	return Challenge{}, false
}

type parser struct {
	s string
	i int
}

// challenges reads a comma-separated list in which both challenges and their
// parameters are separated by commas: what follows a comma is a parameter if it
// is a name with a "=" behind it, and the next challenge otherwise.
func (p *parser) challenges() ([]Challenge, error) {
	var out []Challenge
	for {
		p.skip(" \t,")
		if p.done() {
			return out, nil
		}
		c, err := p.challenge()
		if err != nil {
			return nil, err
		}
		if out = append(out, c); len(out) > maxChallenges {
			return nil, fmt.Errorf("%w: more than %d challenges", ErrChallenge, maxChallenges)
		}
	}
}

func (p *parser) challenge() (Challenge, error) {
	c := Challenge{Params: map[string]string{}}
	scheme := p.token()
	if scheme == "" {
		return c, p.fail("a scheme is missing")
	}
	c.Scheme = strings.ToLower(scheme)
	if p.done() || p.peek() == ',' {
		return c, nil
	}
	if !p.skip(" \t") {
		return c, p.fail("no space behind the scheme")
	}
	for first := true; ; first = false {
		save := p.i
		p.skip(" \t,")
		if p.done() {
			return c, nil
		}
		name, isParam := p.paramName()
		if !isParam {
			if first && p.i == save {
				if t := p.token68(); t != "" {
					c.Token = t
					return c, p.end()
				}
			}
			return c, nil // the next challenge begins here
		}
		value, err := p.value()
		if err != nil {
			return c, err
		}
		name = strings.ToLower(name)
		if _, twice := c.Params[name]; twice {
			return c, p.fail("the parameter " + name + " is given twice")
		}
		if c.Params[name] = value; len(c.Params) > maxParams {
			return c, p.fail("too many parameters")
		}
		if err := p.end(); err != nil {
			return c, err
		}
	}
}

// paramName consumes `name =` and reports true, or consumes nothing.
func (p *parser) paramName() (string, bool) {
	save := p.i
	name := p.token()
	p.skip(" \t")
	if name == "" || p.done() || p.peek() != '=' {
		p.i = save
		return "", false
	}
	// "abc==" is token68, not a parameter with an empty value.
	if rest := strings.TrimLeft(p.s[p.i:], "="); len(p.s[p.i:])-len(rest) > 1 {
		p.i = save
		return "", false
	}
	// "abc=" at the end of an element is token68 as well.
	if next := strings.TrimLeft(p.s[p.i+1:], " \t"); next == "" || next[0] == ',' {
		p.i = save
		return "", false
	}
	p.i++
	p.skip(" \t")
	return name, true
}

func (p *parser) value() (string, error) {
	if p.done() {
		return "", p.fail("a value is missing")
	}
	if p.peek() != '"' {
		v := p.token()
		if v == "" {
			return "", p.fail("a value is missing")
		}
		return v, nil
	}
	var b strings.Builder
	for p.i++; !p.done(); p.i++ {
		switch ch := p.peek(); {
		case ch == '"':
			p.i++
			return b.String(), nil
		case ch == '\\':
			if p.i++; p.done() {
				return "", p.fail("a quoted string does not end")
			}
			if isControl(p.peek()) { // no quoted-pair either (RFC 9110, 5.6.4)
				return "", p.fail("a control character in a quoted string")
			}
			b.WriteByte(p.peek())
		case isControl(ch):
			return "", p.fail("a control character in a quoted string")
		default:
			b.WriteByte(ch)
		}
	}
	return "", p.fail("a quoted string does not end")
}

// end demands that a list element ends here.
func (p *parser) end() error {
	p.skip(" \t")
	if p.done() || p.peek() == ',' {
		return nil
	}
	return p.fail("no comma behind a parameter")
}

func (p *parser) token() string   { return p.run(isTokenChar) }
func (p *parser) token68() string { t := p.run(isToken68Char); return t + p.run(isEqual) }

func (p *parser) run(ok func(byte) bool) string {
	start := p.i
	for !p.done() && ok(p.peek()) {
		p.i++
	}
	return p.s[start:p.i]
}

func (p *parser) skip(set string) bool {
	start := p.i
	for !p.done() && strings.IndexByte(set, p.peek()) >= 0 {
		p.i++
	}
	return p.i > start
}

func (p *parser) done() bool { return p.i >= len(p.s) }
func (p *parser) peek() byte { return p.s[p.i] }
func (p *parser) fail(why string) error {
	return fmt.Errorf("%w: %s (at byte %d)", ErrChallenge, why, p.i)
}

func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

func isEqual(c byte) bool { return c == '=' }

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// isTokenChar is tchar of RFC 9110, 5.6.2.
func isTokenChar(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isToken68Char is token68 of RFC 9110, 11.2, without its trailing "=".
func isToken68Char(c byte) bool {
	return isAlnum(c) || strings.IndexByte("-._~+/", c) >= 0
}
