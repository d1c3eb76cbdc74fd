package lang

import (
	"strings"
	"testing"
	"text/template"
)

func TestSystem(t *testing.T) {
	for _, c := range []struct {
		environ  map[string]string
		settings []string
		want     string
	}{
		{nil, nil, "en"},
		{map[string]string{"LANG": "C.UTF-8"}, nil, "en"},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, nil, "zh-CN"},
		{map[string]string{"LANG": "de_DE.UTF-8"}, nil, "en"},
		{map[string]string{"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, nil, "zh-CN"},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, nil, "en"},
		{nil, []string{"zh-Hans-CN", "en-US"}, "zh-CN"},
		{nil, []string{"zh"}, "zh-CN"},
		{nil, []string{"fr-FR", "zh-CN"}, "en"},
		{map[string]string{"LANG": "en_GB.UTF-8"}, []string{"zh-CN"}, "en"},
	} {
		got := system(func(name string) string { return c.environ[name] }, func() []string { return c.settings })
		if got != c.want {
			t.Errorf("%v %v: %s, want %s", c.environ, c.settings, got, c.want)
		}
	}
}

func TestSay(t *testing.T) {
	t.Cleanup(func() { Use("en") })
	for _, l := range Languages {
		Use(l)
		if Tag() != l || Say("app.name") != "Pulley" {
			t.Errorf("%s says %q", Tag(), Say("app.name"))
		}
	}
	if got := Say("nothing.of.the.sort"); got != "nothing.of.the.sort" {
		t.Errorf("%q", got)
	}
}

func TestCountIsWrittenAndCompared(t *testing.T) {
	t.Cleanup(func() { Use("en") })
	one, many := counted(1), counted(12345)
	for _, l := range Languages {
		Use(l)
		var out strings.Builder
		form := template.Must(template.New("").Parse("{{range .}}{{if eq . 1}}one{{else}}{{.}}{{end}} {{end}}"))
		if err := form.Execute(&out, []counted{one, many}); err != nil || out.String() != "one 12,345 " {
			t.Errorf("%s: %q, %v", l, out.String(), err)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Cleanup(func() { Use("en") })
	for _, l := range Languages {
		Use(l)
		for want, got := range map[string]string{
			"12,345": Number(12345, 0), "0": Number(0, 0), "1.3": Number(1.26, 1), "2.0": Number(2.0, 1), "-3": Number(int64(-3), 0),
		} {
			if got != want {
				t.Errorf("%s: %q, want %q", l, got, want)
			}
		}
	}
}
