package model

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func contexts() *Contexts {
	c := NewContexts()
	c.Set([]Context{
		{Name: "default", Kind: "local", Host: "unix:///var/run/docker.sock", Wins: true, Why: "nothing else is set"},
		{Name: "build", Kind: "remote", Host: "ssh://me@build"},
		{Name: "Prod", Kind: "remote", Host: "tcp://prod:2376", Mark: &Mark{"production", "red"}},
	})
	return c
}

func TestContextsAreSorted(t *testing.T) {
	c := contexts()
	c.Report([]ContextReport{{Name: "default", Reachable: true, Latency: 2 * time.Millisecond, Running: 1, Disk: -1}, {Name: "build", Reachable: true, Latency: time.Second, Running: 9, Disk: 5}, {Name: "Prod", Error: "no"}}, time.Unix(1, 0))
	for column, want := range map[string]string{
		"name": "build default Prod", "latency": "default build Prod", "running": "Prod default build", "mark": "Prod build default", "host": "build Prod default", "disk": "default Prod build",
	} {
		c.Sort(column, false)
		if got := strings.Join(c.Names(), " "); got != want {
			t.Errorf("%s: %s, want %s", column, got, want)
		}
	}
	c.Sort("name", true)
	if got := strings.Join(c.Names(), " "); got != "Prod default build" {
		t.Error(got)
	}
}

func TestEnginesElsewhereAreNotAskedTooOften(t *testing.T) {
	c, now := contexts(), time.Unix(1000, 0)
	if NewContexts().Due(now) {
		t.Error("none is due")
	}
	if !c.Due(now) {
		t.Error("never asked, and not due")
	}
	c.Report([]ContextReport{{Name: "build"}}, now)
	if c.Due(now.Add(Rest-1)) || !c.Due(now.Add(Rest)) {
		t.Error("not every", Rest)
	}
	c.Set(append(slices.Clone(c.list), Context{Name: "new"}))
	if !c.Due(now) {
		t.Error("a new one is not asked")
	}
	c.Report(nil, now)
	list := slices.Clone(c.list)
	list[0].Host = "ssh://elsewhere"
	c.Set(list)
	if _, known := c.ReportOf("build"); known || !c.Due(now) {
		t.Error("a report outlives its address")
	}
}

func TestUseIsShownAtOnce(t *testing.T) {
	c := contexts()
	c.Use("build")
	if now, _ := c.InForce(); now.Name != "build" || now.Why != "currentContext" {
		t.Errorf("%+v", now)
	}
	list := slices.Clone(c.list)
	for i := range list {
		if list[i].Wins {
			list[i].Why = "DOCKER_HOST"
		}
	}
	c.Set(list)
	c.Use("Prod")
	if now, _ := c.InForce(); now.Name != "build" {
		t.Error("a variable decides, and was overruled")
	}
}

func TestContextForm(t *testing.T) {
	good := ContextForm{Name: "build", Host: "ssh://me@build"}
	for name, c := range map[string]struct {
		change      func(*ContextForm)
		field, text string
	}{
		"good":        {func(*ContextForm) {}, "", ""},
		"no scheme":   {func(f *ContextForm) { f.Host = "me@build" }, "", ""},
		"a path":      {func(f *ContextForm) { f.Host = "/run/user/1000/docker.sock" }, "", ""},
		"no name":     {func(f *ContextForm) { f.Name = "" }, "name", "docker.form.name_needed"},
		"bad name":    {func(f *ContextForm) { f.Name = "a b" }, "name", "docker.form.name_bad"},
		"the default": {func(f *ContextForm) { f.Name = "default" }, "name", "docker.form.name_bad"},
		"taken":       {func(f *ContextForm) { f.Name = "Prod" }, "name", "docker.form.name_taken"},
		"no host":     {func(f *ContextForm) { f.Host = " " }, "host", "docker.form.host_needed"},
		"a word":      {func(f *ContextForm) { f.Host = "build" }, "host", "docker.form.host_bad"},
		"https":       {func(f *ContextForm) { f.Host = "https://build" }, "host", "docker.form.host_scheme"},
		"no machine":  {func(f *ContextForm) { f.Host = "ssh://" }, "host", "docker.form.host_bad"},
		"password":    {func(f *ContextForm) { f.Host = "ssh://me:x@build" }, "host", "docker.form.host_password"},
		"tls by ssh":  {func(f *ContextForm) { f.CA = "/ca" }, "tls", "docker.form.tls_scheme"},
		"half a pair": {func(f *ContextForm) { f.Host, f.Cert = "tcp://build:2376", "/c" }, "tls", "docker.form.tls_pair"},
		"mark":        {func(f *ContextForm) { f.Mark = "!" }, "mark", "docker.form.mark_bad"},
	} {
		f := good
		c.change(&f)
		if field, text := f.Wrong([]string{"default", "Prod"}); field != c.field || text != c.text {
			t.Errorf("%s: %s %s", name, field, text)
		}
	}
	if !(ContextForm{Host: "tcp://build:2375"}).Open() || (ContextForm{Host: "tcp://127.0.0.1:2375"}).Open() || (ContextForm{Host: "tcp://b:1", CA: "x"}).Open() {
		t.Error("open ports are told wrongly")
	}
}

func TestFormArguments(t *testing.T) {
	f := ContextForm{Name: "build", Host: "me@build", Description: "the big one", Mark: "production", Colour: "red"}
	if got, want := f.Create(), []string{"context", "create", "build", "ssh://me@build", "--description", "the big one", "--mark", "production", "--colour", "red"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	was := Context{Name: "build", Host: "ssh://me@build", Description: "the big one", Mark: &Mark{"production", "red"}}
	if got := was.Form().Update(was); got != nil {
		t.Errorf("nothing changed: %q", got)
	}
	f = was.Form()
	f.Description, f.Mark, f.Host = "", "", "tcp://build:2376"
	if got, want := f.Update(was), []string{"context", "update", "build", "--host", "tcp://build:2376", "--description", "", "--mark", ""}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestNamedColour(t *testing.T) {
	for colour, want := range map[string]string{"red": "red", "#ff0000": "red", "#ff9900": "orange", "#ffee00": "yellow", "#00aa33": "green", "#3366ff": "blue", "#9933cc": "purple", "#808080": "grey", "nonsense": "grey"} {
		if got := NamedColour(colour); got != want {
			t.Errorf("%s: %s, want %s", colour, got, want)
		}
	}
}
