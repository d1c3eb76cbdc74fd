package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// desktop is Docker Desktop on macOS, Windows and Linux.
//
// Its own settings are settings-store.json since 4.35 and settings.json before
// (https://docs.docker.com/desktop/settings-and-maintenance/settings/, docker/docs#21003); their keys are those of the
// reference for administrators, in Pascal's case and in camel case (docker/for-win#12820 has a whole file). It takes a proxy
// from there alone and ignores `proxies` in daemon.json (docker/docs#20905). It dials that proxy from the machine itself, so
// loopback is right, while its engine dials a mirror from the virtual machine, by host.docker.internal
// (https://docs.docker.com/desktop/features/networking/). The machine's trusted authorities are read at start
// (https://docs.docker.com/desktop/troubleshoot-and-support/faqs/macfaqs/).
//
// What is in memory is written over the file when settings are applied or Desktop ends, so the file is changed while it is
// stopped. `docker desktop stop` and `start` are there since 4.37 (https://docs.docker.com/desktop/features/desktop-cli/).
type desktop struct{}

const (
	desktopID   = "docker-desktop"
	desktopHost = "host.docker.internal"
)

type desktopPlaces struct {
	dir    string // of its settings
	daemon string // daemon.json
	admin  string // what an administrator has fixed
	policy string // where macOS keeps a configuration profile
	app    []string
	socket string
}

func (desktop) places(m machine.Machine) desktopPlaces {
	home := m.Facts().Home
	p := desktopPlaces{daemon: below(m, home, ".docker", "daemon.json")}
	switch m.Facts().OS {
	case machine.Darwin:
		p.dir = below(m, home, "Library", "Group Containers", "group.com.docker")
		p.admin = "/Library/Application Support/com.docker.docker/admin-settings.json"
		p.policy = "/Library/Managed Preferences/com.docker.config.plist"
		p.app = []string{"/Applications/Docker.app", below(m, home, "Applications", "Docker.app")}
		p.socket = "unix://" + below(m, home, ".docker", "run", "docker.sock")
	case machine.Windows:
		roaming := m.Getenv("APPDATA")
		if roaming == "" {
			roaming = below(m, home, "AppData", "Roaming")
		}
		p.dir = below(m, roaming, "Docker")
		p.admin = `C:\ProgramData\DockerDesktop\admin-settings.json`
		p.app = []string{`C:\Program Files\Docker\Docker\Docker Desktop.exe`, below(m, home, "AppData", "Local", "Programs", "DockerDesktop", "Docker Desktop.exe")}
		p.socket = "npipe:////./pipe/dockerDesktopLinuxEngine"
	default:
		p.dir = below(m, home, ".docker", "desktop")
		p.admin = "/usr/share/docker-desktop/admin-settings.json"
		p.app = []string{"/opt/docker-desktop/bin/docker-desktop"}
		p.socket = "unix://" + below(m, home, ".docker", "desktop", "docker.sock")
	}
	return p
}

// settings is the file that counts: the newer one where both are left. "" if Desktop never ran.
func (p desktopPlaces) settings(m machine.Machine) string {
	return firstThere(m, below(m, p.dir, "settings-store.json"), below(m, p.dir, "settings.json"))
}

// Find implements Kind.
func (k desktop) Find(ctx context.Context, m machine.Machine) []Engine {
	p := k.places(m)
	file := p.settings(m)
	if file == "" && firstThere(m, p.app...) == "" {
		return nil
	}
	e := Engine{
		ID: desktopID, Name: "Docker Desktop", Socket: p.socket, Context: "desktop-linux", Reach: desktopHost,
		Ways: []Way{Mirror, Proxy},
		Notes: []Note{
			hostBoth(desktopHost),
			{Key: "windows", Text: "an engine for Windows containers has settings of its own, which are left alone"},
		},
	}
	if v := desktopVersion(e.look(ctx, m).product); v != "" {
		e.Version = v
	}
	if read, err := m.ReadFile(p.daemon); err == nil {
		e.Wired = wiredBy(Mirror, p.daemon, listAt(edit.JSON, read.Data, "registry-mirrors")...)
	}
	if read, err := m.ReadFile(file); err == nil && edit.Check(edit.JSON, read.Data) == nil {
		keys := desktopKeys(file, read.Data)
		if textAt(edit.JSON, read.Data, keys.mode) == "manual" {
			e.Wired = e.Wired.either(wiredBy(Proxy, file, unique(textAt(edit.JSON, read.Data, keys.https), textAt(edit.JSON, read.Data, keys.http))...))
		}
	}
	var notes []Note
	for _, w := range e.Ways {
		if err := k.locked(m, p, w); err != nil {
			notes = append(notes, noted(err.Error()))
		}
	}
	if file == "" {
		notes = append(notes, Note{Key: "never_started", Text: "it has never been started: its settings are not there yet"})
	}
	e.Notes = append(notes, e.Notes...)
	return []Engine{e}
}

