package wiring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// ownLine begins every file that is wholly ours.
const ownLine = "# Written by Pulley; `pulley disconnect` takes it away again.\n"

// certsDirs are where containerd (since 2.3 by itself), nerdctl and, of the first alone, everybody's instructions look for
// a folder per registry.
var certsDirs = []string{"/etc/containerd/certs.d", "/etc/docker/certs.d"}

// hostsFiles plans hosts.toml files, which containerd reads at every pull:
// https://github.com/containerd/containerd/blob/main/docs/hosts.md
type hostsFiles struct {
	m     machine.Machine
	roots []string // where it looks, in its order; new folders go into the first
	reach string
	way   Way
	ca    string // path of the authorities, for a proxy that intercepts

	files []File
	warn  []string
}

// hostsFile is what we read of a hosts.toml.
type hostsFile struct {
	Server string              `toml:"server"`
	CA     any                 `toml:"ca"`
	Client any                 `toml:"client"`
	Host   map[string]hostPart `toml:"host"`
}

type hostPart struct {
	CA     any `toml:"ca"`
	Client any `toml:"client"`
}

// all plans every name under which clients call a registry that we know.
func (h *hostsFiles) all(to Target, o Options) error {
	insecure := slices.Clone(o.Insecure)
	for _, r := range to.Registries {
		for _, name := range clientNames(r) {
			server := serverOf(r, name)
			if i := slices.Index(insecure, name); i >= 0 {
				insecure = slices.Delete(insecure, i, i+1)
				server = "http://" + name
			}
			if err := h.one(name, server, true); err != nil {
				return err
			}
		}
	}
	for _, name := range insecure {
		if err := h.one(name, "http://"+name, false); err != nil {
			return err
		}
	}
	return nil
}

// clientNames are the registry's names in the images that people pull: of Docker Hub one, of others every exact host.
func clientNames(r Registry) []string {
	if r.Name == "docker.io" {
		return []string{r.Name}
	}
	var names []string
	for _, host := range r.Hosts {
		if !strings.HasPrefix(host, "*") && !slices.Contains(names, host) {
			names = append(names, host)
		}
	}
	if len(r.Hosts) == 0 {
		names = append(names, r.Name)
	}
	return names
}

// serverOf is the origin of one of a registry's names.
func serverOf(r Registry, name string) string {
	scheme, host, ok := strings.Cut(r.Origin, "://")
	switch {
	case r.Name == "docker.io" && ok, host == name:
		return r.Origin
	case ok:
		return scheme + "://" + name
	default:
		return "https://" + name
	}
}

