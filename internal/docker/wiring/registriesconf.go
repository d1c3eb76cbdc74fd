package wiring

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pulley/internal/docker/machine"
)

// dropIn is the file of ours among those of containers-registries.conf.d(5). What it says of a registry replaces what
// earlier files say, so it is late, and leaves out the registries that others have an entry for.
const dropIn = "900-pulley.conf"

// registriesConf is what podman, buildah, skopeo and CRI-O read: containers-registries.conf(5).
type registriesConf struct {
	m     machine.Machine
	files []string // in the order in which they are read; the later one counts
	dir   string   // where a drop-in of ours goes
	own   string   // its path
}

// registryEntry is one [[registry]].
type registryEntry struct {
	Prefix   string `toml:"prefix"`
	Location string `toml:"location"`
	Mirror   []struct {
		Location string `toml:"location"`
	} `toml:"mirror"`
}

func (r registryEntry) name() string {
	if r.Prefix != "" {
		return r.Prefix
	}
	return r.Location
}

type registriesFile struct {
	Search   []string        `toml:"unqualified-search-registries"`
	Registry []registryEntry `toml:"registry"`
	V1       map[string]any  `toml:"registries"`
}

// systemRegistries is what is read where no person's own files count, as by CRI-O.
func systemRegistries(m machine.Machine, own string) *registriesConf {
	r := &registriesConf{m: m, dir: "/etc/containers/registries.conf.d", files: []string{"/etc/containers/registries.conf"}}
	r.own = path.Join(r.dir, own)
	r.files = append(r.files, confs(m, r.dir)...)
	return r
}

// personRegistries is what is read by what a person runs. A person's own registries.conf has the machine's files, drop-ins
// included, not count at all.
func personRegistries(m machine.Machine, own string) *registriesConf {
	home := path.Join(m.Facts().Home, ".config/containers") // XDG_CONFIG_HOME does not count
	main, dir := path.Join(home, "registries.conf"), path.Join(home, "registries.conf.d")
	r := &registriesConf{m: m, dir: dir, files: []string{main}}
	if _, err := m.Stat(main); err != nil {
		r = systemRegistries(m, own)
		if !m.Facts().Root {
			r.dir = dir
		}
	}
	r.own = path.Join(r.dir, own)
	r.files = append(r.files, confs(m, dir)...)
	return r
}

// confs are the drop-ins of a folder.
func confs(m machine.Machine, dir string) []string {
	names, err := m.List(dir)
	if err != nil {
		return nil
	}
	var files []string
	for _, name := range names {
		if strings.HasSuffix(name, ".conf") {
			files = append(files, path.Join(dir, name))
		}
	}
	return files
}

// read has every file but those of ours.
func (r *registriesConf) read(each func(file string, f *registriesFile) error) error {
	for _, name := range r.files {
		read, err := r.m.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && isOurs(read.Data) {
			continue
		}
		if err != nil {
			return err
		}
		f := new(registriesFile)
		if err := unmarshalTOML(name, read.Data, f); err != nil {
			return err
		}
		if err := each(name, f); err != nil {
			return err
		}
	}
	return nil
}

// plan is our drop-in, and what a person has to know.
func (r *registriesConf) plan(reach string, to Target, o Options) (file File, warn, manual []string, err error) {
	taken := map[string]string{} // registry → file
	err = r.read(func(name string, f *registriesFile) error {
		if len(f.V1) > 0 {
			return fmt.Errorf("%s has [registries.…] tables, the form of before 2019, which nothing can be added to; rewrite it as in containers-registries.conf(5) and connect again", name)
		}
		for _, e := range f.Registry {
			taken[e.name()] = name
		}
		return nil
	})
	if err != nil {
		return File{}, nil, nil, err
	}
	reach, plain := hostPort(reach)
	var b strings.Builder
	b.WriteString(ownLine)
	if len(o.Search) > 0 {
		fmt.Fprintf(&b, "unqualified-search-registries = %s\n", quoteAll(o.Search))
	}
	insecure, count := slices.Clone(o.Insecure), 0
	for _, reg := range to.Registries {
		for _, name := range clientNames(reg) {
			isInsecure := slices.Contains(insecure, name)
			insecure = slices.DeleteFunc(insecure, func(s string) bool { return s == name })
			switch where := taken[name]; {
			case where != "":
				warn = append(warn, fmt.Sprintf("%s has an entry in %s, which is left as it is", name, where))
				manual = append(manual, fmt.Sprintf("in %s, below the [[registry]] of %s, put [[registry.mirror]] with location = %s and insecure = %t",
					where, name, quote(reach+"/"+name), plain))
				continue
			case strings.Contains(name, ":"): // no image's name can be REACH/host:port/…
				warn = append(warn, name+" is pulled from itself: what has a port cannot be a part of a mirror's name")
				if !isInsecure {
					continue
				}
			}
			count++
			fmt.Fprintf(&b, "\n[[registry]]\nprefix = %s\nlocation = %s\n", quote(name), quote(name))
			if isInsecure {
				b.WriteString("insecure = true\n")
			}
			if !strings.Contains(name, ":") {
				fmt.Fprintf(&b, "[[registry.mirror]]\nlocation = %s\ninsecure = %t\n", quote(reach+"/"+name), plain)
			}
		}
	}
	for _, name := range insecure {
		if where := taken[name]; where != "" {
			warn = append(warn, fmt.Sprintf("%s has an entry in %s, which is left as it is: put insecure = true there", name, where))
			continue
		}
		count++
		fmt.Fprintf(&b, "\n[[registry]]\nprefix = %s\nlocation = %s\ninsecure = true\n", quote(name), quote(name))
	}
	if count == 0 {
		return File{}, nil, nil, errors.New("every registry has an entry of somebody's already; " + strings.Join(manual, "; "))
	}
	return File{Path: r.own, Mode: 0o644, Edit: whole(b.String())}, warn, manual, nil
}

// wired says where Docker Hub is looked for; where that is not ours to say, of our own file what it says of others.
func (r *registriesConf) wired() Wired {
	var w, own Wired
	for _, name := range r.files {
		read, err := r.m.ReadFile(name)
		f := new(registriesFile)
		if err != nil || unmarshalTOML(name, read.Data, f) != nil {
			continue
		}
		for _, e := range f.Registry {
			var to []string
			for _, mirror := range e.Mirror {
				to = append(to, mirror.Location)
			}
			now := wiredTo(loopback, name, isOurs(read.Data), to...)
			if isOurs(read.Data) && own.Way == None {
				own = now
			}
			if e.name() == "docker.io" { // of the same registry the last entry counts
				w = now
			}
		}
	}
	if w.Way == None {
		return own
	}
	return w
}
