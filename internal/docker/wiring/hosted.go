package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// What the engines have in common that run in a virtual machine of somebody's desktop.

// below is a path in the machine's own form.
func below(m machine.Machine, dir string, names ...string) string {
	sep := "/"
	if m.Facts().OS == machine.Windows {
		sep = `\`
	}
	return strings.Join(append([]string{strings.TrimRight(dir, `/\`)}, names...), sep)
}

func isThere(m machine.Machine, name string) bool {
	_, err := m.Stat(name)
	return err == nil
}

// firstThere is the first of some paths that exists, or "".
func firstThere(m machine.Machine, names ...string) string {
	for _, name := range names {
		if isThere(m, name) {
			return name
		}
	}
	return ""
}

// readSettings reads somebody's file for a plan. One that is not there is empty; one that is broken is refused.
func readSettings(m machine.Machine, id, name string, f edit.Format) ([]byte, error) {
	read, err := m.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	if err := edit.Check(f, read.Data); err != nil {
		return nil, fmt.Errorf("%s: %s: %w; nothing is changed: mend it and connect again", id, name, err)
	}
	return read.Data, nil
}

// textAt is a string at a key; "" if there is none, or something else.
func textAt(f edit.Format, text []byte, path ...string) string {
	var s string
	if raw, err := edit.Has(f, text, path...); err == nil && raw != nil {
		_ = json.Unmarshal(raw, &s)
	}
	return s
}

// listAt are the strings at a key.
func listAt(f edit.Format, text []byte, path ...string) []string {
	var list []string
	if raw, err := edit.Has(f, text, path...); err == nil && raw != nil {
		_ = json.Unmarshal(raw, &list)
	}
	return list
}

// daemonJSON plans Docker's own settings as far as a mirror goes, for an engine that reads them from this file.
func daemonJSON(name string, f edit.Format, at []string, reach string, o Options) File {
	e := &edit.Edit{Format: f, Steps: []edit.Step{{
		Path: slices.Concat(at, []string{"registry-mirrors"}), Add: []json.RawMessage{value(mirrorURL(reach))}, Front: true,
	}}}
	o.Insecure = append(slices.Clone(o.Insecure), plainMirror(reach)...)
	if len(o.Insecure) > 0 {
		e.Steps = append(e.Steps, insecureStep(o, at...))
	}
	return File{Path: name, Mode: 0o644, Edit: e}
}

// plainMirror is a mirror without TLS that is not on loopback, as insecure-registries have it. Up to engine 27 BuildKit and
// the store of containerd go by that list and not by the scheme of the mirror's URL (moby, Daemon.RegistryHosts);
// loopback is on it by itself.
func plainMirror(reach string) []string {
	u, err := url.Parse(mirrorURL(reach))
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return nil
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		return nil
	}
	return []string{u.Host}
}

// insecureStep adds to insecure-registries, in the table at some path.
func insecureStep(o Options, at ...string) edit.Step {
	s := edit.Step{Path: append(slices.Clone(at), "insecure-registries")}
	for _, r := range o.Insecure {
		s.Add = append(s.Add, value(r))
	}
	return s
}

// searchNeedsPodman is said to who asks Docker for other registries than Docker Hub for short names.
func searchNeedsPodman(o Options) []string {
	if len(o.Search) == 0 {
		return nil
	}
	return []string{"names without a registry are Docker Hub's for Docker: there is no other place to look for them"}
}

// doors are the names under which engines call the machine that they or their virtual machine are on.
var doors = []string{
	"localhost", loopback, "::1", desktopHost, "gateway.docker.internal", orbHost, limaHost, limaGateway, rancherHost, podmanHost,
}

// isDoor says that an address leads to the machine that the person sits at, whatever listens there.
func isDoor(address string) bool {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	return err == nil && slices.Contains(doors, u.Hostname())
}

// isUs says that an address is Pulley's.
func isUs(address string, to Target) bool { return isDoor(address) && portOf(address) == to.Port }

// portOf is the port in a URL or of host:port/…; 0 if there is none.
func portOf(address string) int {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return 0
	}
	port, _ := strconv.Atoi(u.Port())
	return port
}

// wiredBy says how addresses that an engine goes by look from outside: which port Pulley has is known later.
func wiredBy(w Way, where string, to ...string) Wired {
	var shown []string
	ours := false
	for _, a := range to {
		if a != "" {
			shown, ours = append(shown, withoutPassword(a)), ours || isDoor(a)
		}
	}
	switch {
	case len(shown) == 0:
		return Wired{}
	case !ours:
		w = Foreign
	}
	return Wired{Way: w, To: shown, Where: []string{where}}
}

// either is the first of two that says something, with the addresses of both.
func (w Wired) either(other Wired) Wired {
	if w.Way == None || w.Way == Foreign && other.Way != None && other.Way != Foreign {
		w, other = other, w
	}
	w.To, w.Where = slices.Concat(w.To, other.To), slices.Concat(w.Where, other.Where)
	return w
}

// docker is the API of an engine behind a socket of the machine.
type dockerAPI struct{ *client.Client }

func dialDocker(m machine.Machine, socket string) (dockerAPI, error) {
	network, address, ok := strings.Cut(socket, "://")
	if !ok {
		return dockerAPI{}, errors.New("no socket is known")
	}
	if network == "npipe" {
		address = strings.ReplaceAll(address, "/", `\`)
	}
	c, err := client.New(client.WithHost("tcp://docker:1"), client.WithDialContext(
		func(ctx context.Context, _, _ string) (net.Conn, error) { return m.Dial(ctx, network, address) }))
	return dockerAPI{c}, err
}

// dockerState is what an engine says of itself.
type dockerState struct {
	product, version string // "Docker Desktop 4.38.0 (181591)", 27.5.1
	containers       int    // that run; -1: it does not say
}

// askDocker asks an engine; the error says that it does not answer.
func askDocker(ctx context.Context, m machine.Machine, socket string) (dockerState, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := dialDocker(m, socket)
	if err != nil {
		return dockerState{}, err
	}
	defer func() { _ = c.Close() }()
	v, err := c.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return dockerState{}, errors.New(oneLine(err))
	}
	s := dockerState{product: v.Platform.Name, version: v.Version, containers: -1}
	if info, err := c.Info(ctx, client.InfoOptions{}); err == nil {
		s.containers = info.Info.ContainersRunning
	}
	return s, nil
}

// look fills in what an engine says of itself.
func (e *Engine) look(ctx context.Context, m machine.Machine) dockerState {
	s, err := askDocker(ctx, m, e.Socket)
	if err == nil {
		e.Running, e.Version = true, s.version
	}
	return s
}

// upDocker is Kind.Up of an engine with Docker's API.
func upDocker(ctx context.Context, m machine.Machine, e Engine) error {
	_, err := askDocker(ctx, m, e.Socket)
	return err
}

// stops is how many containers a restart ends.
func stops(ctx context.Context, m machine.Machine, e Engine) int {
	s, err := askDocker(ctx, m, e.Socket)
	if err != nil {
		return -1
	}
	return s.containers
}

// takesMirror says whether an engine with Docker's API goes by the mirror of a plan. Of a proxy it cannot say: what it knows
// of that is its virtual machine's own.
func takesMirror(ctx context.Context, m machine.Machine, p *Plan) error {
	if p.Way != Mirror || p.reach == "" || p.Engine.Socket == "" {
		return nil
	}
	return mirrorsAt(m, p.Engine.Socket).takes(ctx, p)
}

// pullDocker is Kind.Pull of an engine with Docker's API. An image that was there before is not taken away.
func pullDocker(ctx context.Context, m machine.Machine, e Engine, image string) error {
	c, err := dialDocker(m, e.Socket)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, there := c.ImageInspect(ctx, image)
	stream, err := c.ImagePull(ctx, image, client.ImagePullOptions{})
	if err == nil {
		err = errors.Join(stream.Wait(ctx), stream.Close())
	}
	if err != nil {
		return errors.New(oneLine(err))
	}
	if errdefs.IsNotFound(there) { // and not merely not to be told
		_, _ = c.ImageRemove(ctx, image, client.ImageRemoveOptions{})
	}
	return nil
}

// hostLoopback is said of engines whose virtual machine gets to what listens on loopback.
func hostLoopback(name string) Note {
	return Note{"loopback", name, name + " leads to this machine's loopback: Pulley's `listen` may stay as it is"}
}

// hostBoth is the same where the proxy is not asked for from within.
func hostBoth(name string) Note {
	return Note{"loopback_proxy", name, hostLoopback(name).Text + ", and a proxy is dialled from this machine itself"}
}

// startToConnect is for a virtual machine that is off.
var startToConnect = Note{Key: "inside", Text: "its settings are inside of it: start it to connect"}

// nothingPulls is the price of a proxy.
func nothingPulls(to Target) []string {
	if to.Service {
		return nil
	}
	return []string{"nothing is pulled while Pulley does not run; `pulley service install` has it run whenever the machine does"}
}
