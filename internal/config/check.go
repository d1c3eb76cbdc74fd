package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// checker looks at what single values cannot tell.
type checker struct {
	file  string
	lines map[string]int
	has   *inventory        // what the file has
	held  map[string]string // what was not taken from the file
	err   error             // the first
}

func (k *checker) fail(path, format string, args ...any) {
	if k.err != nil {
		return
	}
	e := &Error{File: k.file, Line: k.lines[path], Key: path, Text: fmt.Sprintf(format, args...)}
	if by := k.held[path]; by != "" {
		e.File, e.Line = by, 0
	}
	k.err = e
}

func check(c *Config, held map[string]string, file string, body []byte) error {
	k := &checker{held: held, file: file, lines: keyLines(body), has: inventoryOf(body)}
	k.listen(c)
	k.oneOf("fetch.finish", c.Fetch.Finish, Choices("fetch.finish")...)
	k.oneOf("tray.language", c.Tray.Language, Choices("tray.language")...)
	k.oneOf("tray.theme", c.Tray.Theme, Choices("tray.theme")...)
	if c.Fetch.Connections < 1 || c.Fetch.Connections > 64 {
		k.fail("fetch.connections", "%d is not between 1 and 64", c.Fetch.Connections)
	}
	if u, err := url.Parse(strings.TrimSuffix(c.Fetch.DoH, "{?dns}")); c.Fetch.DoH != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		k.fail("fetch.doh", "not an https:// URL of a resolver") // which may have a password in it
	}
	k.registries(c)
	k.shared(c)
	for i, a := range c.Addresses {
		k.address(fmt.Sprintf("address[%d]", i), a)
	}
	for i, e := range c.Egresses {
		k.egress(c, fmt.Sprintf("egress[%d]", i), e)
	}
	if c.Cache.Dir != "" && !filepath.IsAbs(c.Cache.Dir) {
		k.fail("cache.dir", "%.60q is not a path from the root", c.Cache.Dir)
	}
	if c.Log.MaxSize < leastLog {
		k.fail("log.max_size", "%s is too small for a log; at least %s", c.Log.MaxSize, Size(leastLog))
	}
	for name, hash := range c.Access.Users {
		if _, err := bcrypt.Cost([]byte(hash)); err != nil {
			k.fail("access.users", "%.60q: not a bcrypt hash; make one with: htpasswd -nB %.60s", name, name)
		}
	}
	return k.err
}

func (k *checker) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.fail(path, "%.60q is not one of %s", value, strings.Join(allowed, ", "))
	}
}

// listen may leave loopback only with rules about who may come in.
func (k *checker) listen(c *Config) {
	host, port, err := net.SplitHostPort(c.Listen)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		k.fail("listen", `%.60q is not an address such as "127.0.0.1:5055"`, c.Listen)
		return
	}
	for _, cidr := range c.Access.Allow {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			k.fail("access.allow", `%.60q is not a network such as "192.168.1.0/24"`, cidr)
		}
	}
	if (c.Access.Cert == "") != (c.Access.Key == "") {
		k.fail("access", "cert and key belong together; give both or neither")
	}
	for key, path := range map[string]string{"access.cert": c.Access.Cert, "access.key": c.Access.Key} {
		if path != "" && !filepath.IsAbs(path) {
			k.fail(key, "%.60q is not a path from the root", path)
		}
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
		return
	}
	switch {
	case len(c.Access.Users) == 0 && len(c.Access.Allow) == 0:
		k.fail("listen", "%s can be reached from other machines, and nothing says who may; set access.allow or access.users", c.Listen)
	case len(c.Access.Users) > 0 && c.Access.Cert == "":
		k.fail("access.users", "passwords would cross the network unprotected; set access.cert and access.key")
	}
}

// namePattern is what a registry or mirror may be called: it appears in paths of the mirror door and of the cache.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?$`)

func (k *checker) registries(c *Config) {
	owner := make(map[string]string)
	for i := range c.Registries {
		r := &c.Registries[i]
		path := k.registryPath(r.Name)
		if !namePattern.MatchString(r.Name) {
			k.fail(path, `the name %.60q is not one such as "registry.example.com"`, r.Name)
		}
		if len(r.Hosts) == 0 {
			r.Hosts = []string{r.Name}
		}
		for j, host := range r.Hosts {
			r.Hosts[j] = strings.ToLower(host)
			if !validHost(r.Hosts[j]) {
				k.fail(path+".hosts", `%.60q is not a host, "host:port" or "*.domain"`, host)
			}
			if other, taken := owner[r.Hosts[j]]; taken {
				k.fail(path+".hosts", "%s belongs to %s already", host, other)
			}
			owner[r.Hosts[j]] = r.Name
		}
		if !slices.Contains(r.Routes(), r.Route) {
			k.fail(path+".route", "%.60q is not one of %s", r.Route, strings.Join(r.Routes(), ", "))
		}
		for _, m := range r.Mirrors {
			k.mirror(c, k.mirrorPath(r.Name, m.Name), m)
		}
	}
}

