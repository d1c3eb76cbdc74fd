package machine

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// sshCauses is what ssh says and what it means, the first that fits. %s is what a person gives ssh. A kind is one of those that
// cause.Kinds lists.
var sshCauses = []struct{ sign, cause, cure, kind string }{
	{"REMOTE HOST IDENTIFICATION HAS CHANGED", "its host key is another than before", "find out why, then: ssh-keygen -R HOST, and log in once: ssh %s", "host_key"},
	{"Host key verification failed", "ssh does not know its host key", "log in once and compare it: ssh %s", "host_key"},
	{"Permission denied (", "ssh is not let in", "see that this works without a question: ssh %s", "login"},
	{"Too many authentication failures", "ssh is not let in, it offers too many keys", "name the right one by IdentityFile; see: ssh %s", "login"},
	{"Could not resolve hostname", "its name does not resolve", "check the name: ssh %s", "unresolved"},
	{"Connection refused", "nobody listens for ssh there", "is the machine up, and is that the port? see: ssh %s", "refused"},
	{"onnection timed out", "ssh gets no answer", "is the machine up, and is a VPN needed? see: ssh %s", "timeout"},
	{"No route to host", "there is no way to it", "is the machine up, and is a VPN needed? see: ssh %s", "no_way"},
	{"not responding", "the connection has broken", "see: ssh %s", "reset"},
	{"Bad configuration option", "ssh does not understand its configuration", "see: ssh %s", ""},
	{"This account is currently not available", "that account has no shell", "use another one: ssh %s", ""},
	{"forwarding failed for listen port", "its sshd opens no port for a tunnel", "allow AllowTcpForwarding in its sshd_config; see: ssh %s", ""},
}

// changedKey is how ssh names the host as known_hosts has it: with a port that is not 22, or after the person's own
// configuration, that is not the URL's.
var changedKey = regexp.MustCompile(`Host key for ([][A-Za-z0-9.:_%-]+) has changed`)

// SSHCause is why ssh failed and what helps, in one line, by what it said; "" if that is none of what is known. login is
// SSHLogin's.
func SSHCause(said, login string) string {
	for _, c := range sshCauses {
		if !strings.Contains(said, c.sign) {
			continue
		}
		cure := fmt.Sprintf(c.cure, login)
		if host := changedKey.FindStringSubmatch(said); host != nil {
			cure = strings.Replace(cure, "HOST", quote(host[1]), 1)
		}
		return c.cause + "; " + cure
	}
	return ""
}

// SSHKind is the kind of why ssh failed, by what it said; "" if it is none of cause.Kinds.
func SSHKind(said string) string {
	for _, c := range sshCauses {
		if strings.Contains(said, c.sign) {
			return c.kind
		}
	}
	return ""
}

// SSHLogin is what a person types after "ssh" to come to the machine of an ssh:// URL.
func SSHLogin(u *url.URL) string {
	login := u.Hostname()
	if name := u.User.Username(); name != "" {
		login = name + "@" + login
	}
	if port := u.Port(); port != "" {
		login = "-p " + port + " " + login
	}
	return login
}

// sshError is why ssh failed, and of which kind that is.
type sshError struct{ text, kind string }

func (e *sshError) Error() string { return e.text }

// Cause is one of cause.Kinds, for whoever says it in another language; "" if it is none of them.
func (e *sshError) Cause() string { return e.kind }

// explain says in one line why ssh failed.
func (s *SSH) explain(said string) error {
	if cause := SSHCause(said, s.login); cause != "" {
		return &sshError{s.facts.Name + ": " + cause, SSHKind(said)}
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	last := strings.Join(strings.Fields(strings.ToValidUTF8(lines[len(lines)-1], "")), " ")
	last = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, last)
	if last == "" {
		return fmt.Errorf("%s: the connection has ended; see: ssh %s", s.facts.Name, s.login)
	}
	return fmt.Errorf("%s: ssh: %s; see: ssh %s", s.facts.Name, last, s.login)
}
