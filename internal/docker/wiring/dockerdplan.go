package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// dockerDropIn is read behind others of its folder: what is set later holds.
const dockerDropIn = "zz-pulley-http-proxy.conf"

// Plan implements Kind.
func (k dockerd) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	p := &Plan{Engine: e, Way: way(e, o), reach: reachOf(e, to, o)}
	if strings.Contains(o.Reach, "://") { // a Pulley elsewhere, with its scheme
		p.reach = o.Reach
	}
	at, ok := k.place(ctx, m, e.ID)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: is not here any more", e.ID)
	case !slices.Contains(e.Ways, p.Way):
		return nil, noWay(e, p.Way)
	}
	if _, err := readSettings(m, e.ID, at.config, edit.JSON); err != nil {
		return nil, err
	}
	var err error
	if p.Way == Proxy {
		err = k.planProxy(m, p, at, to)
	} else {
		err = k.planMirror(p, at)
	}
	if err == nil {
		err = k.insecure(p, at, o)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.ID, err)
	}
	p.Warn = append(p.Warn, searchNeedsPodman(o)...)
	if dockerAtLeast(e.Version, 23, 0) && slices.ContainsFunc(p.Files, func(f File) bool { return f.Path == at.config }) {
		p.Checks = append(p.Checks, machine.Command{Args: []string{at.program, "--validate", "--config-file={" + at.config + "}"}})
	}
	var changed []string
	for _, f := range p.Files {
		changed = append(changed, f.Path)
	}
	p.How = k.Activation(ctx, m, e, changed)
	if p.Way == Proxy {
		info, _ := dockerInfo(ctx, m, e.Socket)
		p.How = k.activation(m, at, e, info, true)
	}
	p.Manual = append(p.Manual, byHand(p.How)...)
	return p, nil
}

// conflict refuses what dockerd is told by a flag already: "the following directives are specified both as a flag and in the
// configuration file" is how it would not start.
func (at dockerPlace) conflict(key string, flags ...string) error {
	for _, flag := range flags {
		if len(at.values(flag)) > 0 {
			return fmt.Errorf("--%s is given in %s: dockerd does not start when %s is in %s too; move it there first", flag, at.from, key, at.config)
		}
	}
	return nil
}

func (k dockerd) planMirror(p *Plan, at dockerPlace) error {
	if err := at.conflict("registry-mirrors", "registry-mirror"); err != nil {
		return err
	}
	p.step(at.config, edit.Step{Path: []string{"registry-mirrors"}, Add: []json.RawMessage{value(mirrorURL(p.reach))}, Front: true})
	p.Warn = append(p.Warn, "only Docker Hub's images come by a mirror; those of other registries are pulled by their name behind Pulley's address, "+strings.TrimPrefix(strings.TrimPrefix(p.reach, "http://"), "https://")+"/ghcr.io/…")
	return nil
}

// insecure adds what may be pulled from without TLS: loopback always may.
func (dockerd) insecure(p *Plan, at dockerPlace, o Options) error {
	if p.Way == Mirror {
		o.Insecure = append(slices.Clone(o.Insecure), plainMirror(p.reach)...)
	}
	if len(o.Insecure) == 0 {
		return nil
	}
	if err := at.conflict("insecure-registries", "insecure-registry"); err != nil {
		return err
	}
	p.step(at.config, insecureStep(o))
	return nil
}

// step adds a step to the edit of a JSON file.
func (p *Plan) step(name string, steps ...edit.Step) {
	i := slices.IndexFunc(p.Files, func(f File) bool { return f.Path == name })
	if i < 0 {
		p.Files = append(p.Files, File{Path: name, Mode: 0o644, Edit: &edit.Edit{Format: edit.JSON}})
		i = len(p.Files) - 1
	}
	p.Files[i].Edit.Steps = append(p.Files[i].Edit.Steps, steps...)
}