// registryPath is where the file speaks of a registry; a built-in one may not be in it.
func (k *checker) registryPath(name string) string {
	if i := k.has.registry(name); i >= 0 {
		return fmt.Sprintf("registry[%d]", i)
	}
	return "registry." + name
}

// mirrorPath is where it speaks of a mirror: the built-in ones count among the registry's, but are not in the file.
func (k *checker) mirrorPath(registry, name string) string {
	i := k.has.registry(registry)
	if j := k.has.mirror(i, name); j >= 0 {
		return fmt.Sprintf("registry[%d].mirror[%d]", i, j)
	}
	return k.registryPath(registry) + ".mirror." + name
}

func validHost(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	} else if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return hostPattern.MatchString(strings.TrimPrefix(name, "*."))
}

var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

func (k *checker) mirror(c *Config, path string, m Mirror) {
	if !namePattern.MatchString(m.Name) || m.Name == RouteAuto || m.Name == RouteDirect || m.Name == RouteOffline {
		k.fail(path, "%.60q cannot be the name of a mirror", m.Name)
	}
	if _, taken := c.Registry(m.Name); taken { // [[egress]] tells them apart by name
		k.fail(path, "%.60q is a registry's name; give the mirror one of its own", m.Name)
	}
	if u, err := url.Parse(idPattern.ReplaceAllString(m.URL, "id")); err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		k.fail(path+".url", "not an http:// or https:// URL without a password")
	}
	k.oneOf(path+".style", m.Style, StyleHost, StylePrefix, StyleNS)
	if m.Auth != "" && m.Auth != "docker" && !strings.HasPrefix(m.Auth, "env:") && !strings.HasPrefix(m.Auth, "file:") {
		k.fail(path+".auth", `not "env:NAME", "docker" or "file:PATH"; a secret does not belong in this file`)
	}
}

// idPattern is a place in a built-in URL that a person fills in.
var idPattern = regexp.MustCompile(`\{[a-z]+\}`)

func (k *checker) address(path string, a Address) {
	if !hostPattern.MatchString(strings.ToLower(a.Host)) {
		k.fail(path+".host", "%.60q is not a host name", a.Host)
	}
	if len(a.Use) == 0 {
		k.fail(path+".use", "no address for %s", a.Host)
	}
	for _, use := range a.Use {
		_, err := netip.ParseAddr(use)
		_, perr := netip.ParseAddrPort(use)
		if err != nil && perr != nil {
			k.fail(path+".use", `%.60q is not "ip" or "ip:port"`, use)
		}
	}
}

// leastLog keeps a request log from being rotated away with each request.
const leastLog = 64 << 10

// ownWays are the ways out that are there without an [[egress]], by their names in proxy/egress.
var ownWays = []string{"direct", "environment", "system"}

func (k *checker) egress(c *Config, path string, e Egress) {
	if slices.Contains(ownWays, e.Name) {
		k.fail(path+".name", "%q is a way out that is always there; take another name", e.Name)
	}
	for _, name := range slices.Concat(e.For, e.Except) {
		if _, known := c.Registry(name); !known && name != "*" && !validHost(name) {
			k.fail(path, "%.60q is no registry", name)
		}
	}
	u, err := url.Parse(e.URL)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "ssh"}, u.Scheme) {
		k.fail(path+".url", "not an http://, https://, socks5:// or ssh:// URL")
	} else if _, has := u.User.Password(); has && u.Scheme == "ssh" {
		k.fail(path+".url", "ssh takes no password from a URL; use a key or the agent")
	}
}

// Notices are settings that are understood and do nothing, each with the reason.
func (c *Config) Notices() (list []string) {
	if c.Cache.SharedPrivate && c.Cache.Shared == "" {
		list = append(list, "cache.shared_private: does nothing without cache.shared")
	}
	for _, r := range c.Registries {
		list = append(list, r.notices()...)
	}
	return list
}

func (r *Registry) notices() (list []string) {
	for _, name := range r.Order {
		if _, known := r.Mirror(name); !known {
			list = append(list, fmt.Sprintf("%s: order: there is no mirror %.80s", r.Name, name))
		}
	}
	for i := range r.Mirrors {
		m := &r.Mirrors[i]
		switch {
		case m.Enabled && m.Incomplete():
			list = append(list, fmt.Sprintf("%s: mirror %s: %s needs %s in its url before it can be used", r.Name, m.Name, m.URL, cmp.Or(m.Needs, "something filled in")))
		case m.Enabled && m.Closed != "":
			list = append(list, fmt.Sprintf("%s: mirror %s: closed to the public since %s; try: pulley mirror off %s", r.Name, m.Name, m.Closed, m.Name))
		case !m.Enabled && r.Route == m.Name:
			list = append(list, fmt.Sprintf("%s: route: mirror %s is switched off; try: pulley mirror on %s", r.Name, m.Name, m.Name))
		}
	}
	return list
}
