package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"pulley/proxy/source"
	"pulley/proxy/token"
)

// token gets what a pull of the image needs: as the person that docker has a login of, or as nobody.
func (x *exam) token(ctx context.Context, n *notes) {
	x.signIn(ctx, n)
	switch x.hint.Scheme {
	case token.Bearer:
	case token.Basic:
		if x.creds.Anonymous() {
			n.info("login.missing", "%s wants a name and password, and docker has none for it", x.reg.Name)
			return
		}
		x.bearer = x.login
		n.ok("token", "%s uses passwords, and docker has one for it", x.reg.Name)
		return
	default:
		n.ok("token", "%s needs no token", x.reg.Name)
		return
	}
	u, err := url.Parse(x.hint.Realm)
	if err != nil {
		return // it was checked when it was learnt
	}
	if !strings.EqualFold(u.Host, x.host) && !x.reach(ctx, n, u.Host, u.Scheme) {
		n.stop(fmt.Sprintf("the token service %s is not reached", u.Host))
		return
	}
	n.out.findings = onlyTrouble(n.out.findings)
	x.fetchToken(ctx, n, u.Host)
}

// onlyTrouble leaves out that all was well on the way: what comes of it is said next.
func onlyTrouble(list []Finding) (out []Finding) {
	for _, f := range list {
		if f.Level == Warning || f.Level == Problem {
			out = append(out, f)
		}
	}
	return out
}

// signIn takes the person's login from docker's configuration.
func (x *exam) signIn(ctx context.Context, n *notes) {
	if x.o.Login == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, StepLimit/2) // what follows has to have its time, too
	defer cancel()
	login, ok := x.o.Login(ctx, x.reg.Name)
	if !ok {
		f := Finding{
			ID: "login.helper", Level: Warning, What: "docker's credential helper fails for " + x.reg.Name,
			Why: "Pulls go without your login: private images are refused, and the limit is that of strangers.", Fix: "docker login " + x.reg.Name,
		}
		if ctx.Err() != nil {
			f.What = "docker's credential helper does not answer for " + x.reg.Name
			f.Why = "It may wait for a key ring to be unlocked. Until then every pull waits for it. What follows was looked at without your login."
		}
		n.add(f)
		return
	}
	x.secrets.authorization(login)
	if refresh, is := source.RefreshToken(login); is {
		x.creds, x.login = token.Credentials{RefreshToken: refresh}, login
	} else if c, is := token.FromBasic(login); is {
		x.creds, x.login = c, login
	}
}

func (x *exam) fetchToken(ctx context.Context, n *notes, host string) {
	scope := "repository:" + x.repository + ":pull"
	header, _, err := x.tokens.Authorize(ctx, x.site, scope, x.creds)
	who := "as nobody in particular"
	if x.creds.Username != "" {
		who = "with docker's login"
	}
	if err == nil {
		x.bearer = header
		x.secrets.authorization(header)
		n.ok("token", "%s gives tokens, %s", host, who)
		return
	}
	var s *token.ServiceError
	if !errors.As(err, &s) {
		n.blame(Finding{ID: "token.silent", Level: Problem, What: "the token service " + host + " gives no answer in time", Why: "It could be connected to. " + oneLine(err) + ".", Fix: x.someMirror()})
		return
	}
	switch {
	case s.Definite() && !x.creds.Anonymous():
		x.refusedLogin(ctx, n, scope, s)
	case s.Definite():
		n.blame(Finding{ID: "manifest.denied", Level: Problem, What: x.o.image() + " does not exist, or is private", Why: fmt.Sprintf("The token service %s answers %d to strangers. %s", host, s.Status, s.Message), Fix: "docker login " + x.reg.Name})
	case s.Status == http.StatusTooManyRequests:
		x.tooMany(n, s.Header, s.Message)
	case s.Status == 0:
		n.blame(Finding{ID: "token.unreachable", Level: Problem, What: "the token service " + host + " is not reached: " + oneLine(s.Err), Why: "Without it no registry request is answered.", Fix: x.helpful()})
	default:
		n.blame(Finding{
			ID: "token.down", Level: Problem, What: fmt.Sprintf("the token service %s answers %d", host, s.Status), Fix: x.someMirror(),
			Why: strings.TrimSpace("Its operators have to mend that. What is cached still pulls, and a mirror goes round it. " + s.Message),
		})
	}
}

// refusedLogin: the password is wrong, and perhaps is not needed.
func (x *exam) refusedLogin(ctx context.Context, n *notes, scope string, s *token.ServiceError) {
	f := Finding{
		ID: "login.refused", Level: Problem, What: "docker's login for " + x.reg.Name + " is refused: it is wrong, or has ended", Fix: "docker login " + x.reg.Name,
		Why: strings.TrimSpace(fmt.Sprintf("%s answers %d. %s", s.Host, s.Status, s.Message)),
	}
	header, _, err := x.tokens.Authorize(ctx, x.site, scope, token.Credentials{})
	if err != nil {
		n.blame(f)
		return
	}
	x.creds, x.login, x.bearer = token.Credentials{}, "", header
	x.secrets.authorization(header)
	f.Why += " Engines send it all the same, also for what is public; what follows was looked at without it."
	n.add(f)
}

// image is what a person calls it.
func (o Options) image() string {
	if o.Image == "" {
		return "the image"
	}
	return o.Image
}
