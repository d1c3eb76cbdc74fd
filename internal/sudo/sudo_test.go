package sudo

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSudoFindsTheProgram whatever lies in the places where it looks.
func TestSudoFindsTheProgram(t *testing.T) {
	dir := t.TempDir()
	put := func(path string, mode os.FileMode) string {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(path), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own, spaced, tray := put("home/bin/pulley", 0o700), put("my own's/pulley-linux", 0o700), put("home/wiring.test", 0o700)
	put("other/pulley", 0o700)
	put("plain/pulley", 0o600)
	for _, link := range []string{"same", "later"} {
		if err := os.Mkdir(filepath.Join(dir, link), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(own, filepath.Join(dir, link, "pulley")); err != nil {
			t.Fatal(err)
		}
	}
	for what, c := range map[string]struct {
		self   string
		places []string
		want   string
	}{
		"nowhere":                  {own, []string{"none"}, own},
		"a link to it":             {own, []string{"none", "same"}, "pulley"},
		"another one":              {own, []string{"other"}, own},
		"another one before it":    {own, []string{"other", "same"}, own},
		"one that cannot run":      {own, []string{"plain", "same"}, "pulley"},
		"a path that needs quotes": {spaced, nil, `'` + filepath.Join(dir, `my own'\''s/pulley-linux`) + `'`},
		"a test":                   {tray, nil, "pulley"},
	} {
		var places []string
		for _, p := range c.places {
			places = append(places, filepath.Join(dir, p))
		}
		if got := called(c.self, places); got != c.want {
			t.Errorf("%s: %s", what, got)
		}
	}
}
