package context

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// a cause is told by what docker's client, ssh or Go's TLS says. Where several fit the first one counts.
var causes = []struct{ sign, cause, cure string }{
	{"Host key verification failed", "ssh does not know its host key", "log in once and compare it: ssh %[2]s"},
	{"REMOTE HOST IDENTIFICATION HAS CHANGED", "its host key is another than before", "find out why, then: ssh-keygen -R %[3]s"},
	{"Permission denied (", "ssh is not let in", "try: ssh %[2]s"},
	{"Could not resolve hostname", "its name does not resolve", "check the name: pulley context update %[1]s --host URL"},
	{"Connection refused", "nobody listens for ssh there", "is the machine up, and is that the port?"},
	{"Connection timed out", "ssh gets no answer", "is the machine up, and is a VPN needed?"},
	{"No route to host", "there is no way to it", "is the machine up, and is a VPN needed?"},
	{"command not found", "there is no docker command for ssh on it", "install docker there, or put it into the PATH of a plain ssh command"},
	{"docker: not found", "there is no docker command for ssh on it", "install docker there, or put it into the PATH of a plain ssh command"},
	{"executable file not found", "there is no ssh command here", "install OpenSSH's client"},
	{"permission denied while trying to connect", "this user may not talk to the engine", "be one of the group docker there: sudo usermod -aG docker USER"},
	{"check if the path is correct", "there is no socket", "is the engine running?"},
	{"no such host", "its name does not resolve", "check the name: pulley context update %[1]s --host URL"},
	{"HTTP response to HTTPS client", "it speaks plain HTTP", "take the certificates out: pulley context update %[1]s --ca '' --cert '' --key ''"},
	{"HTTP request to an HTTPS server", "it wants TLS", "pulley context update %[1]s --ca FILE --cert FILE --key FILE"},
	{"without TLS", "it wants TLS", "pulley context update %[1]s --ca FILE --cert FILE --key FILE"},
	{"unknown authority", "its certificate is from a CA that is not believed", "pulley context update %[1]s --ca FILE"},
	{"x509:", "its certificate does not fit", "check its names and dates, and the clock here"},
	{"remote error: tls", "it does not take the client's certificate", "pulley context update %[1]s --cert FILE --key FILE"},
	{"certificate required", "it wants a client certificate", "pulley context update %[1]s --cert FILE --key FILE"},
	{"Is the docker daemon running", "nobody listens", "is the engine running there?"},
	{"is not supported by this client", "it is older than this program knows (API below 1.40)", "upgrade that engine"},
}

// explain says in one line why an engine does not answer, and what to do.
func (b *Book) explain(ctx context.Context, e Entry, err error) string {
	text := err.Error()
	if at := strings.LastIndex(text, "stderr="); at >= 0 { // what ssh, or the docker on its far side, says
		if said := text[at+len("stderr="):]; strings.TrimSpace(said) != "" {
			text = said
		}
	}
	login, host := "", ""
	if u, err := url.Parse(e.Host); err == nil {
		login, host = sshLogin(u), u.Hostname()
	}
	for _, c := range causes {
		if strings.Contains(text, c.sign) || strings.Contains(err.Error(), c.sign) && !strings.HasPrefix(e.Host, "ssh:") {
			return e.Name + ": " + c.cause + "; " + fill(c.cure, e.Name, login, host)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		if scheme(e.Host) == "ssh" {
			return e.Name + ": no answer in time; try: ssh " + login + " docker version"
		}
		return e.Name + ": no answer in time; is it up, and does a firewall let the port through?"
	}
	return e.Name + ": " + oneLine(text)
}

func fill(cure, name, login, host string) string {
	return strings.NewReplacer("%[1]s", name, "%[2]s", login, "%[3]s", host).Replace(cure)
}

// sshLogin is what a person gives ssh to come to the same machine.
func sshLogin(u *url.URL) string {
	s := u.Hostname()
	if u.User != nil {
		s = u.User.Username() + "@" + s
	}
	if p := u.Port(); p != "" {
		s = fmt.Sprintf("-p %s %s", p, s)
	}
	return s
}

var (
	secrets = regexp.MustCompile(`://[^@\s"]*@`)
	spaces  = regexp.MustCompile(`\s+`)
)

// oneLine is somebody else's message as it may be shown.
func oneLine(text string) string {
	text = spaces.ReplaceAllString(strings.TrimSpace(text), " ")
	text = secrets.ReplaceAllString(text, "://")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}
