package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// family is one way in which distributions of Linux keep trusted roots: a folder for those of the machine's owner, and a
// program that makes of it what programs read.
type family struct {
	tools  [][]string // the first that is there; its arguments follow
	fresh  string     // argument that has it drop what is gone
	dir    string
	ours   bool   // dir may be made: the program looks there whether it exists or not
	bundle string // one of the program's results, PEM
}

// families are told apart by folder and program together, never by the distribution's name. openSUSE's program is called like
// Debian's, so its folder decides.
var families = []family{
	{ // openSUSE, SLES
		tools: [][]string{{"update-ca-certificates"}}, fresh: "--fresh",
		dir: "/etc/pki/trust/anchors", bundle: "/var/lib/ca-certificates/ca-bundle.pem",
	},
	{ // Fedora, RHEL and its family, Amazon Linux, Mageia: update-ca-trust(8)
		tools: [][]string{{"update-ca-trust", "extract"}},
		dir:   "/etc/pki/ca-trust/source/anchors", bundle: "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	},
	{ // Arch and its family: trust(1), update-ca-trust(8)
		tools: [][]string{{"update-ca-trust"}, {"trust", "extract-compat"}},
		dir:   "/etc/ca-certificates/trust-source/anchors", bundle: "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
	},
	{ // Debian, Ubuntu, Alpine, Gentoo, Void: update-ca-certificates(8)
		tools: [][]string{{"update-ca-certificates"}}, fresh: "--fresh",
		dir: "/usr/local/share/ca-certificates", ours: true, bundle: "/etc/ssl/certs/ca-certificates.crt",
	},
}

// anchors is the system's store on Linux.
type anchors struct {
	w *work
	family
	tool []string // with its path
}

// anchors returns the machine's store, nil if it has none that is known.
func (w *work) anchors() store {
	for _, f := range families {
		info, err := w.m.Stat(f.dir)
		if !f.ours && (err != nil || !info.IsDir()) {
			continue
		}
		for _, t := range f.tools {
			if p := w.tool(t[0]); p != "" {
				return &anchors{w: w, family: f, tool: append([]string{p}, t[1:]...)}
			}
		}
	}
	return nil
}

func (a *anchors) where() Where {
	return Where{Store: "system (" + path.Base(a.tool[0]) + ")", Kind: System, Path: a.dir}
}

// list has our files, and what the bundle holds besides: a file may be gone and its certificate still be trusted.
func (a *anchors) list(context.Context) ([]entry, error) {
	var entries []entry
	names, err := a.w.m.List(a.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("system trust store: %w", err)
	}
	for _, name := range names {
		if c := a.read(name); c != nil {
			entries = append(entries, entry{cert: c, file: a.dir + "/" + name})
		}
	}
	bundle, err := a.w.m.ReadFile(a.bundle)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("system trust store: %w", err)
	}
	for _, c := range lookAll(bundle.Data) {
		if i := slices.IndexFunc(entries, func(e entry) bool { return e.cert.same(c) }); i >= 0 {
			entries[i].trusted = true
		} else {
			entries = append(entries, entry{cert: c, trusted: true, loose: true})
		}
	}
	return entries, nil
}

// read returns the certificate in a file that we made; nil if it is somebody else's, whatever its name.
func (a *anchors) read(name string) *cert {
	if !ourFile.MatchString(name) {
		return nil
	}
	full := a.dir + "/" + name
	f, err := a.w.m.ReadFile(full)
	if err != nil || path.Base(f.Path) != name {
		return nil // a symbolic link is none of ours
	}
	ders, clean := blocks(f.Data)
	if len(ders) != 1 || !clean {
		return nil
	}
	c, ok := look(ders[0])
	if !ok || c.file() != name {
		return nil
	}
	return c
}

func (a *anchors) folders() []string {
	var missing []string // outermost first
	for dir := a.dir; !a.w.exists(dir) && dir != "/"; dir = path.Dir(dir) {
		missing = append([]string{dir}, missing...)
	}
	return missing
}

func (a *anchors) change(d diff) []step {
	var steps []step
	for _, c := range d.add {
		name := a.dir + "/" + c.file()
		steps = append(steps, step{text: "write " + name + " (" + c.name + ")", do: func(context.Context) error {
			return a.write(name, c)
		}})
	}
	for _, e := range d.remove {
		if e.file != "" {
			steps = append(steps, step{text: "remove " + e.file, do: func(context.Context) error { return a.remove(e.file) }})
		}
	}
	steps = append(steps, a.w.command(a.update(d)...))
	for _, dir := range a.emptied(d) {
		steps = append(steps, step{text: "remove " + dir + " if it is empty", do: func(context.Context) error {
			if names, err := a.w.m.List(dir); err == nil && len(names) == 0 {
				return a.w.m.Remove(dir)
			}
			return nil
		}})
	}
	return steps
}

// update is the program that takes changes up. What is gone leaves links behind unless it starts afresh.
func (a *anchors) update(d diff) []string {
	if len(d.remove) > 0 && a.fresh != "" {
		return append(slices.Clone(a.tool), a.fresh)
	}
	return a.tool
}

// emptied are folders of ours that have had their day, innermost first.
func (a *anchors) emptied(d diff) []string {
	var dirs []string
	for dir := a.dir; len(d.want) == 0 && slices.Contains(d.made, dir); dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	return dirs
}

func (a *anchors) write(name string, c *cert) error {
	names, err := a.w.m.List(a.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if slices.Contains(names, c.file()) && a.read(c.file()) == nil {
		return fmt.Errorf("%s is not Pulley's, in spite of its name; move it away", name)
	}
	_, err = a.w.m.WriteFile(name, c.pem(), 0o644) // all users verify by it
	return err
}

func (a *anchors) remove(name string) error {
	if err := a.w.m.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// asRoot splits pemFile into files as change does. What is there already is written again.
func (a *anchors) asRoot(pemFile string, d diff) string {
	var split, remove, folder string
	made := ""
	if len(d.add) > 0 {
		names := make([]string, len(d.want))
		for i, c := range d.want {
			names[i] = c.file()
		}
		folder = "install -d -m 755 " + a.dir
		split = `awk -v d=` + a.dir + ` -v n='` + strings.Join(names, " ") + `' 'BEGIN{split(n,f," ")} ` +
			`/^-----BEGIN/{i++; o=d "/" f[i]; printf "" > o} i{print > o} END{for(k in f) system("chmod 644 " d "/" f[k])}' ` + quote(pemFile)
	}
	for _, e := range d.remove {
		if e.file != "" {
			remove += " " + e.file
		}
	}
	if remove != "" {
		remove = "rm -f" + remove
	}
	if dirs := a.emptied(d); len(dirs) > 0 {
		made = "rmdir --ignore-fail-on-non-empty " + strings.Join(dirs, " ")
	}
	if a.w.exists(a.dir) {
		folder = ""
	}
	update := append([]string{path.Base(a.tool[0])}, a.update(d)[1:]...)
	return sudo(folder, split, remove, commandLine(update), made)
}