var desktopName = regexp.MustCompile(`^Docker Desktop (\d+\.\d+[.\d]*)`)

// desktopVersion is the version in the name under which its engine goes.
func desktopVersion(product string) string {
	if found := desktopName.FindStringSubmatch(product); found != nil {
		return found[1]
	}
	return ""
}

func unique(list ...string) []string {
	var out []string
	for _, s := range list {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// proxyKeys are the names under which a settings file has its proxy.
type proxyKeys struct {
	mode, http, https, exclude, pac, version, containers string
}

// desktopKeys are the keys of one file. Desktop reads them in any case, so the spelling that is there is kept; those that are
// missing are spelled as the rest is.
func desktopKeys(file string, text []byte) proxyKeys {
	k := proxyKeys{
		"ProxyHTTPMode", "OverrideProxyHTTP", "OverrideProxyHTTPS", "OverrideProxyExclude", "OverrideProxyPAC",
		"SettingsVersion", "ContainersProxyHTTPMode",
	}
	var there map[string]json.RawMessage
	_ = json.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &there)
	_, pascal := there["SettingsVersion"]
	_, camel := there["settingsVersion"]
	if camel || !pascal && strings.HasSuffix(file, "settings.json") {
		k = proxyKeys{
			"proxyHttpMode", "overrideProxyHttp", "overrideProxyHttps", "overrideProxyExclude", "overrideProxyPac",
			"settingsVersion", "containersProxyHttpMode",
		}
	}
	for _, name := range []*string{&k.mode, &k.http, &k.https, &k.exclude, &k.pac, &k.version, &k.containers} {
		if _, ok := there[*name]; ok {
			continue
		}
		for _, other := range sortedKeys(there) {
			if strings.EqualFold(other, *name) {
				*name = other
				break
			}
		}
	}
	return k
}

// locked says that an administrator has fixed what a way would change:
// https://docs.docker.com/enterprise/security/hardened-desktop/settings-management/configure-json-file/
func (desktop) locked(m machine.Machine, p desktopPlaces, w Way) error {
	var admin struct {
		Proxy struct {
			Locked bool `json:"locked"`
		} `json:"proxy"`
		LinuxVM struct {
			DaemonOptions struct {
				Locked bool `json:"locked"`
			} `json:"dockerDaemonOptions"`
		} `json:"linuxVM"`
	}
	read, err := m.ReadFile(p.admin)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("an administrator's settings cannot be read: %w", err)
	case json.Unmarshal([]byte(strings.TrimPrefix(string(read.Data), "\ufeff")), &admin) != nil:
		return fmt.Errorf("an administrator's settings cannot be understood: %s", p.admin)
	case w == Proxy && admin.Proxy.Locked:
		return fmt.Errorf("an administrator has locked the proxy, in %s", p.admin)
	case w == Mirror && admin.LinuxVM.DaemonOptions.Locked:
		return fmt.Errorf("an administrator has locked the engine's settings, in %s", p.admin)
	}
	if w == Proxy && p.policy != "" {
		if read, err := m.ReadFile(p.policy); err == nil && strings.Contains(string(read.Data), "overrideProxy") {
			return fmt.Errorf("a configuration profile of macOS has locked the proxy, in %s", p.policy)
		}
	}
	return nil
}

// Plan implements Kind.
func (k desktop) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	p := k.places(m)
	plan := &Plan{Engine: e, Way: way(e, o)}
	if err := k.locked(m, p, plan.Way); err != nil {
		return nil, fmt.Errorf("%s: %w; ask who looks after this machine", e.ID, err)
	}
	var err error
	switch plan.Way {
	case Mirror:
		_, err = readSettings(m, e.ID, p.daemon, edit.JSON)
		plan.reach = reachOf(e, to, o)
		plan.Files = []File{daemonJSON(p.daemon, edit.JSON, nil, plan.reach, o)}
		plan.Warn = append(plan.Warn, "a mirror is for Docker Hub alone: other registries are pulled as before; a proxy would take all")
	case Proxy:
		err = k.planProxy(m, p, plan, to, o)
	default:
		err = noWay(e, plan.Way)
	}
	if err != nil {
		return nil, err
	}
	plan.Warn = append(plan.Warn, searchNeedsPodman(o)...)
	plan.How = k.Activation(ctx, m, e, plan.changing(m))
	if plan.How.Kind == ByHand && plan.Way == Proxy {
		return nil, fmt.Errorf("%s: it runs, would overwrite its settings as it ends, and this version has no command to stop it; quit it and connect again", e.ID)
	}
	if plan.How.Kind == ByHand {
		plan.Manual = append(plan.Manual, plan.How.Text)
	}
	return plan, nil
}

