//go:build unix

package config

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// running is a store that is run until the test ends, and what its subscribers are told.
func running(t *testing.T, path string) (*Store, <-chan *Config) {
	t.Helper()
	s, err := Open(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan *Config, 16)
	s.Subscribe(func(c *Config) { changed <- c })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, changed
}

func save(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	// As editors do it: a new file in place of the old one.
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, at+"~"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(at+"~", at); err != nil {
		t.Fatal(err)
	}
}

func listens(t *testing.T, changed <-chan *Config, want string) {
	t.Helper()
	for c := range changed { // several steps may be seen one by one
		if c.Listen == want {
			return
		}
	}
}

// A file that is a link to one elsewhere, in turn a link: an edit of what it leads to is taken up, and so is one of the
// links that is made to lead to another file.
func TestEditsBehindLinksAreTakenUp(t *testing.T) {
	dir := t.TempDir()
	real, between, path := filepath.Join(dir, "dotfiles", "pulley.toml"), filepath.Join(dir, "current", "pulley.toml"), filepath.Join(dir, "home", "config.toml")
	save(t, real, "listen = \"127.0.0.1:1\"\n")
	link(t, "../dotfiles/pulley.toml", between)
	link(t, between, path)
	_, changed := running(t, path)

	save(t, real, "listen = \"127.0.0.1:2\"\n")
	listens(t, changed, "127.0.0.1:2")

	other := filepath.Join(dir, "other", "pulley.toml")
	save(t, other, "listen = \"127.0.0.1:3\"\n")
	link(t, other, between)
	listens(t, changed, "127.0.0.1:3")
	save(t, other, "listen = \"127.0.0.1:4\"\n")
	listens(t, changed, "127.0.0.1:4")

	link(t, real, path)
	listens(t, changed, "127.0.0.1:2")
	save(t, real, "listen = \"127.0.0.1:5\"\n")
	listens(t, changed, "127.0.0.1:5")
}

// As a volume of settings is mounted in a container: the file's folder is a link that is replaced.
func TestAFolderThatIsALinkIsFollowed(t *testing.T) {
	dir := t.TempDir()
	save(t, filepath.Join(dir, "v1", "config.toml"), "listen = \"127.0.0.1:1\"\n")
	save(t, filepath.Join(dir, "v2", "config.toml"), "listen = \"127.0.0.1:2\"\n")
	link(t, "v1", filepath.Join(dir, "data"))
	link(t, "data/config.toml", filepath.Join(dir, "config.toml"))
	_, changed := running(t, filepath.Join(dir, "config.toml"))
	link(t, "v2", filepath.Join(dir, "data"))
	listens(t, changed, "127.0.0.1:2")
}

// A folder that comes later, or goes and comes again, is noticed too.
func TestAFolderThatComesLaterIsNoticed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "config.toml")
	_, changed := running(t, path)
	save(t, path, "listen = \"127.0.0.1:1\"\n")
	listens(t, changed, "127.0.0.1:1")
	if err := os.RemoveAll(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	listens(t, changed, Default().Listen)
	save(t, path, "listen = \"127.0.0.1:2\"\n")
	listens(t, changed, "127.0.0.1:2")
}

// An edit of ours goes to the file at the end of the links, which stay; so does one where that file is not there yet.
func TestSetWritesThroughLinks(t *testing.T) {
	dir := t.TempDir()
	real, path := filepath.Join(dir, "dotfiles", "pulley.toml"), filepath.Join(dir, "home", "config.toml")
	link(t, "../dotfiles/pulley.toml", path)
	for _, missing := range []bool{true, false} {
		s, err := Open(path, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		value := map[bool]string{true: "127.0.0.1:1", false: "127.0.0.1:2"}[missing]
		if err := s.Set("listen", value); err != nil {
			t.Fatal(err)
		}
		if to, err := os.Readlink(path); err != nil || to != "../dotfiles/pulley.toml" {
			t.Fatalf("the link: %q, %v", to, err)
		}
		if text, err := os.ReadFile(real); err != nil || string(text) != "listen = \""+value+"\"\n" {
			t.Errorf("%q, %v", text, err)
		}
		if c, err := Load(path, nil); err != nil || c.Listen != value {
			t.Errorf("%v, %v", c, err)
		}
	}
	for _, folder := range []string{filepath.Dir(real), filepath.Dir(path)} {
		left, _ := filepath.Glob(filepath.Join(folder, ".config-*"))
		if len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
