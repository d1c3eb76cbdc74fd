package config

import (
	"os"
	"strings"
	"testing"
)

// What edits of tables do to a file, to the byte.
func TestTablesInPlace(t *testing.T) {
	own := Mirror{Name: "own", URL: "https://m.example", Enabled: true}
	jump := Egress{Name: "jump", URL: "socks5://127.0.0.1:1080", For: []string{"gcr.io", "quay.io"}}
	const hub = "# mine\n[[registry]] # hub\nname = \"docker.io\"\n  # first\n  [[registry.mirror]]\n  name = \"a\" # alpha\n  url  = \"https://a.example\"\n\n# screen\n[tray]\ntheme = \"dark\"\n"
	for _, test := range []struct {
		name          string
		edit          func(*Store) error
		before, after string
	}{
		{"the first mirror of a registry that is not in the file", func(s *Store) error { return s.AddMirror("docker.io", own) },
			"enabled = true\n", "enabled = true\n\n[[registry]]\nname = \"docker.io\"\n  [[registry.mirror]]\n  name = \"own\"\n  url = \"https://m.example\"\n"},
		{"another mirror, in the way of the first", func(s *Store) error { return s.AddMirror("docker.io", own) },
			hub, strings.Replace(hub, "a.example\"\n", "a.example\"\n  [[registry.mirror]]\n  name = \"own\"\n  url = \"https://m.example\"\n", 1)},
		{"a mirror with everything", func(s *Store) error {
			return s.AddMirror("quay.io", Mirror{Name: "own", URL: "http://m.example", Style: StylePrefix, Quota: Quota{10 << 30, "month"}, Auth: "env:X", TrustTags: true, Private: true})
		}, "[[registry]]\nname = \"quay.io\"\n", "[[registry]]\nname = \"quay.io\"\n  [[registry.mirror]]\n  name = \"own\"\n  url = \"http://m.example\"\n  style = \"prefix\"\n  enabled = false\n  quota = \"10GiB/month\"\n  auth = \"env:X\"\n  trust_tags = true\n  private = true\n"},
		{"a mirror with an empty line before the last", func(s *Store) error { return s.AddMirror("x.example", own) },
			"[[registry]]\nname = 'x.example'\n\n[[registry.mirror]]\nname = 'a'\nurl = 'https://a.example'\n# end of a\n\n[[registry]]\nname = 'y.example'\n",
			"[[registry]]\nname = 'x.example'\n\n[[registry.mirror]]\nname = 'a'\nurl = 'https://a.example'\n# end of a\n\n[[registry.mirror]]\nname = \"own\"\nurl = \"https://m.example\"\n\n[[registry]]\nname = 'y.example'\n"},
		{"a mirror in an inline list", func(s *Store) error { return s.AddMirror("docker.io", own) },
			"[[registry]]\nname = \"docker.io\"\nmirror = [ # ours\n  { name = \"a\", url = \"https://a.example\" }, # alpha\n]\n",
			"[[registry]]\nname = \"docker.io\"\nmirror = [ # ours\n  { name = \"a\", url = \"https://a.example\" }, # alpha\n  { name = \"own\", url = \"https://m.example\" },\n]\n"},
		{"a mirror of an inline registry", func(s *Store) error { return s.AddMirror("docker.io", own) },
			"registry = [{ name = \"docker.io\" }]\n", "registry = [{ name = \"docker.io\", mirror = [{ name = \"own\", url = \"https://m.example\" }] }]\n"},
		{"a built-in mirror is amended", func(s *Store) error { return s.SetMirror("docker.io", "daocloud", "enabled", "true") },
			"", "[[registry]]\nname = \"docker.io\"\n  [[registry.mirror]]\n  name = \"daocloud\"\n  enabled = true\n"},
		{"a key of a mirror", func(s *Store) error { return s.SetMirror("docker.io", "a", "enabled", "off") },
			hub, strings.Replace(hub, "a.example\"\n", "a.example\"\n  enabled = false\n", 1)},
		{"a key that a mirror has", func(s *Store) error { return s.SetMirror("docker.io", "a", "url", "https://b.example") },
			hub, strings.Replace(hub, "a.example", "b.example", 1)},
		{"a mirror goes, its comments stay", func(s *Store) error { return s.RemoveMirror("docker.io", "a") },
			hub, "# mine\n[[registry]] # hub\nname = \"docker.io\"\n  # first\n  # alpha\n\n# screen\n[tray]\ntheme = \"dark\"\n"},
		{"a mirror goes from an inline list", func(s *Store) error { return s.RemoveMirror("docker.io", "a") },
			"registry = [{ name = \"docker.io\", mirror = [{ name = \"a\", url = \"https://a.example\" }, { name = \"b\", url = \"https://b.example\" }] }]\n",
			"registry = [{ name = \"docker.io\", mirror = [{ name = \"b\", url = \"https://b.example\" }] }]\n"},
		{"a registry goes with its mirrors", func(s *Store) error { return s.RemoveRegistry("docker.io") },
			"[cache]\n\n[[registry]]\nname = \"docker.io\"\n\n[[registry.mirror]]\nname = \"a\"\nurl = \"https://a.example\"\n\n[tray]\n", "[cache]\n\n[tray]\n"},
		{"a registry of one's own", func(s *Store) error {
			return s.AddRegistry(Registry{Name: "own.example", Hosts: []string{"own.example:5000"}, Route: RouteAuto, Insecure: true, Mirrors: []Mirror{own}})
		}, "[[registry]]\nname = \"docker.io\"\n[tray]\n", "[[registry]]\nname = \"docker.io\"\n\n[[registry]]\nname = \"own.example\"\nhosts = [\"own.example:5000\"]\ninsecure = true\n  [[registry.mirror]]\n  name = \"own\"\n  url = \"https://m.example\"\n\n[tray]\n"},

		{"the order of mirrors that the file does not speak of", func(s *Store) error { return s.OrderMirrors("docker.io", []string{"google", "daocloud"}) },
			"enabled = true\n", "enabled = true\n\n[[registry]]\nname = \"docker.io\"\norder = [\"google\", \"daocloud\"]\n"},
		{"an order before the mirrors", func(s *Store) error { return s.OrderMirrors("docker.io", []string{"a", "google"}) },
			hub, strings.Replace(hub, "docker.io\"\n", "docker.io\"\norder = [\"a\", \"google\"]\n", 1)},
		{"another order; who is not named comes after", func(s *Store) error { return s.OrderMirrors("docker.io", []string{"daocloud"}) },
			"[[registry]]\nname = 'docker.io'\norder = ['google', 'daocloud'] # mine\n", "[[registry]]\nname = 'docker.io'\norder = ['daocloud', 'google'] # mine\n"},
		{"a mirror goes from the order, too", func(s *Store) error { return s.RemoveMirror("x.example", "a") },
			"[[registry]]\nname = 'x.example'\norder = ['b', 'a']\nmirror = [{ name = 'a', url = 'https://a.example' }, { name = 'b', url = 'https://b.example' }]\n",
			"[[registry]]\nname = 'x.example'\norder = ['b']\nmirror = [{ name = 'b', url = 'https://b.example' }]\n"},

		{"the first egress", func(s *Store) error { return s.AddEgress(jump) },
			"[tray]\ntheme = \"dark\"", "[tray]\ntheme = \"dark\"\n\n[[egress]]\nname = \"jump\"\nurl = \"socks5://127.0.0.1:1080\"\nfor = [\"gcr.io\", \"quay.io\"]\n"},
		{"another egress stands by the first", func(s *Store) error { return s.AddEgress(jump) },
			"[[egress]]\nname = 'a'\nurl = 'http://a.example'\n# for = ['*']\n\n# screen\n[tray]\n",
			"[[egress]]\nname = 'a'\nurl = 'http://a.example'\n# for = ['*']\n\n[[egress]]\nname = \"jump\"\nurl = \"socks5://127.0.0.1:1080\"\nfor = [\"gcr.io\", \"quay.io\"]\n\n# screen\n[tray]\n"},
		{"a list of an egress", func(s *Store) error { return s.SetEgress("a", "for", "gcr.io,quay.io") },
			"[[egress]]\nname = 'a'\nurl = 'http://a.example'\nfor = [\n  'gcr.io', # g\n]\n", "[[egress]]\nname = 'a'\nurl = 'http://a.example'\nfor = [\n  'gcr.io', # g\n  \"quay.io\",\n]\n"},
		{"a key that an egress lacks", func(s *Store) error { return s.SetEgress("a", "except", "gcr.io") },
			"egress = [{ name = 'a', url = 'http://a.example' }]\n", "egress = [{ name = 'a', url = 'http://a.example', except = [\"gcr.io\"] }]\n"},
		{"an egress goes", func(s *Store) error { return s.RemoveEgress("a") },
			"[[egress]]\nname = 'a' # ask ops\nurl = 'http://a.example'\nfor = [\n  'gcr.io', # g\n]\n\n[tray]\n", "# ask ops\n# g\n\n[tray]\n"},
		{"the last thing goes", func(s *Store) error { return s.RemoveEgress("a") },
			"[tray]\n\n[[egress]]\nname = 'a'\nurl = 'http://a.example'\n", "[tray]\n"},

		{"an address", func(s *Store) error { return s.SetAddress("auth.docker.io", []string{"192.0.2.1", "192.0.2.2:444"}) },
			"", "[[address]]\nhost = \"auth.docker.io\"\nuse = [\"192.0.2.1\", \"192.0.2.2:444\"]\n"},
		{"another address of a host", func(s *Store) error { return s.SetAddress("AUTH.docker.io", []string{"192.0.2.3"}) },
			"[[address]]\nhost = \"auth.docker.io\" # tokens\nuse  = [ \"192.0.2.1\" ] # old\n", "[[address]]\nhost = \"auth.docker.io\" # tokens\nuse  = [ \"192.0.2.3\" ] # old\n"},
		{"an address of two tables", func(s *Store) error { return s.SetAddress("a.example", []string{"192.0.2.3"}) },
			"[[address]]\nhost = 'a.example'\nuse = ['192.0.2.1']\n\n[[address]]\nhost = 'b.example'\nuse = ['192.0.2.1']\n\n[[address]]\nhost = 'a.example'\nuse = ['192.0.2.2']\n",
			"[[address]]\nhost = 'a.example'\nuse = [\"192.0.2.3\"]\n\n[[address]]\nhost = 'b.example'\nuse = ['192.0.2.1']\n"},
		{"an address goes", func(s *Store) error { return s.RemoveAddress("a.example") },
			"address = [ # pins\n  { host = 'a.example', use = ['192.0.2.1'] }, # a\n  { host = 'b.example', use = ['192.0.2.1'] },\n]\n",
			"address = [ # pins\n  # a\n  { host = 'b.example', use = ['192.0.2.1'] },\n]\n"},
	} {
		for name, as := range map[string]func(string) string{
			"LF":            func(s string) string { return s },
			"CRLF with BOM": func(s string) string { return "\xef\xbb\xbf" + strings.ReplaceAll(s, "\n", "\r\n") },
		} {
			if name != "LF" && !strings.Contains(test.before, "\n") {
				continue
			}
			got, err := changed(t, as(test.before), test.edit)
			if err != nil || got != as(test.after) {
				t.Errorf("%s, %s:\n%s\nwant\n%s\n%v", test.name, name, got, as(test.after), err)
			}
		}
	}
}