func (desktop) planProxy(m machine.Machine, p desktopPlaces, plan *Plan, to Target, o Options) error {
	id, file := plan.Engine.ID, p.settings(m)
	if file == "" {
		return fmt.Errorf("%s: has no settings yet: start it once, and connect again", id)
	}
	text, err := readSettings(m, id, file, edit.JSON)
	if err != nil {
		return err
	}
	keys := desktopKeys(file, text)
	if raw, err := edit.Has(edit.JSON, text, keys.version); err != nil || raw == nil {
		return fmt.Errorf("%s: %s has no %s, without which it does not start; start it once, and connect again", id, file, keys.version)
	}
	var exclude []string
	if textAt(edit.JSON, text, keys.mode) == "manual" {
		if pac := textAt(edit.JSON, text, keys.pac); pac != "" {
			return fmt.Errorf("%s: it finds its proxy by %s, which Pulley cannot do; add that proxy with `pulley egress add`, take the script out of its settings and connect again, or connect by mirror", id, withoutPassword(pac))
		}
		for _, old := range unique(textAt(edit.JSON, text, keys.https), textAt(edit.JSON, text, keys.http)) {
			if plan.Egress == "" && !isUs(old, to) {
				plan.Egress = old
			}
		}
		exclude = splitList(textAt(edit.JSON, text, keys.exclude))
	}
	host := o
	if host.Reach == "" {
		host.Reach = loopback
	}
	proxy := "http://" + reachOf(plan.Engine, to, host)
	var steps []edit.Step
	for _, s := range [][2]string{{keys.mode, "manual"}, {keys.http, proxy}, {keys.https, proxy}, {keys.exclude, strings.Join(noProxy(exclude...), ",")}} {
		steps = append(steps, edit.Step{Path: s[:1], Value: value(s[1])})
	}
	plan.Files = []File{{Path: file, Mode: 0o600, Edit: &edit.Edit{Format: edit.JSON, Steps: steps}}}
	plan.Trust = true
	plan.Warn = append(plan.Warn, nothingPulls(to)...)
	if mode := textAt(edit.JSON, text, keys.containers); mode == "manual" {
		plan.Warn = append(plan.Warn, "its containers have a proxy of their own, which is left as it is")
	} else {
		plan.Warn = append(plan.Warn, "its containers go out through this proxy as well; Pulley passes on untouched what is no registry")
	}
	if len(o.Insecure) > 0 {
		plan.Files = append(plan.Files, File{Path: p.daemon, Mode: 0o644, Edit: insecureAlone(o)})
	}
	return nil
}

func insecureAlone(o Options) *edit.Edit {
	return &edit.Edit{Format: edit.JSON, Steps: []edit.Step{insecureStep(o)}}
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// Up implements Kind.
func (desktop) Up(ctx context.Context, m machine.Machine, e Engine) error { return upDocker(ctx, m, e) }

// Activation implements Kind: both files are read at start.
func (desktop) Activation(ctx context.Context, m machine.Machine, e Engine, _ []string) Activation {
	stop, start := []string{"docker", "desktop", "stop"}, []string{"docker", "desktop", "start"}
	s, err := askDocker(ctx, m, e.Socket)
	old := err == nil && !atLeast(desktopVersion(s.product), 4, 37)
	if m.Facts().OS == machine.Linux && (old || err != nil) {
		stop, start = []string{"systemctl", "--user", "stop", "docker-desktop"}, []string{"systemctl", "--user", "start", "docker-desktop"}
	}
	run := []machine.Command{{Args: start}}
	switch {
	case err != nil: // whoever left it down has it started
		return Activation{Kind: Restart, Run: run, Text: "start Docker Desktop"}
	case old && m.Facts().OS != machine.Linux:
		return Activation{Kind: ByHand, Text: "restart Docker Desktop, from the whale's menu", Stop: s.containers}
	}
	return Activation{
		Kind: Restart, Stop: s.containers, Before: []machine.Command{{Args: stop}}, Run: run,
		Text: strings.Join(stop, " ") + ", then " + strings.Join(start, " ") + ": Docker Desktop would overwrite its settings as it ends",
	}
}

// Pull implements Kind.
func (desktop) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	return pullDocker(ctx, m, e, image)
}

// Taken says whether a running engine goes by what a plan wrote.
func (desktop) Taken(ctx context.Context, m machine.Machine, p *Plan) error {
	return takesMirror(ctx, m, p)
}
