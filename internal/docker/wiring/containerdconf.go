package wiring

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// containerdConfig is what counts of containerd's config.toml and the files that it imports, for pulls through the
// Kubernetes interface: https://github.com/containerd/containerd/blob/main/docs/cri/registry.md
type containerdConfig struct {
	file     string // the main file
	there    bool
	ours     bool     // the main file is ours as a whole
	owner    string   // the file with the interface's table that counts; the main one if there is none
	plugin   string   // how the table is called there
	disabled bool     // the interface is switched off
	roots    []string // of config_path; none: it is not set
	old      string   // a file with registry.mirrors or TLS settings, which containerd takes only without config_path
	oldKey   string
}

type containerdFile struct {
	Version  int      `toml:"version"`
	Imports  []string `toml:"imports"`
	Disabled []string `toml:"disabled_plugins"`
	Plugins  map[string]struct {
		Registry struct {
			ConfigPath string         `toml:"config_path"`
			Mirrors    map[string]any `toml:"mirrors"`
			Configs    map[string]struct {
				TLS any `toml:"tls"`
			} `toml:"configs"`
		} `toml:"registry"`
	} `toml:"plugins"`
}

// criNames are the interface's names by the version of the file; later ones than 3 changed nothing here.
func criName(version int) string {
	switch version {
	case 0, 1:
		return "cri"
	case 2:
		return "io.containerd.grpc.v1.cri"
	default:
		return "io.containerd.cri.v1.images"
	}
}

// readContainerdConfig reads what containerd would. version is containerd's own.
func readContainerdConfig(m machine.Machine, file, version string) (*containerdConfig, error) {
	c := &containerdConfig{file: file, owner: file}
	newest := 2
	if major(version) >= 2 {
		newest = 3
	}
	c.plugin = criName(newest)
	imports := []string{"conf.d/*.toml"}
	main, err := c.read(m, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		c.there = true
		if read, err := m.ReadFile(file); err == nil {
			c.ours = isOurs(read.Data)
		}
		if c.owner == file {
			c.plugin = criName(main.Version)
		}
		if main.Imports != nil || newest == 2 {
			imports = main.Imports
		}
	}
	for _, pattern := range imports {
		if !path.IsAbs(pattern) {
			pattern = path.Join(path.Dir(file), pattern)
		}
		for _, name := range glob(m, pattern) {
			if _, err := c.read(m, name); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// read takes one file in; a later one replaces the interface's table of an earlier one, or adds to it.
func (c *containerdConfig) read(m machine.Machine, name string) (*containerdFile, error) {
	read, err := m.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f := new(containerdFile)
	if err := unmarshalTOML(name, read.Data, f); err != nil {
		return nil, err
	}
	c.disabled = c.disabled || slices.ContainsFunc(f.Disabled, func(p string) bool {
		return p == "cri" || p == "io.containerd.grpc.v1.cri" || p == "io.containerd.cri.v1.images"
	})
	plugin := criName(f.Version)
	table, ok := f.Plugins[plugin]
	if !ok {
		return f, nil
	}
	c.owner, c.plugin = name, plugin
	if at := table.Registry.ConfigPath; at != "" {
		c.roots = strings.Split(at, ":")
	}
	if len(table.Registry.Mirrors) > 0 {
		c.old, c.oldKey = name, "registry.mirrors"
	}
	for _, host := range table.Registry.Configs {
		if host.TLS != nil {
			c.old, c.oldKey = name, "registry.configs with tls"
		}
	}
	return f, nil
}

// where are the folders that containerd looks in once plan's change is made.
func (c *containerdConfig) where(dirs []string) []string {
	if len(c.roots) > 0 && !c.disabled {
		return c.roots
	}
	return dirs
}

// plan is what has containerd look into dirs; nothing if it does. What it has of us from before is planned again: else it
// would be taken out.
func (c *containerdConfig) plan(version string, dirs []string) ([]File, error) {
	at := strings.Join(dirs, ":")
	switch {
	case c.disabled, len(c.roots) > 0 && strings.Join(c.roots, ":") != at:
		return nil, nil
	case c.old != "":
		return nil, fmt.Errorf("%s has %s, which containerd does not take together with hosts.toml files; "+
			"move that there (https://github.com/containerd/containerd/blob/main/docs/hosts.md) and connect again", c.old, c.oldKey)
	case len(c.roots) == 0 && atLeast(version, 2, 3): // looks there by itself
		return nil, nil
	}
	if !c.there && c.owner == c.file || c.ours {
		format := 2
		if major(version) >= 2 {
			format = 3
		}
		return []File{{Path: c.file, Mode: 0o644, Edit: whole(fmt.Sprintf("%sversion = %d\n\n[plugins.%s.registry]\n  config_path = %s\n",
			ownLine, format, quote(criName(format)), quote(at)))}}, nil
	}
	return []File{{Path: c.owner, Mode: 0o644, Edit: &edit.Edit{Format: edit.TOML, Steps: []edit.Step{{
		Path: []string{"plugins", c.plugin, "registry", "config_path"}, Value: value(at),
	}}}}}, nil
}

// glob lists the files that a pattern with a star in its last part stands for.
func glob(m machine.Machine, pattern string) []string {
	dir, last := path.Split(pattern)
	if !strings.ContainsAny(last, "*?[") {
		return []string{pattern}
	}
	names, err := m.List(strings.TrimSuffix(dir, "/"))
	if err != nil {
		return nil // there is no such folder
	}
	var found []string
	for _, name := range names {
		if ok, _ := path.Match(last, name); ok {
			found = append(found, dir+name)
		}
	}
	return found
}

// major is the first number of a version; 0 if there is none.
func major(version string) int {
	n, _ := numbers(version)
	return n
}

// atLeast compares versions as "1.6.20~ds1" and "v2.4.2".
func atLeast(version string, wantMajor, wantMinor int) bool {
	a, b := numbers(version)
	return a > wantMajor || a == wantMajor && b >= wantMinor
}

func numbers(version string) (major, minor int) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	second := rest
	if end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		second = rest[:end]
	}
	major, _ = strconv.Atoi(first)
	minor, _ = strconv.Atoi(second)
	return major, minor
}
