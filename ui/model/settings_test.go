package model_test

import (
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/ui/model"
)

// Every setting of the window is one of config.toml, and its default is a value for it.
func TestSettingsAreThoseOfTheFile(t *testing.T) {
	for _, d := range model.SettingDefs {
		value, err := config.Default().Get(d.Key)
		if err != nil {
			t.Errorf("%s: %v", d.Key, err)
		}
		if !d.Fits(value) {
			t.Errorf("%s: its default %q does not fit", d.Key, value)
		}
	}
	if _, found := model.FindSetting("cache.max_size"); !found {
		t.Error("cache.max_size is not found")
	}
	if _, found := model.FindSetting("no.such"); found {
		t.Error("no.such is found")
	}
}

func TestValuesAreCheckedAsTheyAreTyped(t *testing.T) {
	folder := "/var/cache"
	if runtime.GOOS == "windows" {
		folder = `C:\cache`
	}
	for key, one := range map[string]struct{ good, bad []string }{
		"tray.theme":        {[]string{"dark"}, []string{"pink", ""}},
		"tray.notify":       {[]string{"true", "false"}, []string{"yes"}},
		"listen":            {[]string{"0.0.0.0:80", "localhost:5055", "[::1]:1"}, []string{"5055", "a:b", "a:70000"}},
		"cache.dir":         {[]string{"", folder}, []string{"cache"}},
		"cache.max_size":    {[]string{"20GiB", "500 MB"}, []string{"lots", "-1", "0", ""}},
		"cache.tag_ttl":     {[]string{"0", "7d", "90s"}, []string{"soon", ""}},
		"cache.shared":      {[]string{"", "s3://b/p?endpoint=https://x&region=r"}, []string{"bucket"}},
		"fetch.connections": {[]string{"1", "64"}, []string{"0", "65", "many"}},
		"fetch.max_rate":    {[]string{"", "20MiB/s", "20MiB"}, []string{"fast"}},
		"fetch.doh":         {[]string{"", "https://dns.example/dns-query"}, []string{"http://dns.example", "dns"}},
		"access.allow":      {[]string{"", "192.168.0.0/16"}, nil},
	} {
		d, _ := model.FindSetting(key)
		for _, v := range one.good {
			if !d.Fits(v) {
				t.Errorf("%s: %q is refused", key, v)
			}
		}
		for _, v := range one.bad {
			if d.Fits(v) {
				t.Errorf("%s: %q fits", key, v)
			}
		}
	}
}

func TestLoopback(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:5055": true, "[::1]:1": true, "localhost:1": true, "0.0.0.0:5055": false, ":5055": false, "x": false} {
		if model.Loopback(listen) != want {
			t.Errorf("%s: %v", listen, !want)
		}
	}
}

func TestSizesOfACache(t *testing.T) {
	const gib = 1 << 30
	steps := model.SizeSteps(120 * gib)
	if steps[len(steps)-1] != 100*gib || !slices.IsSorted(steps) {
		t.Errorf("%v", steps)
	}
	if at := model.NearestStep(steps, 22*gib); steps[at] != 20*gib {
		t.Errorf("%v", steps[at])
	}
	if len(model.SizeSteps(1)) < 2 {
		t.Error("a slider needs two ends")
	}
	if model.SizeText(20*gib) != "20GiB" || model.ParseSize("20GiB") != 20*gib || model.ParseSize("?") != -1 {
		t.Error("sizes are not written as in the file")
	}
	if d, ok := model.ParseTime("7d"); !ok || d != 7*24*time.Hour {
		t.Errorf("%v %v", d, ok)
	}
}

func TestSettingIsShownAtOnceAndFallsBack(t *testing.T) {
	var s model.Settings
	if s.Begin("listen", "x") {
		t.Error("changed before it is known")
	}
	s.Heard(s.Ask(), map[string]string{"listen": "a", "cache.dir": ""})
	late := s.Ask()
	if s.Begin("listen", "a") || !s.Begin("listen", "b") || !s.Begin("listen", "c") || s.Value("listen") != "c" {
		t.Errorf("%q", s.Value("listen"))
	}
	if s.Heard(late, map[string]string{"listen": "a"}) {
		t.Error("an answer from before counts")
	}
	s.Done("listen", nil)
	if s.Value("listen") != "c" {
		t.Errorf("the first to arrive wins: %q", s.Value("listen"))
	}
	s.Done("listen", errors.New("listen: no"))
	if s.Value("listen") != "b" || s.Wrong("listen") != "listen: no" {
		t.Errorf("%q %q", s.Value("listen"), s.Wrong("listen"))
	}
	if s.Begin("listen", "b"); s.Wrong("listen") != "" {
		t.Error("the reason stays though it is as it was")
	}
	s.Done("listen", nil)
	if s.Value("listen") != "b" {
		t.Errorf("%q", s.Value("listen"))
	}
}

func TestFinds(t *testing.T) {
	for sought, want := range map[string]bool{"": true, "cache SIZE": true, "listen": false, "max_si": true} {
		if model.Finds(sought, "Size of the cache", "cache.max_size") != want {
			t.Errorf("%q: %v", sought, !want)
		}
	}
}

func TestWaysOutAndAddressesAreChecked(t *testing.T) {
	for _, one := range []struct {
		name, url string
		want      model.EgressFault
	}{
		{"jump", "ssh://root@203.0.113.7", model.EgressFine}, {"p", "socks5://127.0.0.1:1080", model.EgressFine}, {"p", "http://proxy:3128", model.EgressFine},
		{"", "http://proxy", model.EgressNameWrong}, {"My Way", "http://proxy", model.EgressNameWrong}, {"direct", "http://proxy", model.EgressNameWrong},
		{"p", "proxy:3128", model.EgressURLWrong}, {"p", "ftp://proxy", model.EgressURLWrong}, {"p", "", model.EgressURLWrong},
	} {
		if got := model.CheckEgress(one.name, one.url); got != one.want {
			t.Errorf("%s %s: %v", one.name, one.url, got)
		}
	}
	for _, one := range []struct {
		host, use string
		want      model.PinFault
	}{
		{"auth.docker.io", "34.193.147.40, 52.5.246.212:443", model.PinFine}, {"ghcr.io", "2001:db8::1", model.PinFine},
		{"", "1.2.3.4", model.PinHostWrong}, {"1.2.3.4", "1.2.3.4", model.PinHostWrong}, {"https://a", "1.2.3.4", model.PinHostWrong},
		{"a.example", "", model.PinUseWrong}, {"a.example", "1.2.3.4 b.example", model.PinUseWrong},
	} {
		if got := model.CheckPin(one.host, model.Split(one.use)); got != one.want {
			t.Errorf("%s %s: %v", one.host, one.use, got)
		}
	}
}
