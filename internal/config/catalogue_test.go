package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Every mirror that ships is off, is one that can be spoken to, and says what a person needs to know.
func TestCatalogue(t *testing.T) {
	c := Default()
	if err := check(c, nil, "", nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Registries {
		dao, ok := r.Mirror("daocloud")
		if !ok || !strings.HasSuffix(dao.URL, "m.daocloud.io") || dao.PerMinute == 0 || dao.Connections == 0 {
			t.Errorf("%s: %+v", r.Name, dao)
		}
		for _, m := range r.Mirrors {
			if m.Enabled || m.About == "" || m.Private || m.TrustTags || m.Auth != "" || !strings.HasPrefix(m.URL, "https://") {
				t.Errorf("%s %s: %+v", r.Name, m.Name, m)
			}
			if m.Incomplete() && m.Needs == "" {
				t.Errorf("%s %s: what goes into %s", r.Name, m.Name, m.URL)
			}
			if _, err := time.Parse("2006-01", m.Closed); m.Closed != "" && err != nil {
				t.Errorf("%s %s: closed since %q", r.Name, m.Name, m.Closed)
			}
		}
		if repo, tag, ok := strings.Cut(r.Sample, ":"); !ok || repo == "" || tag == "" {
			t.Errorf("%s: sample %q", r.Name, r.Sample)
		}
	}
	hub, _ := c.Registry("docker.io")
	var names []string
	for _, m := range hub.Mirrors {
		names = append(names, m.Name)
	}
	if want := []string{"daocloud", "aliyun", "ustc", "163", "tencent", "nju", "docker-cn", "google", "ecr-public"}; !slices.Equal(names, want) {
		t.Errorf("mirrors of docker.io: %q", names)
	}
	if old, _ := c.Registry("k8s.gcr.io"); old.AnsweredBy != "registry.k8s.io" {
		t.Errorf("k8s.gcr.io is answered by %q", old.AnsweredBy)
	}
	if len(c.Notices()) != 0 {
		t.Errorf("an empty file is reported: %q", c.Notices())
	}
}

// A person amends a built-in mirror by its name; facts are no settings.
func TestMirrorsAreAmended(t *testing.T) {
	load := func(text string) (*Registry, []string) {
		t.Helper()
		c, err := Load(write(t, text), nil)
		if err != nil {
			t.Fatal(err)
		}
		hub, _ := c.Registry("docker.io")
		return hub, c.Notices()
	}
	const hub = "[[registry]]\nname = \"docker.io\"\n"
	r, notices := load(hub + "[[registry.mirror]]\nname = \"daocloud\"\nenabled = true\nprivate = true\nquota = \"1GiB/day\"\n")
	m, _ := r.Mirror("daocloud")
	if !m.Enabled || !m.Private || m.Quota.Bytes != 1<<30 || m.URL != "https://docker.m.daocloud.io" || m.PerMinute == 0 || len(r.Mirrors) != 9 || len(notices) != 0 {
		t.Errorf("%+v, %q", m, notices)
	}
	r, notices = load(hub + "[[registry.mirror]]\nname = \"nju\"\nurl = \"http://mirror.example\"\nenabled = true\n")
	if m, _ := r.Mirror("nju"); m.Closed != "" || len(notices) != 0 {
		t.Errorf("another address, and still closed: %+v, %q", m, notices)
	}
	r, _ = load(hub + "hosts = [\"hub.internal.example\"]\n")
	if len(r.Public) != 0 || r.Sample != "" {
		t.Errorf("what is public elsewhere: %q", r.Public)
	}
	r, _ = load(hub + "hosts = [\"registry-1.docker.io\", \"hub.internal.example\"]\n")
	if len(r.Public) == 0 {
		t.Error("a further name, and nothing is public")
	}
	for key, value := range map[string]string{"about": `"x"`, "closed": `"2020-01"`, "per_minute": "1000", "connections": "64", "only": "[]"} {
		_, err := Load(write(t, hub+"[[registry.mirror]]\nname = \"daocloud\"\n"+key+" = "+value+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), "unknown key") || strings.Contains(strings.SplitN(err.Error(), "known here", 2)[1], key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := Load(write(t, hub+"public = [\"*\"]\n"), nil); err == nil {
		t.Error("a file says what is public")
	}
	if _, err := Load(write(t, hub+"[[registry.mirror]]\nname = \"quay.io\"\nurl = \"https://m.example\"\n"), nil); err == nil || !strings.Contains(err.Error(), "registry's name") {
		t.Errorf("a mirror called like a registry: %v", err)
	}
}

func TestNoticesOfMirrors(t *testing.T) {
	for text, want := range map[string][]string{
		"[[registry.mirror]]\nname = \"ustc\"\nenabled = true":                                              {"docker.io", "ustc", "2022-08", "mirror off ustc"},
		"[[registry.mirror]]\nname = \"aliyun\"\nenabled = true":                                            {"aliyun", "{id}", "Alibaba Cloud account"},
		"[[registry.mirror]]\nname = \"aliyun\"\nurl = \"https://abc.mirror.aliyuncs.com\"\nenabled = true": nil,
		"route = \"google\"":                  {"route", "google", "switched off", "mirror on google"},
		"[[registry.mirror]]\nname = \"nju\"": nil,
		"route = \"own\"\n[[registry.mirror]]\nname = \"own\"\nurl = \"https://m.example\"": nil,
	} {
		c, err := Load(write(t, "[[registry]]\nname = \"docker.io\"\n"+text), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(c.Notices(), "\n")
		if (got == "") != (want == nil) {
			t.Errorf("%q: %q", text, got)
		}
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%q: %q does not say %q", text, got, part)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	for repo, want := range map[string]bool{"library/debian": true, "library/": true, "libraryx/debian": false, "org/app": true, "org/app/x": false, "": false} {
		if got := Matches([]string{"library/*", "org/app"}, repo); got != want {
			t.Errorf("%q: %v", repo, got)
		}
	}
	if !Matches([]string{"*"}, "a/b") || Matches(nil, "a/b") {
		t.Error("all, or none")
	}
}
