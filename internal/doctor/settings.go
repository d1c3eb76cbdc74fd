package doctor

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"

	"pulley/internal/config"
	"pulley/internal/sudo"
)

// Settings are those that explain most, for a bug report.
type Settings struct {
	File      string    `json:"file"`
	Error     string    `json:"error,omitempty"`
	Listen    string    `json:"listen"`
	Enabled   bool      `json:"enabled"`
	CacheDir  string    `json:"cache_dir"`
	MaxSize   string    `json:"max_size"`
	MaxRate   string    `json:"max_rate,omitempty"`
	DoH       string    `json:"doh,omitempty"`
	Route     string    `json:"route"`
	Hosts     []string  `json:"hosts"`
	Mirrors   []string  `json:"mirrors,omitempty"`
	Addresses []string  `json:"addresses,omitempty"`
	Egresses  []Leaving `json:"egresses,omitempty"`
}

// Leaving is a way out as the settings have it.
type Leaving struct {
	Name   string   `json:"name"`
	URL    string   `json:"url"`
	For    []string `json:"for,omitempty"`
	Except []string `json:"except,omitempty"`
}

// settings looks whether the file is sound.
func (x *exam) settings(_ context.Context, n *notes) {
	file := x.file
	said := &Settings{File: file}
	x.report.Settings = said
	if x.cfg == nil {
		said.Error = x.cfgErr.Error()
		denied := errors.Is(x.cfgErr, fs.ErrPermission)
		if denied && (x.up || x.barred()) {
			n.info("settings.denied", "%s is for root and the service's user to read; all of it is looked at by: %s", file, sudo.Command("doctor"))
			n.stop("this user may not read the settings")
			return
		}
		fix := "pulley config edit"
		if user := x.getenv("USER"); denied && user != "" {
			fix = "sudo chown " + user + ` "` + file + `"`
		}
		n.blame(Finding{
			ID: "settings.broken", Level: Problem, What: "the settings cannot be read: " + x.cfgErr.Error(),
			Why: "No daemon starts with them, and one that runs keeps those it had before.", Fix: fix,
		})
		return
	}
	c := x.cfg
	said.Listen, said.Enabled, said.CacheDir, said.DoH = c.Listen, c.Enabled, x.cacheDir(), c.Fetch.DoH
	said.MaxSize = c.Cache.MaxSize.String()
	if c.Fetch.MaxRate > 0 {
		said.MaxRate, _ = c.Get("fetch.max_rate")
	}
	said.Route, said.Hosts = x.reg.Route, x.reg.Hosts
	for _, m := range x.reg.Mirrors {
		if m.Enabled {
			said.Mirrors = append(said.Mirrors, m.Name+" "+m.URL)
		}
	}
	for _, a := range c.Addresses {
		for _, use := range a.Use {
			said.Addresses = append(said.Addresses, a.Host+" "+use)
		}
	}
	for _, e := range c.Egresses {
		said.Egresses = append(said.Egresses, Leaving{e.Name, shown(e.URL), e.For, e.Except})
	}
	for _, root := range c.Fetch.ExtraRoots {
		if _, err := os.ReadFile(root); err != nil { //nolint:gosec // the person's own setting
			n.add(Finding{
				ID: "settings.roots", Level: Warning, What: "a root certificate of fetch.extra_roots cannot be read: " + err.Error(),
				Why: "What only that certificate proves is refused.", Fix: "pulley config edit",
			})
		}
	}
	for _, notice := range c.Notices() {
		if !mirrorNotice(c, notice) {
			n.add(Finding{ID: "settings.notice", Level: Info, What: notice})
		}
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		n.ok("settings", "no settings file: the defaults are in force")
		return
	}
	n.ok("settings", "%s is sound", file)
}

// mirrorNotice tells what the mirrors' step says itself.
func mirrorNotice(c *config.Config, notice string) bool {
	for _, r := range c.Registries {
		if prefix := r.Name + ": "; len(notice) > len(prefix) && notice[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}

// shown is a URL without user and password.
func shown(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(no url)"
	}
	u.User = nil
	u.RawQuery = ""
	return u.String()
}

func (x *exam) cacheDir() string {
	if x.cfg != nil && x.cfg.Cache.Dir != "" {
		return x.cfg.Cache.Dir
	}
	return x.o.Places.CacheDir
}
