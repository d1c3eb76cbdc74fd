package config

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pulley/internal/config/document"
)

// fuzzEdits are all edits; a, b and c are names, keys and values. without takes out of c what the edit was about.
var fuzzEdits = []struct {
	edit    func(text []byte, in *Config, a, b, c string) ([]byte, error)
	without func(c *Config, a, b string)
}{
	{
		func(text []byte, _ *Config, a, b, _ string) ([]byte, error) { return edited(text, a, b) },
		func(c *Config, a, _ string) {
			p, err := placeOf(a)
			if _, known := c.Registry(p.registry); err == nil && (p.registry == "" || known) {
				p.field(c).SetZero()
			}
		},
	},
	{
		func(text []byte, in *Config, a, b, c string) ([]byte, error) {
			return addMirror(text, in, a, Mirror{Name: b, URL: c, Quota: Quota{1 << 30, "day"}})
		}, withoutMirror,
	},
	{
		func(text []byte, in *Config, a, b, c string) ([]byte, error) {
			key, value, _ := strings.Cut(c, "=")
			return setMirror(text, in, a, b, key, value)
		}, withoutMirror,
	},
	{func(text []byte, in *Config, a, b, _ string) ([]byte, error) { return removeMirror(text, in, a, b) }, withoutMirror},
	{
		func(text []byte, in *Config, a, b, c string) ([]byte, error) {
			return addRegistry(text, in, Registry{Name: a, Route: RouteAuto, Hosts: strings.Fields(b), Mirrors: []Mirror{{Name: "m", URL: c}}})
		}, withoutRegistry,
	},
	{func(text []byte, in *Config, a, _, _ string) ([]byte, error) { return removeRegistry(text, in, a) }, withoutRegistry},
	{
		func(text []byte, _ *Config, a, b, c string) ([]byte, error) {
			return addEgress(text, Egress{Name: a, URL: b, For: strings.Fields(c)})
		}, withoutEgress,
	},
	{func(text []byte, _ *Config, a, b, c string) ([]byte, error) { return setEgress(text, a, b, c) }, withoutEgress},
	{func(text []byte, _ *Config, a, _, _ string) ([]byte, error) { return removeEgress(text, a) }, withoutEgress},
	{func(text []byte, _ *Config, a, b, _ string) ([]byte, error) {
		return setAddress(text, a, strings.Fields(b))
	}, withoutAddress},
	{func(text []byte, _ *Config, a, _, _ string) ([]byte, error) { return removeAddress(text, a) }, withoutAddress},
}

func withoutMirror(c *Config, registry, name string) {
	if r, ok := c.Registry(registry); ok {
		r.Mirrors = slices.DeleteFunc(r.Mirrors, func(m Mirror) bool { return m.Name == name })
	}
}

func withoutRegistry(c *Config, name, _ string) {
	c.Registries = slices.DeleteFunc(c.Registries, func(r Registry) bool { return r.Name == name })
}

func withoutEgress(c *Config, name, _ string) {
	c.Egresses = slices.DeleteFunc(c.Egresses, func(e Egress) bool { return e.Name == name })
}

func withoutAddress(c *Config, host, _ string) {
	c.Addresses = slices.DeleteFunc(c.Addresses, func(a Address) bool { return sameHost(a.Host, host) })
}

