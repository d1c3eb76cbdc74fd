package lang

import "testing"

func TestSystem(t *testing.T) {
	for _, c := range []struct {
		environ map[string]string
		want    string
	}{
		{nil, "en"},
		{map[string]string{"LANG": "C.UTF-8"}, "en"},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, "zh-CN"},
		{map[string]string{"LANG": "de_DE.UTF-8"}, "en"},
		{map[string]string{"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, "zh-CN"},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"},
	} {
		if got := system(func(name string) string { return c.environ[name] }); got != c.want {
			t.Errorf("%v: %s, want %s", c.environ, got, c.want)
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