func TestABuiltInMirrorIsAmended(t *testing.T) {
	path := write(t, "")
	s, err := Open(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	hub, _ := Default().Registry("docker.io")
	shipped, _ := hub.Mirror("daocloud")
	if err := s.SetMirror("docker.io", "daocloud", "enabled", "true"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMirror("docker.io", "daocloud", "quota", "1GiB/day"); err != nil {
		t.Fatal(err)
	}
	now, _ := s.Current().Registry("docker.io")
	m, ok := now.Mirror("daocloud")
	if !ok || !m.Enabled || m.Quota != (Quota{1 << 30, "day"}) || m.URL != shipped.URL || m.About != shipped.About || len(now.Mirrors) != len(hub.Mirrors) {
		t.Errorf("%+v", now.Mirrors)
	}
	if bak, _ := os.ReadFile(path + ".bak"); string(bak) != "[[registry]]\nname = \"docker.io\"\n  [[registry.mirror]]\n  name = \"daocloud\"\n  enabled = true\n" {
		t.Errorf("the file before: %q", bak)
	}
	if err := s.RemoveMirror("docker.io", "daocloud"); err != nil {
		t.Fatal(err)
	}
	if now, _ := s.Current().Registry("docker.io"); len(now.Mirrors) != len(hub.Mirrors) || now.Mirrors[0].Enabled {
		t.Errorf("not as it was shipped: %+v", now.Mirrors)
	}
}

// What is added and removed again leaves the file as it was.
func TestAddedAndRemoved(t *testing.T) {
	for _, before := range []string{"enabled = true\n", "# mine\n\n[tray]\ntheme = \"dark\"\n# end\n", "[[egress]]\nname = \"a\"\nurl = \"http://a.example\"\n\n# screen\n[tray]\n", "egress = []\naddress = [] # none\n"} {
		got, err := changed(t, before, func(s *Store) error {
			for _, edit := range []func() error{
				func() error { return s.AddEgress(Egress{Name: "x", URL: "http://x.example"}) },
				func() error { return s.SetAddress("x.example", []string{"192.0.2.1"}) },
				func() error { return s.AddRegistry(Registry{Name: "x.example", Route: RouteAuto}) },
				func() error {
					return s.AddMirror("x.example", Mirror{Name: "m", URL: "https://m.example", Enabled: true})
				},
				func() error { return s.RemoveEgress("x") },
				func() error { return s.RemoveAddress("x.example") },
				func() error { return s.RemoveRegistry("x.example") },
			} {
				if err := edit(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || got != before {
			t.Errorf("%q became %q, %v", before, got, err)
		}
	}
}

func TestTablesRefuse(t *testing.T) {
	const before = "[[registry]]\nname = \"docker.io\"\nroute = \"a\"\n[[registry.mirror]]\nname = \"a\"\nurl = \"https://a.example\"\n\n[[egress]]\nname = \"e\"\nurl = \"http://e.example\"\n"
	for name, test := range map[string]struct {
		edit func(*Store) error
		says string
	}{
		"a mirror of nothing":             {func(s *Store) error { return s.AddMirror("x.example", Mirror{Name: "m"}) }, "x.example: no such registry"},
		"a mirror that is there":          {func(s *Store) error { return s.AddMirror("docker.io", Mirror{Name: "a"}) }, "docker.io: there is a mirror a already"},
		"a mirror that is built in":       {func(s *Store) error { return s.AddMirror("docker.io", Mirror{Name: "daocloud"}) }, "docker.io: there is a mirror daocloud already"},
		"a mirror without a URL":          {func(s *Store) error { return s.AddMirror("docker.io", Mirror{Name: "m"}) }, "docker.io: mirror m: url: not an http://"},
		"a mirror without a name":         {func(s *Store) error { return s.AddMirror("docker.io", Mirror{URL: "https://x"}) }, "name"},
		"no mirror":                       {func(s *Store) error { return s.SetMirror("docker.io", "b", "enabled", "true") }, "docker.io: no mirror b"},
		"no key":                          {func(s *Store) error { return s.SetMirror("docker.io", "a", "uri", "x") }, "uri: unknown key; known: auth, enabled,"},
		"a fact":                          {func(s *Store) error { return s.SetMirror("docker.io", "a", "about", "x") }, "about: unknown key"},
		"its name":                        {func(s *Store) error { return s.SetMirror("docker.io", "a", "name", "x") }, "name: unknown key"},
		"a value that does not fit":       {func(s *Store) error { return s.SetMirror("docker.io", "a", "quota", "lots") }, "docker.io: mirror a: quota: \"lots\" is not a quota"},
		"a mirror that is the route":      {func(s *Store) error { return s.RemoveMirror("docker.io", "a") }, "docker.io: its route is a; first: pulley route docker.io auto"},
		"a mirror that is shipped":        {func(s *Store) error { return s.RemoveMirror("docker.io", "daocloud") }, "built in"},
		"an order of what is not there":   {func(s *Store) error { return s.OrderMirrors("docker.io", []string{"a", "b"}) }, "docker.io: no mirror b"},
		"an order of one twice":           {func(s *Store) error { return s.OrderMirrors("docker.io", []string{"a", "a"}) }, "a is named twice"},
		"an order of no registry":         {func(s *Store) error { return s.OrderMirrors("x.example", []string{"a"}) }, "no such registry"},
		"a registry that is there":        {func(s *Store) error { return s.AddRegistry(Registry{Name: "ghcr.io"}) }, "ghcr.io: known already"},
		"a registry that is shipped":      {func(s *Store) error { return s.RemoveRegistry("ghcr.io") }, "ghcr.io: built in"},
		"no registry":                     {func(s *Store) error { return s.RemoveRegistry("x.example") }, "no such registry"},
		"an egress that is there":         {func(s *Store) error { return s.AddEgress(Egress{Name: "e", URL: "http://x"}) }, "e: there is such an egress already"},
		"an egress of an unknown kind":    {func(s *Store) error { return s.AddEgress(Egress{Name: "f", URL: "ftp://x"}) }, "egress f: url: not an http://"},
		"no egress":                       {func(s *Store) error { return s.RemoveEgress("f") }, "f: no such egress"},
		"no egress to change":             {func(s *Store) error { return s.SetEgress("f", "url", "http://x") }, "f: no such egress"},
		"no key of an egress":             {func(s *Store) error { return s.SetEgress("e", "uri", "http://x") }, "known: except, for, url"},
		"an address that is none":         {func(s *Store) error { return s.SetAddress("a.example", []string{"here"}) }, "address of a.example: use: \"here\" is not"},
		"no address":                      {func(s *Store) error { return s.SetAddress("a.example", nil) }, "address of a.example: use: no address"},
		"no host":                         {func(s *Store) error { return s.RemoveAddress("a.example") }, "a.example: no address is set"},
		"a host that is none":             {func(s *Store) error { return s.SetAddress("a b", []string{"192.0.2.1"}) }, "address of a b: host:"},
		"two lines in one":                {func(s *Store) error { return s.AddEgress(Egress{Name: "f", URL: "http://x\n[tray]"}) }, "egress f: url:"},
		"what no file of settings may be": {func(s *Store) error { return s.AddEgress(Egress{Name: "f", URL: "http://\xff"}) }, "UTF-8"},
	} {
		got, err := changed(t, before, test.edit)
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if got != before {
			t.Errorf("%s: the file became %q", name, got)
		}
	}
}
