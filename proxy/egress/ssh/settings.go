package ssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are what ssh_config(5) comes to for one machine.
type settings struct {
	name     string // as asked for
	hostname string
	port     string
	user     string

	identities     []string
	certificates   []string
	identitiesOnly bool
	agent          string // IdentityAgent; "" is SSH_AUTH_SOCK's

	alias       string // HostKeyAlias
	userKnown   []string
	globalKnown []string
	strict      string // ask, yes, accept-new, no
	hashKnown   bool

	jump    string // ProxyJump
	command string // ProxyCommand
	family  string // network to dial: tcp, tcp4, tcp6

	alive time.Duration // ServerAliveInterval

	// needs is why only the ssh program can connect; more is what it may have to
	// log in with that we do not.
	needs string
	more  []string
}

// keyName is the machine's name in known_hosts.
func (s *settings) keyName() string {
	if s.alias != "" {
		return s.alias
	}
	return strings.ToLower(s.hostname)
}

// programTimeout bounds `ssh -G`: a person's "Match exec" runs in it.
const programTimeout = 10 * time.Second

// resolve asks the ssh program what the person's configuration says about a
// machine, or takes the defaults where there is no such program.
func (c *Client) resolve(ctx context.Context, h hop) (*settings, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	program := c.findProgram()
	if program == "" {
		return c.defaults(h), nil
	}
	ctx, cancel := context.WithTimeout(ctx, programTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, slices.Concat([]string{"-G"}, h.flags(), []string{"--", h.host})...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = c.env, &out, &errs
	cmd.WaitDelay = time.Second
	hideWindow(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("ssh -G %s: %w", h.host, ctx.Err())
		}
		return nil, fmt.Errorf("ssh -G %s: %s", h.host, firstLine(errs.Bytes(), err))
	}
	return c.parse(h, out.Bytes()), nil
}

// flags are what the URL says besides the host.
func (h hop) flags() (flags []string) {
	if h.user != "" {
		flags = append(flags, "-l", h.user)
	}
	if h.port != "" {
		flags = append(flags, "-p", h.port)
	}
	return flags
}

// parse reads the output of `ssh -G`: "key value" lines, keys in lower case.
func (c *Client) parse(h hop, out []byte) *settings {
	s := &settings{name: h.host, hostname: h.host, port: "22", user: h.user, family: "tcp", strict: "ask"}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		key, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		value = strings.TrimSpace(value)
		given := value != "" && value != "none"
		yes := value == "yes" || value == "true"
		switch strings.ToLower(key) {
		case "hostname":
			s.hostname = value
		case "port":
			s.port = value
		case "user":
			s.user = value
		case "identityfile":
			s.identities = append(s.identities, value)
		case "certificatefile":
			s.certificates = append(s.certificates, value)
		case "identitiesonly":
			s.identitiesOnly = yes
		case "identityagent":
			s.agent = value
		case "hostkeyalias":
			s.alias = value
		case "userknownhostsfile":
			s.userKnown = words(value)
		case "globalknownhostsfile":
			s.globalKnown = words(value)
		case "stricthostkeychecking":
			s.strict = value
		case "hashknownhosts":
			s.hashKnown = yes
		case "proxyjump":
			if given {
				s.jump = value
			}
		case "proxycommand":
			if given {
				s.command = value
			}
		case "proxyusefdpass":
			s.need(yes, "ProxyUseFdpass")
		case "addressfamily":
			s.family = map[string]string{"inet": "tcp4", "inet6": "tcp6"}[value]
			if s.family == "" {
				s.family = "tcp"
			}
		case "serveraliveinterval":
			if n, err := strconv.Atoi(value); err == nil && n > 0 && n < 3600 {
				s.alive = time.Duration(n) * time.Second
			}
		case "bindaddress", "bindinterface", "knownhostscommand", "revokedhostkeys":
			s.need(given, key)
		case "verifyhostkeydns":
			s.need(yes, key)
		case "pkcs11provider", "controlpath":
			if given {
				s.more = append(s.more, key)
			}
		case "gssapiauthentication", "hostbasedauthentication":
			if yes {
				s.more = append(s.more, key)
			}
		}
	}
	if s.command != "" {
		_, ok := expand(s.command, s.tokens())
		s.need(!ok, "the tokens of its ProxyCommand")
	}
	return s
}

func (s *settings) need(yes bool, why string) {
	if yes && s.needs == "" {
		s.needs = why
	}
}

// tokens are those of ProxyCommand.
func (s *settings) tokens() map[byte]string {
	return map[byte]string{'h': s.hostname, 'n': s.name, 'p': s.port, 'r': s.user}
}

// defaults are those of ssh_config(5).
func (c *Client) defaults(h hop) *settings {
	s := c.parse(h, nil)
	if s.user == "" {
		s.user = localUser()
	}
	if h.port != "" {
		s.port = h.port
	}
	dir := filepath.Join(c.home(), ".ssh")
	for _, name := range []string{"id_rsa", "id_ecdsa", "id_ed25519"} {
		s.identities = append(s.identities, filepath.Join(dir, name))
	}
	s.userKnown = []string{filepath.Join(dir, "known_hosts")}
	return s
}

func localUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	name := u.Username
	return name[strings.LastIndexByte(name, '\\')+1:] // DOMAIN\name on Windows
}

// words splits a list of file names, which may be quoted.
func words(s string) (out []string) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		var w string
		if s[0] == '"' {
			w, s, _ = strings.Cut(s[1:], `"`)
		} else {
			w, s, _ = strings.Cut(s, " ")
		}
		if w != "none" {
			out = append(out, w)
		}
	}
	return out
}

// expand replaces %x; false if it holds one that is not in tokens.
func expand(s string, tokens map[byte]string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return s, false
		}
		v, known := tokens[s[i]]
		switch {
		case s[i] == '%':
			b.WriteByte('%')
		case known:
			b.WriteString(v)
		default:
			return s, false
		}
	}
	return b.String(), true
}

// expandEnv replaces ${NAME}.
func expandEnv(s string, get func(string) string) string {
	for {
		before, rest, ok := strings.Cut(s, "${")
		if !ok {
			return s
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return s
		}
		s = before + get(name) + after
	}
}

// jumps takes "[user@]host[:port]" or ssh://… apart, separated by commas.
func jumps(list string) ([]hop, error) {
	var out []hop
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "ssh://")
		var h hop
		if at := strings.LastIndexByte(one, '@'); at >= 0 {
			h.user, one = one[:at], one[at+1:]
		}
		h.host = one
		if i := strings.LastIndexByte(one, ':'); i >= 0 && (strings.Count(one, ":") == 1 || strings.Contains(one, "]:")) {
			h.host, h.port = one[:i], one[i+1:]
		}
		h.host = strings.Trim(h.host, "[]")
		if err := h.check(); err != nil {
			return nil, errors.New("ProxyJump: not [user@]host[:port]")
		}
		out = append(out, h)
	}
	return out, nil
}
