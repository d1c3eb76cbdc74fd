package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMissingAndEmptyFilesAreAWorkingSetup(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none.toml"), write(t, ""), write(t, "\xef\xbb\xbf# only a comment\r\n")} {
		c, err := Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.Listen != "127.0.0.1:5055" || !c.Enabled || c.Cache.MaxSize != 20<<30 || c.Cache.TagTTL != time.Minute || len(c.Registries) != 9 {
			t.Errorf("defaults: %+v", c)
		}
	}
}

// The example in docs/design.md is the contract: every key of it loads.
func TestContractLoads(t *testing.T) {
	doc, err := os.ReadFile("../../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```toml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no example")
	}
	c, err := Load(write(t, example), nil)
	if err != nil {
		t.Fatal(err)
	}
	hub, _ := c.Registry("docker.io")
	mirror, known := hub.Mirror("daocloud")
	if len(c.Registries) != 9 || !known || mirror.Style != StyleHost || !mirror.Enabled || len(c.Addresses) != 1 || len(c.Egresses) != 1 {
		t.Errorf("%+v", c)
	}
	if c.Access.PrivateOffline != 7*24*time.Hour {
		t.Errorf("private_offline %v", c.Access.PrivateOffline)
	}
}

func TestMistakesNameFileLineAndKey(t *testing.T) {
	for text, want := range map[string][]string{
		"a = 1":                      {":1", "a", "unknown key"},
		"\n[cache]\nmaxsize = \"1\"": {":3", "cache.maxsize", "unknown key", "max_size"},
		"[[registry]]\nname=\"x.io\"\n\nhsots=[]":                   {":4", "hsots", "unknown key"},
		"[[registry]]\nname=\"x.io\"\n[[registry.mirror]]\nurI = 1": {":4", "urI", "unknown key"},
		"listen = ": {":1"},
		"enabled = true\nlisten = \"127.0.0.1:1\" x": {":2"},
		"enabled = 1":                                         {":1", "enabled", "true or false"},
		"[cache]\nmax_size = \"lots\"":                        {":2", "cache.max_size", "lots", "20GiB"},
		"[cache]\ntag_ttl = \"-1s\"":                          {":2", "cache.tag_ttl", "60s"},
		"[fetch]\nfinish = \"maybe\"":                         {":2", "fetch.finish", "always"},
		"[fetch]\ndoh = \"http://192.0.2.1/dns-query\"":       {":2", "fetch.doh", "https"},
		"[[egress]]\nname = \"direct\"\nurl = \"ssh://me@h\"": {":2", "egress[0].name", "another name"},
		"[[egress]]\nname = \"j\"\nurl = \"ssh://me:pw@h\"":   {":3", "egress[0].url", "password"},
		"[fetch]\nconnections = 0":                            {":2", "fetch.connections"},
		"listen = \"0.0.0.0:5055\"":                           {":1", "listen", "access.allow"},
		"listen = \":5055\"":                                  {":1", "listen", "access.users"},
		"listen = \"192.0.2.1:1\"\n[access]\nusers = { ann = \"$2y$05$0EHOaYF6bVn1vGMQxJAcNeW8YCUVbfVJyA5xvXpUqTBPLn8jW5UBO\" }": {":3", "access.users", "set access.cert and access.key"},
		"[access]\ncert = \"/a.pem\"":                                                            {":1", "access", "cert and key belong together"},
		"[access]\ncert = \"a.pem\"\nkey = \"/k.pem\"":                                           {":2", "access.cert", "a path from the root"},
		"[access]\nallow = [\"192.0.2.1\"]":                                                      {":2", "access.allow", "192.168.1.0/24"},
		"listen = \"here\"":                                                                      {":1", "listen", "127.0.0.1:5055"},
		"[[registry]]\nname=\"docker.io\"\nroute=\"x\"":                                          {":3", "route", "auto, direct, offline"},
		"[[registry]]\nname=\"me.io\"\nhosts=[\"ghcr.io\"]":                                      {":3", "hosts", "ghcr.io"},
		"[[address]]\nhost=\"a.b\"\nuse=[\"nowhere\"]":                                           {":3", "use", "nowhere"},
		"[[egress]]\nname=\"j\"\nurl=\"ftp://x\"":                                                {":3", "url"},
		"[[registry]]\nhosts=[\"a.b\"]":                                                          {":1", "registry", "name"},
		"[[registry]]\nname=\"a.b\"\n[[registry]]\nname=\"a.b\"":                                 {":3", "name of its own"},
		"[[registry]]\nname=\"docker.io\"\n[[registry.mirror]]\nname=\"m\"\nurl=\"ftp://x\"":     {":5", "registry[0].mirror[0].url", "http://"},
		"[access]\nusers = { bob = \"hunter2\" }":                                                {":2", "bob", "bcrypt"},
		"[cache]\ndir = \"here\"":                                                                {":2", "cache.dir", "here"},
		"[log]\nmax_size = \"0\"":                                                                {":2", "log.max_size"},
		"[[egress]]\nname=\"a\"\nurl=\"http://x:1\"\n[[egress]]\nname=\"a\"\nurl=\"http://x:1\"": {":4", "name of its own"},
		"cache = 3": {":1", "cache", "table"},
	} {
		path := write(t, text)
		_, err := Load(path, nil)
		if err == nil {
			t.Errorf("%q: loaded", text)
			continue
		}
		for _, part := range append(want, path) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: error %q lacks %q", text, err, part)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error is more than one line: %q", text, err)
		}
	}
}