// Whatever the file, an edit fails, or it leaves a file that loads, has what was asked for, and is otherwise what it was.
func FuzzEdit(f *testing.F) {
	for _, text := range []string{
		"", "enabled=true", "# h\n\n[cache]\nmax_size=\"1\"", "cache.max_size = \"1\" # x\n[tray]", "cache={max_size=\"1\"}",
		"[[registry]]\nname=\"docker.io\"\n[registry.x]\n", "registry=[{name=\"docker.io\",mirror=[{name=\"m\",url=\"https://m\"}]}]",
		"[[registry]]\nname='x'\n[[registry.mirror]]\nname='m'\nurl='https://m'\n[[registry]]\nname=\"docker.io\"\n[[registry.mirror]]\nname='k'\nurl='https://k'\n[[registry.mirror]]\nname='m'\nurl='https://m'\n",
		"[[egress]]\nname='d'\nurl='http://d'\n[[egress]]\nname='e'\nurl='http://e'\n[[address]]\nhost='g'\nuse=['::1']\n[[address]]\nhost='h'\nuse=['::1']\n",
		"[[registry]]\nname=\"docker.io\" # hub\n  [[registry.mirror]] # m\n  name=\"m\"\n  url=\"https://m\"\n# z\n\n[tray]\n[[registry]]\nname='x'\nmirror=[ # none\n]\n",
		"[[egress]]\nname=\"e\"\nurl=\"http://e\"\nfor=[ # g\n'gcr.io', # h\n]\n[[address]]\nhost='h'\nuse=['1.1.1.1']\n[[address]]\nhost='H'\nuse=['::1']",
		"egress=[{name=\"e\",url=\"http://e\"}]\naddress=[{host='h',use=['1.1.1.1']}]", "[access]\nallow=['10.0.0.0/8', # x\n]\n",
	} {
		for op, abc := range [][3]string{
			{"cache.max_size", "3GiB", ""}, {"docker.io", "n", "https://n"}, {"docker.io", "m", "enabled=false"}, {"docker.io", "m", ""},
			{"y.example", "y.example y:1", "https://m"}, {"docker.io", "", ""}, {"f", "http://f", "gcr.io *"}, {"e", "for", "gcr.io,quay.io"}, {"e", "", ""},
			{"h", "1.1.1.1 2.2.2.2:2", ""}, {"h", "", ""},
		} {
			f.Add([]byte(text), byte(op), abc[0], abc[1], abc[2])
		}
		f.Add([]byte(text), byte(0), "registry.docker.io.route", "offline", "")
		f.Add([]byte(text), byte(0), "access.allow", "10.0.0.0/8,::/0", "")
	}
	f.Fuzz(func(t *testing.T, text []byte, op byte, a, b, c string) {
		old, err := load("f", text, nil)
		if err != nil {
			return
		}
		how := fuzzEdits[int(op)%len(fuzzEdits)]
		given := bytes.Clone(text)
		got, err := how.edit(text, old, a, b, c)
		if !bytes.Equal(text, given) {
			t.Fatalf("%q was changed in place", given)
		}
		if errors.Is(err, document.ErrShape) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		now, err := load("f", got, nil)
		if err != nil {
			return // change refuses it and writes nothing
		}
		if int(op)%len(fuzzEdits) == 0 {
			holdsSet(t, got, now, a, b)
		}
		was, is := bare(old, how.without, a, b), bare(now, how.without, a, b)
		if !reflect.DeepEqual(was, is) {
			t.Errorf("%q became %q: %+v, not %+v", text, got, is, was)
		}
	})
}

// bare is c without what an edit was about. A list that is empty is none, a registry that is as good as not there is not.
func bare(c *Config, without func(*Config, string, string), a, b string) *Config {
	without(c, a, b)
	for i := range c.Registries {
		if len(c.Registries[i].Mirrors) == 0 {
			c.Registries[i].Mirrors = nil
		}
	}
	if p, err := placeOf(a); err == nil && p.registry != "" {
		c.Registries = slices.DeleteFunc(c.Registries, func(r Registry) bool {
			return r.Name == p.registry && len(r.Mirrors) == 0 && (r.Route == RouteAuto || r.Route == "") && !r.Insecure
		})
	}
	for _, list := range []reflect.Value{reflect.ValueOf(&c.Registries), reflect.ValueOf(&c.Egresses), reflect.ValueOf(&c.Addresses)} {
		if list.Elem().Len() == 0 {
			list.Elem().SetZero()
		}
	}
	return c
}

// holdsSet checks that a key has its value: the one that the environment makes of the same text.
func holdsSet(t *testing.T, text []byte, now *Config, key, value string) {
	if again, err := edited(text, key, value); err != nil || !bytes.Equal(again, text) {
		t.Errorf("editing twice: %q, then %q, %v", text, again, err)
	}
	if strings.HasPrefix(key, "registry.") {
		return
	}
	want, err := load("f", nil, []string{variable(key) + "=" + value})
	if err != nil {
		return // it is held against other keys of the file
	}
	got, _ := now.Get(key)
	if other, _ := want.Get(key); got != other {
		t.Errorf("%s is %q after setting it to %q: %q", key, got, value, text)
	}
}
