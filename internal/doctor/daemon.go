package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"time"

	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/sudo"
)

// find asks the daemon how it is.
func (x *exam) find(ctx context.Context) {
	if x.o.Daemon == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, StepLimit)
	defer cancel()
	live, err := x.o.Daemon(ctx)
	var state control.State
	if err == nil {
		state, err = live.State(ctx)
	}
	if x.liveErr = err; err == nil {
		x.live, x.state, x.up = live, &state, true
	}
}

// barred reports whether one runs that this user may not ask.
func (x *exam) barred() bool { return errors.Is(x.liveErr, fs.ErrPermission) }

// daemon looks whether one runs, is switched on, and answers at its port.
func (x *exam) daemon(ctx context.Context, n *notes) {
	if x.o.Daemon == nil {
		return
	}
	switch err := x.liveErr; {
	case errors.Is(err, client.ErrNotRunning):
		x.notRunning(ctx, n)
		return
	case errors.Is(err, context.DeadlineExceeded):
		n.add(Finding{
			ID: "daemon.stuck", Level: Problem, What: "a daemon holds the control socket and does not answer",
			Why: "It was asked how it is and said nothing for 5 seconds. End it and start it anew.", Fix: endPulley,
		})
		return
	case x.barred():
		n.add(Finding{
			ID: "daemon.denied", Level: Warning, What: oneLine(err), Fix: sudo.Command("doctor"),
			Why: "A daemon runs, and this user may not ask it how it is. The system's service answers root and the members of its group.",
		})
		return
	case err != nil:
		n.add(Finding{ID: "daemon.version", Level: Problem, What: "the daemon cannot be asked: " + err.Error(),
			Why: "The command line and the daemon have to be of the same major version, and of the same user.", Fix: "pulley version"})
		return
	}
	state := x.state
	x.ported(ctx, n)
	x.switched(n)
	if state.ConfigFile != x.o.Places.ConfigFile {
		n.info("daemon.settings", "the daemon was started with settings of its own: %s", state.ConfigFile)
	}
	for _, p := range state.Problems {
		if p.Kind == control.ProblemConfig && x.cfg != nil {
			n.add(Finding{ID: "daemon.config", Level: Problem, What: p.Text, Why: "The daemon goes by the settings it had before.", Fix: p.Fix})
		}
	}
	if v := x.o.Version; v != "" && state.Version != "" && v != state.Version {
		n.info("daemon.program", "the daemon is version %s and this program %s; restarting the daemon brings it up to date", state.Version, v)
	}
	if len(n.out.findings) == 0 {
		n.ok("daemon", "runs (version %s, process %d) at %s", state.Version, state.PID, state.Listen)
	}
}

// notRunning says what is at the port instead.
func (x *exam) notRunning(ctx context.Context, n *notes) {
	switch who := x.portOf(ctx, x.listen); who {
	case portFree:
		f := Finding{
			ID: "daemon.down", Level: Problem, What: "pulley is not running", Fix: "pulley up",
			Why: "Engines that are pointed at it by a mirror go to the registry themselves; those that have it for a proxy cannot pull at all.",
		}
		if x.o.Start != nil {
			if start := x.o.Start(ctx); start != "" {
				f.Fix = start
				f.Safe = f.Args() != nil
				f.Why = "Its background service is installed, and was stopped or cannot start. " + f.Why
			}
		}
		n.add(f)
	case portPulley:
		f := Finding{
			ID: "daemon.other", Level: Problem, What: fmt.Sprintf("the pulley at %s is another user's, or of another PULLEY_HOME", x.listen),
			Why: "Its settings, cache and problems are not those looked at here. Ask it as that user, or give this one a port of its own.",
			Fix: "pulley config set listen " + nextPort(x.listen),
		}
		if user := x.getenv("SUDO_USER"); x.o.Root && user != "" {
			f.Why, f.Fix = "Behind sudo root's own is looked at, and it is probably "+user+"'s that is meant.", "pulley doctor"
		}
		n.add(f)
	default:
		by := "another program"
		if x.o.Holder != nil {
			if name := x.o.Holder(x.listen); name != "" {
				by = name
			}
		}
		n.add(Finding{
			ID: "daemon.port", Level: Problem, What: fmt.Sprintf("pulley is not running, and its port %s is held by %s", x.listen, by),
			Why: "It cannot start while that is so. End that program, or take another port and point the engines at it anew.",
			Fix: "pulley config set listen " + nextPort(x.listen),
		})
	}
}

// ported looks whether the port answers as ours does.
func (x *exam) ported(ctx context.Context, n *notes) {
	switch x.portOf(ctx, x.listen) {
	case portPulley:
	case portFree:
		n.add(Finding{
			ID: "daemon.deaf", Level: Problem, What: fmt.Sprintf("the daemon runs, but nothing can connect to %s", x.listen),
			Why: "A firewall on this machine may be in between, or the listener has died.", Fix: "pulley up --take-over",
		})
	default:
		n.add(Finding{
			ID: "daemon.deaf", Level: Problem, What: fmt.Sprintf("the daemon runs, but what answers at %s is something else", x.listen),
			Why: "Another program has taken the port, or this machine redirects it.", Fix: "pulley config set listen " + nextPort(x.listen),
		})
	}
}

// switched says that it is off, or paused.
func (x *exam) switched(n *notes) {
	switch s := x.state; {
	case s.Enabled:
	case s.PausedUntil != nil:
		n.add(Finding{
			ID: "daemon.paused", Level: Warning, Fix: "pulley on", Safe: true,
			What: "pulley is paused until " + s.PausedUntil.Local().Format("15:04"),
			Why:  "Until then pulls pass by it: nothing is cached, and no mirror and no way out is used.",
		})
	default:
		n.add(Finding{
			ID: "daemon.off", Level: Warning, What: "pulley is switched off", Fix: "pulley on", Safe: true,
			Why: "Pulls pass by it: nothing is cached, and no mirror and no way out is used.",
		})
	}
}

// Who is at a port.
const (
	portFree = iota
	portPulley
	portOther
)

// askLimit is how long somebody on this machine may take to say who they are.
const askLimit = 4 * time.Second

// portOf finds out who is at an address of this machine.
func (x *exam) portOf(ctx context.Context, address string) int {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return portFree
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	address = net.JoinHostPort(host, port)
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return portFree
	}
	_ = c.Close()
	way := &http.Transport{DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return portOther
	}
	response, err := way.RoundTrip(request)
	if err != nil {
		return portOther
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 16))
	if response.StatusCode == http.StatusOK && string(body) == "ok\n" {
		return portPulley
	}
	return portOther
}

// nextPort is an address beside one.
func nextPort(address string) string {
	host, port, err := net.SplitHostPort(address)
	number, nerr := strconv.Atoi(port)
	if err != nil || nerr != nil || number == 0 || number >= 65535 {
		return "127.0.0.1:5056"
	}
	return net.JoinHostPort(host, strconv.Itoa(number+1))
}
