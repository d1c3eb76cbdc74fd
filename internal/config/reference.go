package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Setting is what there is to know of one key of config.toml.
type Setting struct {
	Key      string // "cache.max_size"; in tables that may stand several times "registry.mirror.url"
	Table    string // what it stands below: "[cache]", "[[registry.mirror]]"; "" at the top
	Kind     string // what its value is: "size", "true or false", "list of texts"
	Standard string // as a file would say it; "" for a key that has to be given
	About    string // what it does, in Markdown
	Live     bool   // taken up by the daemon that runs
	Variable string // that goes before the file; "" none
}

// Reference are all keys that a settings file may have, in the order of the structs. docs/configuration.md is made of it.
func Reference() (list []Setting) {
	held := make(map[string]bool)
	eachKey(func(key string) { held[key] = true })
	var walk func(v reflect.Value, path, table string)
	walk = func(v reflect.Value, path, table string) {
		settable := tagged(v.Type())
		for i := range v.NumField() {
			name, field := v.Type().Field(i).Tag.Get("toml"), v.Field(i)
			if _, ok := settable[name]; !ok {
				continue
			}
			key := join(path, name)
			switch {
			case field.Kind() == reflect.Struct && kindOf(field) == "":
				walk(field, key, "["+key+"]")
			case isTables(field.Type()):
				walk(freshOf(field.Type().Elem()), key, "[["+key+"]]")
			default:
				s := Setting{Key: key, Table: table, Kind: kindOf(field), Standard: standardOf(field), About: abouts[key], Live: key != "cache.dir"}
				if required[key] {
					s.Standard = ""
				}
				if held[key] {
					s.Variable = variable(key)
				}
				list = append(list, s)
			}
		}
	}
	walk(reflect.ValueOf(Default()).Elem(), "", "")
	return list
}

// freshOf is what an element of a table is before anything is said about it.
func freshOf(t reflect.Type) reflect.Value {
	switch t {
	case reflect.TypeFor[Registry]():
		return reflect.ValueOf(fresh[Registry]())
	case reflect.TypeFor[Mirror]():
		return reflect.ValueOf(fresh[Mirror]())
	}
	return reflect.Zero(t)
}

// kindOf is the kind of value that a field takes, in a person's words; "" for a table.
func kindOf(field reflect.Value) string {
	switch field.Interface().(type) {
	case Size:
		return "size"
	case Rate:
		return "rate"
	case Quota:
		return "quota"
	case time.Duration:
		return "duration"
	case bool:
		return "true or false"
	case int:
		return "whole number"
	case string:
		return "text"
	case []string:
		return "list of texts"
	case map[string]string:
		return "table of texts"
	}
	return ""
}

