package context

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"pulley/internal/cause"
	"pulley/internal/docker/machine"
)

// a cause is told by what docker's client, docker on the far side of ssh or Go's TLS says; what ssh itself says is
// machine's. Where several fit the first one counts. A kind is one of those that cause.Kinds lists.
var causes = []struct{ sign, cause, cure, kind string }{
	{"command not found", "there is no docker command for ssh on it", "install docker there, or put it into the PATH of a plain ssh command", "no_docker"},
	{"docker: not found", "there is no docker command for ssh on it", "install docker there, or put it into the PATH of a plain ssh command", "no_docker"},
	{"executable file not found", "there is no ssh command here", "install OpenSSH's client", ""},
	{"permission denied while trying to connect", "this user may not talk to the engine", "be one of the group docker there: sudo usermod -aG docker USER", "permission"},
	{"check if the path is correct", "there is no socket", "is the engine running?", "not_running"},
	{"no such host", "its name does not resolve", "check the name: pulley context update NAME --host URL", "unresolved"},
	{"HTTP response to HTTPS client", "it speaks plain HTTP", "take the certificates out: pulley context update NAME --ca '' --cert '' --key ''", ""},
	{"HTTP request to an HTTPS server", "it wants TLS", "pulley context update NAME --ca FILE --cert FILE --key FILE", ""},
	{"without TLS", "it wants TLS", "pulley context update NAME --ca FILE --cert FILE --key FILE", ""},
	{"unknown authority", "its certificate is from a CA that is not believed", "pulley context update NAME --ca FILE", "certificate"},
	{"x509:", "its certificate does not fit", "check its names and dates, and the clock here", "certificate"},
	{"remote error: tls", "it does not take the client's certificate", "pulley context update NAME --cert FILE --key FILE", "certificate"},
	{"certificate required", "it wants a client certificate", "pulley context update NAME --cert FILE --key FILE", "certificate"},
	{"Is the docker daemon running", "nobody listens", "is the engine running there?", "not_running"},
	{"is not supported by this client", "it is older than this program knows (API below 1.40)", "upgrade that engine", ""},
}

// explain says in one line why an engine does not answer, and what to do; and of which kind that is.
func (b *Book) explain(ctx context.Context, e Entry, err error) (line, kind string) {
	text := err.Error()
	if at := strings.LastIndex(text, "stderr="); at >= 0 { // what ssh, or the docker on its far side, says
		if said := text[at+len("stderr="):]; strings.TrimSpace(said) != "" {
			text = said
		}
	}
	login := ""
	overSSH := scheme(e.Host) == "ssh"
	if u, err := url.Parse(e.Host); err == nil && overSSH {
		login = machine.SSHLogin(u)
		if cause := machine.SSHCause(text, login); cause != "" {
			return e.Name + ": " + cause, machine.SSHKind(text)
		}
	}
	for _, c := range causes {
		if strings.Contains(text, c.sign) || !overSSH && strings.Contains(err.Error(), c.sign) {
			return e.Name + ": " + c.cause + "; " + strings.ReplaceAll(c.cure, "NAME", e.Name), c.kind
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		if overSSH {
			return e.Name + ": no answer in time; try: ssh " + login + " docker version", cause.Timeout
		}
		return e.Name + ": no answer in time; is it up, and does a firewall let the port through?", cause.Timeout
	}
	return e.Name + ": " + oneLine(text), cause.Of(err)
}

var (
	secrets = regexp.MustCompile(`://[^@\s"]*@`)
	spaces  = regexp.MustCompile(`\s+`)
)

// oneLine is somebody else's message as it may be shown.
func oneLine(text string) string {
	text = visible(spaces.ReplaceAllString(strings.TrimSpace(text), " "))
	text = secrets.ReplaceAllString(text, "://")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}