func TestEnvironmentOverrides(t *testing.T) {
	path := write(t, "listen = \"127.0.0.1:1\"\n")
	c, err := Load(path, []string{"PULLEY_LISTEN=127.0.0.1:9", "PULLEY_CACHE_TAG_TTL=0", "PULLEY_FETCH_EXTRA_ROOTS=/a, /b", "PULLEY_ENABLED=off"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:9" || c.Cache.TagTTL != 0 || len(c.Fetch.ExtraRoots) != 2 || c.Enabled {
		t.Errorf("%+v", c)
	}
	if _, err := Load(path, []string{"PULLEY_CACHE_MAX_SIZE=big"}); err == nil || !strings.Contains(err.Error(), "PULLEY_CACHE_MAX_SIZE") {
		t.Errorf("error %v does not name the variable", err)
	}
}

// What a flag of the command line or a variable got wrong is not blamed on the file.
func TestMistakesOutsideTheFileNameTheirPlace(t *testing.T) {
	path := write(t, "listen = \"127.0.0.1:1\"\n")
	for entry, want := range map[string]string{
		"PULLEY_LISTEN=here":          "PULLEY_LISTEN: ",
		"PULLEY_CACHE_MAX_SIZE=big":   "PULLEY_CACHE_MAX_SIZE: ",
		Flag("listen", "here"):        "--listen: ",
		Flag("cache.tag_ttl", "soon"): "--cache-tag-ttl: ",
	} {
		_, err := Load(path, []string{entry})
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", entry, err)
		}
	}
}

func TestAFlagGoesBeforeTheVariable(t *testing.T) {
	c, err := Load(write(t, ""), []string{Flag("listen", "127.0.0.1:2"), "PULLEY_LISTEN=127.0.0.1:3"})
	if err != nil || c.Listen != "127.0.0.1:2" {
		t.Errorf("%v %v", c, err)
	}
}

func TestRegistryByHost(t *testing.T) {
	c, err := Load(write(t, "[[registry]]\nname=\"own\"\nhosts=[\"*.corp.example\",\"reg.corp.example:5000\"]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"registry-1.docker.io:443": "docker.io", "REGISTRY-1.docker.io": "docker.io", "ghcr.io": "ghcr.io",
		"a.corp.example": "own", "reg.corp.example:5000": "own", "corp.example": "", "xdocker.io": "", "registry-1.docker.io:444": "",
	} {
		r, ok := c.RegistryByHost(host)
		if ok != (want != "") || ok && r.Name != want {
			t.Errorf("%s: %v %v, want %q", host, r, ok, want)
		}
		if ok && r.Spells(host) != (host != "a.corp.example") {
			t.Errorf("%s: spelt out: %v", host, r.Spells(host))
		}
	}
}