// standardOf is a field's value as a file would say it.
func standardOf(field reflect.Value) string {
	switch value := field.Interface().(type) {
	case time.Duration:
		return fmt.Sprintf("%q", FormatDuration(value))
	case fmt.Stringer: // Size, Rate
		return fmt.Sprintf("%q", value.String())
	case Quota:
		text, _ := value.MarshalText() // it never fails
		return fmt.Sprintf("%q", text)
	case []string:
		return "[" + strings.Join(value, ", ") + "]"
	case map[string]string:
		return "{}"
	case string:
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprint(field.Interface())
}

// required are the keys without which a table means nothing.
var required = map[string]bool{
	"registry.name": true, "registry.mirror.name": true, "registry.mirror.url": true,
	"address.host": true, "address.use": true, "egress.name": true, "egress.url": true,
}

// abouts say what each key does.
var abouts = map[string]string{
	"listen": "Where the one port is: `host:port`. It leaves loopback only with rules in `[access]`. The new port is opened before the " +
		"old one is closed; connect the engines again afterwards.",
	"enabled": "The big switch, `pulley on` and `pulley off`. While it is `false` proxies tunnel directly, nothing is intercepted, and the " +
		"mirror door answers 404 so that engines go to the registry themselves.",

	"cache.dir":           "The folder of the cache, a path from the root; \"\" is the platform's own place. Waits for the next start, or for `pulley up --take-over`. What is cached is not moved.",
	"cache.max_size":      "What the cache may hold; what was not used for longest goes first. \"0\" is no limit of its own. A part of the disk stays free in any case.",
	"cache.tag_ttl":       "How long what a tag stands for needs no new check; \"0\" checks each time.",
	"cache.offline_stale": "Serve the digest a tag stood for last when no source answers.",
	"cache.shared": "A bucket that several machines have in common: `s3://bucket/prefix?endpoint=https://host:port&region=…&style=path`. Never with " +
		"credentials. See [one cache for an office](team.md).",
	"cache.shared_private": "Blobs of private repositories go to the bucket too, for whoever may read it.",

	"fetch.connections": "Connections for one blob at most, over all sources: 1 to 64.",
	"fetch.range_min":   "Blobs smaller than that come over one connection.",
	"fetch.max_rate":    "The most that downloads take together; \"\" is no limit.",
	"fetch.finish":      "What becomes of a download that no client waits for any more: `always` or `never` finished, or `auto`: up to 256 MiB, or when more than half is there.",
	"fetch.extra_roots": "PEM files with authorities that are trusted upstream besides the system's.",
	"fetch.doh":         "A resolver over HTTPS, such as `https://1.1.1.1/dns-query`; asked when the system's answers are poisoned.",

	"access.users":           "Who may use the port from other machines: name = bcrypt hash, made by `htpasswd -nB NAME`. Needs `cert` and `key`.",
	"access.allow":           "Networks whose clients may, such as `192.168.1.0/24`. With `users` it takes both.",
	"access.cert":            "The port's certificate for clients from elsewhere, a PEM file by its path from the root. A new one is taken up when the file changes.",
	"access.key":             "The key of that certificate.",
	"access.private_offline": "How long somebody whose right to a private repository was proved keeps it while the registry cannot be reached; \"0\" never.",

	"registry.name":     "What the registry is called. A built-in name amends that registry: only keys that are given change.",
	"registry.hosts":    "Hosts by which clients know it, which are intercepted: `host`, `host:port`, or `*.domain`. With none, its name.",
	"registry.route":    "Where its bytes come from: `auto`, `direct`, `offline`, or a mirror's name. See [mirrors](mirrors.md).",
	"registry.insecure": "It speaks HTTP without TLS.",
	"registry.order":    "Names of its mirrors, the most preferred first.",

	"registry.mirror.name":       "What the mirror is called; a built-in name amends that mirror.",
	"registry.mirror.url":        "Where it is: `https://` or `http://`, without a password.",
	"registry.mirror.style":      "How it is told what is wanted. `host`: the registry's own paths; `prefix`: `/v2/REGISTRY/REPOSITORY`; `ns`: `?ns=REGISTRY`, as a Pulley understands.",
	"registry.mirror.enabled":    "Built-in mirrors are off until you switch them on; one that you write down yourself is on.",
	"registry.mirror.quota":      "The most to take from it, as `10GiB/month` or `1GiB/day`: counted, shown, and not exceeded; \"\" is none.",
	"registry.mirror.auth":       "Its own credentials: `env:NAME`, `file:PATH` (one line `user:password`), or `docker` for what `docker login` keeps.",
	"registry.mirror.trust_tags": "Believe it about tags when the registry itself cannot be reached.",
	"registry.mirror.private":    "It may be told names of repositories that are not known to be public: a company's own mirror.",

	"address.host": "A host name, in place of a line in the hosts file.",
	"address.use":  "Where it is dialled instead: `ip` or `ip:port`, tried in turn.",

	"egress.name":   "What the way out is called.",
	"egress.url":    "`http://`, `https://`, `socks5://` or `ssh://user@host`. With no `[[egress]]` the environment's or system's proxy is the way out.",
	"egress.for":    "Registries and mirrors that leave by it; `*` is all, and tunnels too. With none, nobody does until `pulley egress use`.",
	"egress.except": "Registries and hosts that do not.",

	"log.max_size": "What the log of requests may take on disk, at least 64KiB.",

	"tray.language": "Of the desktop app: `auto`, `en` or `zh-CN`.",
	"tray.theme":    "Of the desktop app: `auto`, `light` or `dark`.",
	"tray.notify":   "Whether the desktop app shows notifications.",
}
