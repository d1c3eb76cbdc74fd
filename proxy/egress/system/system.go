// Package system reads the proxy that a person has set for their whole system:
// in Windows' Internet options, macOS's network settings, GNOME's settings. It
// reads and changes nothing, and knows nothing of what the proxy is for.
package system

import (
	"bufio"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Settings are what a system says. The zero value is no proxy.
type Settings struct {
	HTTP   string   // URL of the proxy for http://, "" for none
	HTTPS  string   // for https://
	Except []string // hosts, ".domain" (what is below it too), addresses and networks
	Local  bool     // host names without a dot are excepted
	Script string   // URL of a proxy script (PAC), which nobody here runs
}

// Equal reports whether two say the same.
func (s Settings) Equal(o Settings) bool {
	return s.HTTP == o.HTTP && s.HTTPS == o.HTTPS && s.Local == o.Local && s.Script == o.Script && slices.Equal(s.Except, o.Except)
}

// except adds one exception as the systems write them.
func (s *Settings) except(rule string) {
	rule = strings.TrimSpace(rule)
	switch {
	case rule == "" || rule == "<-loopback>":
	case rule == "<local>":
		s.Local = true
	case networkOf(rule) != "":
		s.Except = append(s.Except, networkOf(rule))
	default:
		if i := strings.Index(rule, "://"); i >= 0 {
			rule = rule[i+3:]
		}
		s.Except = append(s.Except, strings.TrimPrefix(rule, "*"))
	}
}

// networkOf turns "10.*" and "169.254/16" into what the rest of the world
// writes; "" if rule is neither.
func networkOf(rule string) string {
	bits := ""
	if base, b, ok := strings.Cut(rule, "/"); ok {
		rule, bits = base, b
	} else if !strings.HasSuffix(rule, ".*") {
		return ""
	}
	parts := strings.Split(rule, ".")
	for len(parts) > 0 && parts[len(parts)-1] == "*" {
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 0 || len(parts) > 4 {
		return ""
	}
	if bits == "" {
		bits = []string{"", "8", "16", "24", "32"}[len(parts)]
	}
	for len(parts) < 4 {
		parts = append(parts, "0")
	}
	p, err := netip.ParsePrefix(strings.Join(parts, ".") + "/" + bits)
	if err != nil {
		return ""
	}
	return p.Masked().String()
}

// proxyURL makes a URL of "host:port" or "host" and a port.
func proxyURL(scheme, host, port string) string {
	if host == "" || port == "0" {
		return ""
	}
	if port != "" {
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	return (&url.URL{Scheme: scheme, Host: host}).String()
}

// Windows reads the values of HKCU\Software\Microsoft\Windows\CurrentVersion\
// Internet Settings: ProxyServer is "host:port", or "http=host:port;https=…;
// socks=…"; ProxyOverride is "host;*.domain;10.*;<local>".
func Windows(enabled bool, server, override, script string) (s Settings) {
	s.Script = script
	if !enabled || server == "" {
		return s
	}
	by := map[string]string{}
	for one := range strings.SplitSeq(server, ";") {
		kind, addr, ok := strings.Cut(strings.TrimSpace(one), "=")
		if !ok {
			kind, addr = "", kind
		}
		if i := strings.Index(addr, "://"); i >= 0 {
			addr = addr[i+3:]
		}
		by[strings.ToLower(kind)] = addr
	}
	pick := func(kind string) string {
		for _, k := range []string{kind, ""} {
			if a := by[k]; a != "" {
				return proxyURL("http", a, "")
			}
		}
		return proxyURL("socks5", by["socks"], "")
	}
	s.HTTP, s.HTTPS = pick("http"), pick("https")
	for rule := range strings.SplitSeq(override, ";") {
		s.except(rule)
	}
	return s
}

// Mac reads the output of `scutil --proxy`.
func Mac(out string) (s Settings) {
	values, list := map[string]string{}, false
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), " : ")
		switch {
		case key == "}":
			list = false
		case !ok:
		case list:
			s.except(value)
		case key == "ExceptionsList":
			list = true
		default:
			values[key] = value
		}
	}
	if values["ProxyAutoConfigEnable"] == "1" {
		s.Script = values["ProxyAutoConfigURLString"]
	}
	s.Local = s.Local || values["ExcludeSimpleHostnames"] == "1"
	pick := func(kind, scheme string) string {
		if values[kind+"Enable"] != "1" {
			return ""
		}
		return proxyURL(scheme, values[kind+"Proxy"], values[kind+"Port"])
	}
	socks := pick("SOCKS", "socks5")
	s.HTTP, s.HTTPS = or(pick("HTTP", "http"), socks), or(pick("HTTPS", "http"), socks)
	return s
}

// Gnome reads the output of `gsettings list-recursively org.gnome.system.proxy`.
func Gnome(out string) (s Settings) {
	values := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		schema, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		key, value, _ := strings.Cut(rest, " ")
		values[strings.TrimPrefix(strings.TrimPrefix(schema, "org.gnome.system.proxy"), ".")+"/"+key] = strings.Trim(strings.TrimPrefix(value, "uint32 "), "'")
	}
	switch values["/mode"] {
	case "auto":
		s.Script = values["/autoconfig-url"]
		return s
	case "manual":
	default:
		return s
	}
	pick := func(kind, scheme string) string { return proxyURL(scheme, values[kind+"/host"], values[kind+"/port"]) }
	socks := pick("socks", "socks5")
	s.HTTP, s.HTTPS = or(pick("http", "http"), socks), or(pick("https", "http"), socks)
	for rule := range strings.SplitSeq(strings.Trim(values["/ignore-hosts"], "[]"), ",") {
		s.except(strings.Trim(strings.TrimSpace(rule), "'"))
	}
	return s
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
