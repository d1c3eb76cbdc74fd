package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"pulley/proxy/token"
)

// spent: the pull limit is used up.
func (x *exam) spent(n *notes, h http.Header) {
	x.limited = true
	f := Finding{ID: "limit.used", Level: Problem, What: fmt.Sprintf("%s's pull limit is used up for %s", x.reg.Name, x.who()), Fix: "docker login"}
	if x.limit.Known {
		f.What = fmt.Sprintf("%s's pull limit is used up for %s: 0 of %d pulls left%s", x.reg.Name, x.who(), x.limit.Limit, per(x.limit.Window))
	}
	f.Why = "What is cached still pulls. " + x.again(h) + " A login raises the limit, and a mirror goes round it."
	if !x.creds.Anonymous() {
		if fix := x.someMirror(); fix != "" {
			f.Fix = fix
		}
	}
	n.blame(f)
}

func per(window time.Duration) string {
	if window <= 0 {
		return ""
	}
	return " in " + roughly(window)
}

func (x *exam) who() string {
	if x.creds.Anonymous() {
		return "this address without a login"
	}
	return "your login"
}

// again says when pulls are left again.
func (x *exam) again(h http.Header) string {
	if wait, ok := token.RetryAfter(h, x.o.Now()); ok && wait > 0 {
		return "Some are left again at " + x.o.Now().Add(wait).Local().Format("15:04") + "."
	}
	if x.state != nil {
		for _, l := range x.state.Limits {
			if l.Registry == x.reg.Name && l.Again != nil && l.Again.After(x.o.Now()) {
				return "Some are left again at " + l.Again.Local().Format("15:04") + " at the latest."
			}
		}
	}
	if x.limit.Window > 0 {
		return "Some are left again within " + roughly(x.limit.Window) + "."
	}
	return ""
}

// tooMany: the registry finds that too much is asked of it, which is not its pull limit.
func (x *exam) tooMany(n *notes, h http.Header, message string) {
	x.limited = true
	f := Finding{ID: "limit.abuse", Level: Problem, What: x.reg.Name + " says that too much is asked of it (429)", Fix: x.someMirror()}
	f.Why = "That is not the pull limit: many requests came from this address in a short time, perhaps from others behind it."
	if wait, ok := token.RetryAfter(h, x.o.Now()); ok && wait > 0 {
		f.Why += " It wants to be left alone until " + x.o.Now().Add(wait).Local().Format("15:04:05") + "."
	}
	if message != "" {
		f.Why += " It says: " + message
	}
	n.blame(f)
}

// limits says what is left.
func (x *exam) limits(_ context.Context, n *notes) {
	l := x.limit
	switch {
	case x.limited:
		return
	case !l.Known || l.Remaining < 0:
		if x.done["manifest"].broken == "" {
			n.ok("limit", "%s tells of no pull limit", x.reg.Name)
		}
	case l.Remaining <= min(max(l.Limit/10, 5), 20):
		n.add(Finding{
			ID: "limit.low", Level: Warning, What: fmt.Sprintf("%d of %d pulls are left at %s%s for %s", l.Remaining, l.Limit, x.reg.Name, per(l.Window), x.who()),
			Why: "At 0 only what is cached pulls. A login raises the limit, and a mirror goes round it.", Fix: "docker login",
		})
	default:
		n.ok("limit", "%d of %d pulls are left at %s%s for %s", l.Remaining, l.Limit, x.reg.Name, per(l.Window), x.who())
	}
}