func (k dockerd) planProxy(m machine.Machine, p *Plan, at dockerPlace, to Target) error {
	address := mirrorURL(p.reach)
	was := k.proxyNow(m, at)
	if was.url != "" && !isUs(was.url, to) && was.url != address {
		p.Egress = was.url
	}
	p.Trust = true
	p.Warn = append(p.Warn, nothingPulls(to)...)
	except := strings.Join(noProxy(was.except...), ",")
	if dockerAtLeast(p.Engine.Version, 23, 0) {
		if err := at.conflict("proxies", "http-proxy", "https-proxy", "no-proxy"); err != nil {
			return err
		}
		p.step(at.config,
			edit.Step{Path: []string{"proxies", "http-proxy"}, Value: value(address)},
			edit.Step{Path: []string{"proxies", "https-proxy"}, Value: value(address)},
			edit.Step{Path: []string{"proxies", "no-proxy"}, Value: value(except)})
		return nil
	}
	variables := []string{"HTTP_PROXY=" + address, "HTTPS_PROXY=" + address, "NO_PROXY=" + except}
	switch {
	case hasSystemd(m):
		dir := "/etc/systemd/system"
		if at.user {
			dir = path.Join(configHome(m), "systemd/user")
		}
		text := ownLine + "[Service]\n"
		for _, v := range variables {
			text += fmt.Sprintf("Environment=\"%s\"\n", strings.ReplaceAll(v, "%", "%%"))
		}
		p.Files = append(p.Files, File{Path: path.Join(dir, or(at.unit, "docker.service")+".d", dockerDropIn), Mode: 0o644, Edit: whole(text)})
	case at.user:
		return errors.New("systemd does not run here: start it with HTTPS_PROXY=" + address)
	default:
		name := firstThere(m, "/etc/default/docker", "/etc/sysconfig/docker")
		if name == "" && isThere(m, "/etc/sysconfig") {
			name = "/etc/sysconfig/docker"
		}
		text := ""
		for _, v := range variables {
			name, value, _ := strings.Cut(v, "=")
			text += "export " + name + "=" + shellQuote(value) + "\n"
		}
		p.Files = append(p.Files, File{Path: or(name, "/etc/default/docker"), Mode: 0o644, Edit: &edit.Edit{Format: edit.Lines, Steps: []edit.Step{{Text: text}}}})
	}
	return nil
}

// shellQuote has a shell read the text as it is.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// proxyInUse is what an engine goes out by.
type proxyInUse struct {
	url    string
	except []string
}

// proxyNow is the proxy that an engine has: of its settings before that of its environment, as it runs or as systemd and the
// init script will start it.
func (k dockerd) proxyNow(m machine.Machine, at dockerPlace) proxyInUse {
	p := proxyOf(slices.Concat(k.serviceEnviron(m, at), at.environ))
	if read, err := m.ReadFile(at.config); err == nil {
		p.url = or(or(textAt(edit.JSON, read.Data, "proxies", "https-proxy"), textAt(edit.JSON, read.Data, "proxies", "http-proxy")), p.url)
		if except := textAt(edit.JSON, read.Data, "proxies", "no-proxy"); except != "" {
			p.except = splitList(except)
		}
	}
	return p
}

// proxyOf is the proxy in an environment.
func proxyOf(environ []string) proxyInUse {
	return proxyInUse{
		url:    or(variable(environ, "HTTPS_PROXY", "https_proxy"), variable(environ, "HTTP_PROXY", "http_proxy")),
		except: splitList(variable(environ, "NO_PROXY", "no_proxy")),
	}
}

// variable is the last value of the first name that has one.
func variable(environ []string, names ...string) string {
	for _, name := range names {
		for _, kv := range slices.Backward(environ) {
			if v, ok := strings.CutPrefix(kv, name+"="); ok && v != "" {
				return v
			}
		}
	}
	return ""
}

// serviceEnviron are the variables of an engine's service, without what we put there.
func (dockerd) serviceEnviron(m machine.Machine, at dockerPlace) (environ []string) {
	dir := "/etc/systemd/system/docker.service.d"
	if at.user {
		dir = path.Join(configHome(m), "systemd/user/docker.service.d")
	}
	environ = unitEnviron(m, dir)
	for _, name := range []string{"/etc/default/docker", "/etc/sysconfig/docker"} {
		read, err := m.ReadFile(name)
		if err != nil || at.user {
			continue
		}
		for line := range strings.Lines(string(read.Data)) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok || strings.Contains(line, "=") && !strings.HasPrefix(strings.TrimSpace(line), "#") {
				if !ok {
					text = strings.TrimSpace(line)
				}
				environ = append(environ, assignments(text)...)
			}
		}
	}
	return environ
}

// unitEnviron are the variables that somebody's drop-ins of a folder give a service; the last one of a name counts.
func unitEnviron(m machine.Machine, dir string) (environ []string) {
	for _, name := range confs(m, dir) {
		read, err := m.ReadFile(name)
		if err != nil || isOurs(read.Data) {
			continue
		}
		for line := range strings.Lines(string(read.Data)) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "Environment="); ok {
				environ = append(environ, assignments(strings.ReplaceAll(text, "%%", "%"))...) // as systemd.unit(5) has it
			}
		}
	}
	return environ
}

// assignments are the NAME=value of a line, with quotes around the whole or the value.
func assignments(line string) (list []string) {
	var word strings.Builder
	quote := rune(0)
	flush := func() {
		if strings.Contains(word.String(), "=") {
			list = append(list, word.String())
		}
		word.Reset()
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case quote == 0 && (r == ' ' || r == '\t'):
			flush()
		default:
			word.WriteRune(r)
		}
	}
	flush()
	return list
}
