package config

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSetKeepsEverythingElse(t *testing.T) {
	const before = "# mine\nenabled = true   # the switch\n\n[cache]  # disk\n  max_size = '5GiB' # small\n# end of cache\n\n[[registry]]\nname = \"docker.io\"\n[[registry.mirror]]\nname=\"m\"\nurl=\"https://m.example\"\n"
	for _, test := range []struct{ key, value, old, new string }{
		{"enabled", "false", "enabled = true ", "enabled = false "},
		{"cache.max_size", "7GiB", "'5GiB'", `"7GiB"`},
		{"cache.tag_ttl", "5m", "# small\n", "# small\n  tag_ttl = \"5m\"\n"},
		{"registry.docker.io.route", "offline", "name = \"docker.io\"\n", "name = \"docker.io\"\nroute = \"offline\"\n"},
		{"registry.ghcr.io.route", "direct", "m.example\"\n", "m.example\"\n\n[[registry]]\nname = \"ghcr.io\"\nroute = \"direct\"\n"},
		{"tray.language", "zh-CN", "m.example\"\n", "m.example\"\n\n[tray]\nlanguage = \"zh-CN\"\n"},
		{"listen", "127.0.0.1:1", "# the switch\n", "# the switch\nlisten = \"127.0.0.1:1\"\n"},
	} {
		for _, style := range []struct{ name, from, to, mark string }{{name: "plain"}, {name: "CRLF with BOM", from: "\n", to: "\r\n", mark: "\xef\xbb\xbf"}} {
			as := func(s string) string {
				if style.from != "" {
					s = strings.ReplaceAll(s, style.from, style.to)
				}
				return s
			}
			path := write(t, style.mark+as(before))
			s, err := Open(path, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Set(test.key, test.value); err != nil {
				t.Fatalf("%s %s: %v", style.name, test.key, err)
			}
			got, _ := os.ReadFile(path)
			if want := style.mark + as(strings.Replace(before, test.old, test.new, 1)); string(got) != want {
				t.Errorf("%s %s:\n%q\nwant\n%q", style.name, test.key, got, want)
			}
			if value, err := s.Current().Get(test.key); err != nil || value != test.value {
				t.Errorf("%s: in force %q, %v", test.key, value, err)
			}
			if bak, _ := os.ReadFile(path + ".bak"); string(bak) != style.mark+as(before) {
				t.Errorf("%s: .bak is not the previous file: %q", test.key, bak)
			}
		}
	}
}

func TestSetOnMissingFile(t *testing.T) {
	path := t.TempDir() + "/sub/config.toml"
	s, err := Open(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Set("registry.docker.io.route", "offline"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestSetRefuses(t *testing.T) {
	path := write(t, "listen = \"127.0.0.1:1\"\n")
	s, err := Open(path, []string{"PULLEY_LISTEN=127.0.0.1:2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"listen": "127.0.0.1:3", "nonsense": "1", "cache.max_size": "big", "enabled": "perhaps", "registry.docker.io.route": "moon"} {
		if err := s.Set(key, value); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if text, _ := os.ReadFile(path); string(text) != "listen = \"127.0.0.1:1\"\n" {
		t.Errorf("the file changed: %q", text)
	}
}

// What holds a key is named as the person gave it.
func TestSetNamesWhatHoldsAKey(t *testing.T) {
	for entry, name := range map[string]string{"PULLEY_LISTEN=127.0.0.1:2": "PULLEY_LISTEN", Flag("listen", "127.0.0.1:2"): "--listen"} {
		s, err := Open(write(t, ""), []string{entry}, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Set("listen", "127.0.0.1:3")
		if err == nil || !strings.Contains(err.Error(), name) || name == "--listen" && strings.Contains(err.Error(), "PULLEY_LISTEN") {
			t.Errorf("%s: %v", entry, err)
		}
	}
}

func TestChangesByHandAreTakenUpAndBrokenOnesAreNot(t *testing.T) {
	path := write(t, "")
	s, err := Open(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan *Config, 8)
	s.Subscribe(func(c *Config) { changed <- c })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() { stop(); <-done }()

	save := func(text string) *Config {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return <-changed
	}
	if c := save("enabled = false\n"); c.Enabled {
		t.Error("not taken up")
	}
	if c := save("enabled = true\nnonsense = 1\n"); c.Enabled || !strings.Contains(s.Problem(), ":2") {
		t.Errorf("a broken file changed something, or its line is not named: %q", s.Problem())
	}
	if c := save("enabled = true\n"); !c.Enabled || s.Problem() != "" {
		t.Errorf("not mended: %q", s.Problem())
	}
}

// TestHalfWrittenFileIsNotTakenUp: an editor that writes the file where it stands empties it first. What is there for that
// moment is nobody's settings, not even if the daemon begins to look just then, or looks because of an earlier save.
func TestHalfWrittenFileIsNotTakenUp(t *testing.T) {
	const before, after = "listen = \"127.0.0.1:7001\"\n", "listen = \"127.0.0.1:7002\"\n"
	path := write(t, before)
	s, err := Open(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan *Config, 8)
	s.Subscribe(func(c *Config) { changed <- c })
	save := func(text string, meanwhile func()) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		meanwhile()
		<-time.After(settle * 3 / 4)
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	defer func() { stop(); <-done }()
	save(after, func() { go func() { done <- s.Run(ctx) }() })
	if c := <-changed; c.Listen != "127.0.0.1:7002" {
		t.Errorf("at the start: listens at %s", c.Listen)
	}
	if err := os.WriteFile(path, []byte(after+"# saved\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	<-time.After(settle / 2)
	save(before, func() {})
	if c := <-changed; c.Listen != "127.0.0.1:7001" {
		t.Errorf("soon after another save: listens at %s", c.Listen)
	}
}
