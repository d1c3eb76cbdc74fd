package wiring

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// loopback is where engines that run on the machine itself reach it.
const loopback = "127.0.0.1"

// reachOf is host:port, or the URL, at which an engine gets to Pulley. What Find knows is the host alone.
func reachOf(e Engine, to Target, o Options) string {
	host := e.Reach
	if o.Reach != "" {
		host = o.Reach
	}
	if _, _, err := net.SplitHostPort(host); err == nil || strings.Contains(host, "://") {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(to.Port))
}

// hostPort is what a mirror is called where its scheme is said elsewhere; plain says that it is spoken to without TLS.
func hostPort(reach string) (name string, plain bool) {
	if name, ok := strings.CutPrefix(reach, "https://"); ok {
		return strings.TrimSuffix(name, "/"), false
	}
	return strings.TrimSuffix(strings.TrimPrefix(reach, "http://"), "/"), true
}

// wiredTo is wiredBy for an engine that finds this machine at reach, a host. What is ours as a whole is no question.
func wiredTo(reach, where string, ours bool, to ...string) Wired {
	w := wiredBy(Mirror, where, to...)
	if w.Way == Foreign && (ours || slices.ContainsFunc(w.To, func(a string) bool { return hostIn(a) == reach })) {
		w.Way = Mirror
	}
	return w
}

// hostIn is the host in a URL or in host:port/….
func hostIn(address string) string {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// way is the one that was asked for, or the preferred one.
func way(e Engine, o Options) Way {
	if o.Way == None && len(e.Ways) > 0 {
		return e.Ways[0]
	}
	return o.Way
}

func noWay(e Engine, w Way) error {
	switch {
	case len(e.Ways) == 0 && len(e.Notes) > 0:
		return fmt.Errorf("%s: cannot be wired: %s", e.ID, e.Notes[0].Text)
	case len(e.Ways) == 0:
		return fmt.Errorf("%s: cannot be wired", e.ID)
	}
	known := make([]string, len(e.Ways))
	for i, w := range e.Ways {
		known[i] = string(w)
	}
	return fmt.Errorf("%s: cannot be wired by %s; try %s", e.ID, w, strings.Join(known, " or "))
}

func needsRoot(m machine.Machine, e Engine) error {
	return &RootError{errors.New(e.ID + ": its settings belong to root"), rootCommand(m, "connect", e.ID)}
}

// changing are the paths of the files that a plan would make different from what they are.
func (p *Plan) changing(m machine.Machine) []string {
	var names []string
	for _, f := range p.Files {
		read, err := f.On(m).ReadFile(f.Path)
		try := &edit.Edit{Format: f.Edit.Format, Steps: slices.Clone(f.Edit.Steps)}
		if after, applied := try.Apply(read.Data); err != nil || applied != nil || string(after) != string(read.Data) {
			names = append(names, f.Path)
		}
	}
	return names
}

// hasSystemd says that systemd runs the machine: sd_booted(3).
func hasSystemd(m machine.Machine) bool {
	_, err := m.Stat("/run/systemd/system")
	return err == nil
}

// restartUnit restarts a systemd service, a person's own if user is set.
func restartUnit(m machine.Machine, unit string, user bool, stops int) Activation {
	return unitActivation(m, Restart, "restart", unit, user, stops)
}

func unitActivation(m machine.Machine, kind Activate, verb, unit string, user bool, stops int) Activation {
	ctl := []string{"systemctl"}
	if user {
		ctl = append(ctl, "--user")
	}
	act := slices.Concat(ctl, []string{verb, unit})
	text := strings.Join(act, " ")
	if !hasSystemd(m) {
		return Activation{Kind: ByHand, Text: verb + " " + unit, Stop: stops}
	}
	return Activation{
		Kind: kind, Text: text, Stop: stops,
		Run: []machine.Command{{Args: slices.Concat(ctl, []string{"daemon-reload"})}, {Args: act}},
	}
}

// byHand is what a person is told when a service has to be restarted in a way that we do not know.
func byHand(a Activation) []string {
	if a.Kind != ByHand {
		return nil
	}
	return []string{a.Text + " in the way that it was started: systemd did not"}
}

// configHome is the folder of a person's settings.
func configHome(m machine.Machine) string {
	if dir := m.Getenv("XDG_CONFIG_HOME"); path.IsAbs(dir) {
		return dir
	}
	return path.Join(m.Facts().Home, ".config")
}

// runtimeDir is the folder of a person's sockets.
func runtimeDir(m machine.Machine) string {
	if dir := m.Getenv("XDG_RUNTIME_DIR"); path.IsAbs(dir) {
		return dir
	}
	return "/run/user/" + strconv.Itoa(m.Facts().UID)
}

// field is one of the words of a program's answer, as a version.
func field(text string, n int) string {
	words := strings.Fields(text)
	if n >= len(words) {
		return ""
	}
	return strings.TrimPrefix(strings.Trim(words[n], ",'\""), "v")
}

func oneLine(err error) string {
	var parts []string
	for line := range strings.Lines(errors.Join(err).Error()) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}