// one plans a registry's hosts.toml. mirrored says that it is one of Pulley's and not merely one without TLS.
func (h *hostsFiles) one(name, server string, mirrored bool) error {
	dir, named := h.find(name, h.foreign)
	file := path.Join(dir, "hosts.toml")
	if named {
		f, err := h.m.ReadFile(file)
		switch {
		case err == nil && !isOurs(f.Data):
			return h.join(file, f.Data, server, mirrored)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if !named || !strings.HasPrefix(file, h.roots[0]+"/") {
		file = path.Join(h.roots[0], hostFolder(name), "hosts.toml")
	}
	text := h.text(server, mirrored)
	switch {
	case dir == "": // nothing is there
	case named: // certificates alone
		c, err := h.certificates(dir)
		if err != nil {
			return err
		}
		text = h.textWith(server, mirrored, c)
	default: // a folder of its own hides _default from this registry
		var err error
		if text, err = h.fromDefault(dir, name, server, mirrored); err != nil || text == "" {
			return err
		}
	}
	h.files = append(h.files, File{Path: file, Mode: 0o644, Edit: whole(text)})
	return nil
}

// find is the folder that containerd would take for a registry, and whether it is the registry's own: there is _default too.
// Folders that count does not take are passed over.
func (h *hostsFiles) find(name string, count func(dir string) bool) (dir string, named bool) {
	for _, root := range h.roots {
		for _, sub := range []string{hostFolder(name), name, "_default"} {
			dir := path.Join(root, sub)
			if info, err := h.m.Stat(dir); err == nil && info.IsDir() && count(dir) {
				return dir, sub != "_default"
			}
		}
	}
	return "", false
}

// foreign says that a folder has more than a hosts.toml of ours: what would count, and will, without us.
func (h *hostsFiles) foreign(dir string) bool {
	names, err := h.m.List(dir)
	if err != nil || len(names) != 1 || names[0] != "hosts.toml" {
		return true
	}
	f, err := h.m.ReadFile(path.Join(dir, "hosts.toml"))
	return err != nil || !isOurs(f.Data)
}

func anyFolder(string) bool { return true }

func isOurs(text []byte) bool { return strings.HasPrefix(string(text), ownLine) }

// hostFolder is the name of a registry's folder that every version knows: registry.corp:5000 is registry.corp_5000_.
func hostFolder(name string) string {
	if host, port, ok := strings.Cut(name, ":"); ok {
		return host + "_" + port + "_"
	}
	return name
}

// text is a hosts.toml of our own. A mirror over plain HTTP has no part that says how to check certificates: with one,
// containerd would try TLS first.
func (h *hostsFiles) text(server string, mirrored bool) string {
	return h.textWith(server, mirrored, certificates{})
}

func (h *hostsFiles) textWith(server string, mirrored bool, c certificates) string {
	var b strings.Builder
	b.WriteString(ownLine)
	if mirrored && h.way == Proxy {
		c.ca = append(slices.Clone(c.ca), h.ca)
	}
	fmt.Fprintf(&b, "server = %s\n", quote(server))
	c.write(&b, "")
	if mirrored && h.way != Proxy {
		fmt.Fprintf(&b, "\n[host.%s]\n  capabilities = [\"pull\", \"resolve\"]\n", quote(mirrorURL(h.reach)))
	}
	if len(c.ca)+len(c.client) > 0 { // containerd 1.6 looks for them here alone
		fmt.Fprintf(&b, "\n[host.%s]\n  capabilities = [\"pull\", \"resolve\", \"push\"]\n", quote(server))
		c.write(&b, "  ")
	}
	return b.String()
}

// join plans the change of somebody's hosts.toml: ours comes first, theirs stay.
func (h *hostsFiles) join(file string, text []byte, server string, mirrored bool) error {
	var f hostsFile
	if err := unmarshalTOML(file, text, &f); err != nil {
		return err
	}
	if !mirrored {
		if f.Server != server {
			h.warn = append(h.warn, fmt.Sprintf("%s is somebody's own and says where to go; to pull without TLS, its server is to be %s", file, server))
		}
		return nil
	}
	e := &edit.Edit{Format: edit.TOML}
	if h.way != Proxy {
		e.Steps = []edit.Step{{
			Path: []string{"host", mirrorURL(h.reach), "capabilities"}, Value: value([]string{"pull", "resolve"}), Front: true,
		}}
		h.files = append(h.files, File{Path: file, Mode: 0o644, Edit: e})
		return nil
	}
	e.Steps = append(e.Steps, h.trust(f.CA, "ca"))
	for _, at := range sortedKeys(f.Host) {
		e.Steps = append(e.Steps, h.trust(f.Host[at].CA, "host", at, "ca"))
	}
	if len(f.Host) == 0 {
		e.Steps = append(e.Steps,
			edit.Step{Path: []string{"host", server, "capabilities"}, Value: value([]string{"pull", "resolve", "push"})},
			h.trust(nil, "host", server, "ca"))
	}
	h.files = append(h.files, File{Path: file, Mode: 0o644, Edit: e})
	return nil
}

// trust adds our authorities to those that a key has: nothing, one, or a list of them.
func (h *hostsFiles) trust(old any, at ...string) edit.Step {
	switch old := old.(type) {
	case []any:
		if slices.Contains(old, any(h.ca)) { // of the last time, when it may have been one alone
			return edit.Step{Path: at, Value: value(old)}
		}
		return edit.Step{Path: at, Add: []json.RawMessage{value(h.ca)}}
	case string:
		if old != h.ca {
			return edit.Step{Path: at, Value: value([]string{old, h.ca})}
		}
	}
	return edit.Step{Path: at, Value: value(h.ca)}
}

// fromDefault is the text for a registry that _default has served so far: what stood there goes on to count. "" leaves it so.
func (h *hostsFiles) fromDefault(dir, name, server string, mirrored bool) (string, error) {
	file := path.Join(dir, "hosts.toml")
	read, err := h.m.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		c, err := h.certificates(dir)
		return h.textWith(server, mirrored, c), err
	}
	if err != nil {
		return "", err
	}
	var f hostsFile
	if err := unmarshalTOML(file, read.Data, &f); err != nil {
		return "", err
	}
	own := server
	if f.Server != "" {
		own = f.Server
	}
	if !mirrored || f.CA != nil || f.Client != nil || slices.ContainsFunc(sortedKeys(f.Host), func(at string) bool {
		return f.Host[at].CA != nil || f.Host[at].Client != nil
	}) {
		h.warn = append(h.warn, fmt.Sprintf("%s is left to %s, which names certificates of its own; put [host.%s] first there to have it go through Pulley",
			name, file, quote(mirrorURL(h.reach))))
		return "", nil
	}
	before, tables := splitTables(string(read.Data))
	if f.Server == "" {
		before = "server = " + quote(own) + "\n" + before
	}
	ours := fmt.Sprintf("[host.%s]\n  capabilities = [\"pull\", \"resolve\"]\n\n", quote(mirrorURL(h.reach)))
	if h.way == Proxy {
		ours = fmt.Sprintf("ca = %s\n\n", quote(h.ca))
	}
	return ownLine + "# What follows it is from " + file + ", which does not count for a registry with a folder of its own.\n" +
		strings.TrimRight(before, "\n") + "\n\n" + ours + tables, nil
}

// splitTables cuts a TOML text where its first table begins.
func splitTables(text string) (before, tables string) {
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff")
	at := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "[") {
			return text[:at], text[at:]
		}
		at += len(line)
	}
	return text, ""
}

// certificates are files for TLS in the layout of Docker, which containerd takes only where there is no hosts.toml.
type certificates struct {
	ca     []string
	client [][2]string // certificate, key
}

func (h *hostsFiles) certificates(dir string) (c certificates, err error) {
	names, err := h.m.List(dir)
	if err != nil {
		return c, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".crt") {
			c.ca = append(c.ca, path.Join(dir, name))
		}
		if base, ok := strings.CutSuffix(name, ".cert"); ok {
			key := ""
			if slices.Contains(names, base+".key") {
				key = path.Join(dir, base+".key")
			}
			c.client = append(c.client, [2]string{path.Join(dir, name), key})
		}
	}
	return c, nil
}

func (c certificates) write(b *strings.Builder, indent string) {
	switch len(c.ca) {
	case 0:
	case 1:
		fmt.Fprintf(b, "%sca = %s\n", indent, quote(c.ca[0]))
	default:
		fmt.Fprintf(b, "%sca = %s\n", indent, quoteAll(c.ca))
	}
	if len(c.client) > 0 {
		var pairs []string
		for _, p := range c.client {
			if p[1] == "" {
				pairs = append(pairs, quote(p[0]))
			} else {
				pairs = append(pairs, quoteAll(p[:]))
			}
		}
		fmt.Fprintf(b, "%sclient = [%s]\n", indent, strings.Join(pairs, ", "))
	}
}

// hostsWired says where a registry goes now, by the hosts.toml that containerd would take.
func hostsWired(m machine.Machine, roots []string, name, reach string) Wired {
	h := &hostsFiles{m: m, roots: roots}
	dir, _ := h.find(name, anyFolder)
	if dir == "" {
		return Wired{}
	}
	file := path.Join(dir, "hosts.toml")
	read, err := m.ReadFile(file)
	if err != nil {
		return Wired{}
	}
	var f hostsFile
	if unmarshalTOML(file, read.Data, &f) != nil {
		return Wired{}
	}
	server := strings.TrimSuffix(f.Server, "/")
	var to []string
	for _, at := range sortedKeys(f.Host) {
		if at != server && !strings.HasSuffix(at, "//registry-1.docker.io") {
			to = append(to, at)
		}
	}
	if len(to) == 0 && isOurs(read.Data) && f.CA != nil {
		return Wired{Way: Proxy, Where: []string{file}}
	}
	return wiredTo(reach, file, isOurs(read.Data), to...)
}

// unmarshalTOML reads a TOML file; the error names it and the line.
func unmarshalTOML(name string, text []byte, into any) error {
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	err := toml.Unmarshal(text, into)
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, _ := at.Position()
		return fmt.Errorf("%s: line %d: %s; mend it and connect again", name, line, strings.TrimPrefix(at.Error(), "toml: "))
	}
	if err != nil {
		return fmt.Errorf("%s: %w; mend it and connect again", name, err)
	}
	return nil
}
