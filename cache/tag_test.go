package cache_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

func setTag(t testing.TB, c *cache.Cache, n cache.Name, tag string, d digest.Digest) {
	t.Helper()
	if err := c.SetTag(cache.Tag{Name: n, Tag: tag, Digest: d, MediaType: "m", Size: 7}); err != nil {
		t.Fatal(err)
	}
}

func wantTag(t testing.TB, c *cache.Cache, n cache.Name, tag string, d digest.Digest) {
	t.Helper()
	got, err := c.Tag(n, tag)
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != d || got.Name != n || got.Tag != tag {
		t.Fatalf("%s:%s is %+v, want %s", n, tag, got, d)
	}
}

func TestTags(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	n := cache.Name{Registry: "docker.io", Repository: "library/debian"}
	one, two := digest.FromString("1"), digest.FromString("2")
	var miss *cache.MissError
	if _, err := c.Tag(n, "latest"); !errors.As(err, &miss) || miss.Reason != cache.Absent || !strings.Contains(err.Error(), "docker.io/library/debian:latest") {
		t.Fatal(err)
	}
	setTag(t, c, n, "latest", one)
	setTag(t, c, n, "12", one)
	stored := clk.now()
	clk.step(time.Hour)
	setTag(t, c, n, "latest", one)
	got, err := c.Tag(n, "latest")
	if err != nil || !got.Stored.Equal(stored) || !got.Checked.Equal(clk.now()) || got.MediaType != "m" || got.Size != 7 {
		t.Fatalf("%+v %v", got, err)
	}
	if err := c.Close(); err != nil { // the check time is written by then
		t.Fatal(err)
	}
	c = open(t, cache.Options{Dir: c.Dir(), Now: clk.now})
	got, err = c.Tag(n, "latest")
	if err != nil || !got.Stored.Equal(stored) || !got.Checked.Equal(clk.now()) || got.Digest != one {
		t.Fatalf("%+v %v", got, err)
	}
	setTag(t, c, n, "latest", two)
	wantTag(t, c, n, "latest", two)
	wantTag(t, c, n, "12", one)
	if tags, err := c.Tags(n); err != nil || !slices.Equal(tags, []string{"12", "latest"}) {
		t.Fatal(tags, err)
	}
	if err := errors.Join(c.DeleteTag(n, "latest"), c.DeleteTag(n, "latest"), c.DeleteTag(n, "12")); err != nil {
		t.Fatal(err)
	}
	if tags, err := c.Tags(n); err != nil || len(tags) != 0 {
		t.Fatal(tags, err)
	}
	if entries, _ := os.ReadDir(filepath.Join(c.Dir(), "refs")); len(entries) != 0 {
		t.Fatalf("%v is left", entries)
	}
}

// Tag b of a and repository a/b want the same path.
func TestTagAndRepositoryCollide(t *testing.T) {
	a, ab, abc := cache.Name{Registry: "r.io", Repository: "a"}, cache.Name{Registry: "r.io", Repository: "a/b"}, cache.Name{Registry: "r.io", Repository: "a/b/c"}
	one, two, three, four := digest.FromString("1"), digest.FromString("2"), digest.FromString("3"), digest.FromString("4")
	sets := []func(c *cache.Cache){
		func(c *cache.Cache) { setTag(t, c, a, "b", one) },
		func(c *cache.Cache) { setTag(t, c, ab, "c", two) },
		func(c *cache.Cache) { setTag(t, c, abc, "d", three) },
		func(c *cache.Cache) {
			if err := c.Link(ab, four, ""); err != nil {
				t.Fatal(err)
			}
		},
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 0, 1, 3}, {0, 2, 1, 3}} {
		c := open(t, cache.Options{})
		for range 2 { // a second time changes nothing
			for _, i := range order {
				sets[i](c)
			}
			wantTag(t, c, a, "b", one)
			wantTag(t, c, ab, "c", two)
			wantTag(t, c, abc, "d", three)
			if !c.References(ab, four) || c.References(a, four) {
				t.Fatalf("%v: link lost", order)
			}
			if tags, _ := c.Tags(a); !slices.Equal(tags, []string{"b"}) {
				t.Fatalf("%v: %v", order, tags)
			}
			if tags, _ := c.Tags(ab); !slices.Equal(tags, []string{"c"}) {
				t.Fatalf("%v: %v", order, tags)
			}
		}
		setTag(t, c, a, "b", two)
		wantTag(t, c, a, "b", two)
		if err := c.DeleteTag(a, "b"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Tag(a, "b"); err == nil {
			t.Fatalf("%v: deleted and there", order)
		}
		wantTag(t, c, abc, "d", three)
	}
}

func TestNamesOutsideTheGrammar(t *testing.T) {
	c := open(t, cache.Options{})
	d := digest.FromString("x")
	ok := cache.Name{Registry: "r.io", Repository: "a"}
	for _, n := range []cache.Name{
		{}, {"r.io", ""}, {"", "a"}, {"r.io", ".."}, {"..", "a"}, {"r.io", "a/../b"}, {"r.io", "../../etc"},
		{"r.io", "/a"}, {"r.io", "a/"}, {"r.io", "A"}, {"r.io", "a//b"}, {"r.io/a", "b"}, {"r.io", "a@sha256"},
		{"r.io", "a b"}, {"r.io", "a\x00"}, {"r.io", `a\..\b`}, {"r.io", "@sha256-x"}, {"r_io", "a"},
		{"r.io", strings.Repeat("a", 300)}, {"r.io:80:80", "a"}, {"r.io:", "a"},
	} {
		if err := c.SetTag(cache.Tag{Name: n, Tag: "t", Digest: d}); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("set %q: %v", n, err)
		}
		if err := c.Link(n, d, ""); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("link %q: %v", n, err)
		}
		if _, err := c.Tag(n, "t"); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("tag %q: %v", n, err)
		}
		if _, err := c.Tags(n); !errors.Is(err, cache.ErrUnsupported) || c.References(n, d) {
			t.Errorf("tags %q: %v", n, err)
		}
	}
	for _, tag := range []string{"", ".", "..", "a/b", "../x", "@x", "b@", strings.Repeat("t", 129), "a:b", "a\n"} {
		if err := c.SetTag(cache.Tag{Name: ok, Tag: tag, Digest: d}); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("set %q: %v", tag, err)
		}
		if err := c.DeleteTag(ok, tag); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("delete %q: %v", tag, err)
		}
	}
	if err := c.SetTag(cache.Tag{Name: ok, Tag: "t", Digest: "sha256:x"}); !errors.Is(err, cache.ErrUnsupported) {
		t.Error(err)
	}
	for _, n := range []cache.Name{{"localhost:5000", "a/b"}, {"127.0.0.1:5000", "a"}, {"[::1]:5000", "a"}, {"Registry.IO", "a__b/c-d.e"}, {"local", "my/app"}} {
		setTag(t, c, n, "T_1.x-", d)
		wantTag(t, c, n, "T_1.x-", d)
	}
}

// On a file system that does not tell case apart, two tags have one file: the
// one who does not own it misses.
func TestSomebodyElsesFileIsAMiss(t *testing.T) {
	c := open(t, cache.Options{})
	n := cache.Name{Registry: "r.io", Repository: "a"}
	setTag(t, c, n, "latest", digest.FromString("1"))
	dir := filepath.Join(c.Dir(), "refs", "r.io", "a")
	if err := os.Link(filepath.Join(dir, "latest"), filepath.Join(dir, "LATEST")); err != nil {
		t.Fatal(err)
	}
	var miss *cache.MissError
	if _, err := c.Tag(n, "LATEST"); !errors.As(err, &miss) || miss.Reason != cache.Mismatch {
		t.Fatal(err)
	}
	if err := c.DeleteTag(n, "LATEST"); err != nil {
		t.Fatal(err)
	}
	wantTag(t, c, n, "latest", digest.FromString("1"))
}

func TestDamagedRefFileIsAMiss(t *testing.T) {
	n := cache.Name{Registry: "r.io", Repository: "a"}
	for _, body := range []string{"", "{", "null", `{"reference":"r.io/a:t"}`, `{"reference":"r.io/a:t","digest":"sha256:12"}`, strings.Repeat("x", 100<<10)} {
		c := open(t, cache.Options{})
		setTag(t, c, n, "t", digest.FromString("1"))
		if err := os.WriteFile(filepath.Join(c.Dir(), "refs", "r.io", "a", "t"), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		var miss *cache.MissError
		if _, err := c.Tag(n, "t"); !errors.As(err, &miss) || miss.Reason != cache.Unreadable {
			t.Fatalf("%.20q: %v", body, err)
		}
		if tags, err := c.Tags(n); err != nil || len(tags) != 0 {
			t.Fatal(tags, err)
		}
		setTag(t, c, n, "t", digest.FromString("2"))
		wantTag(t, c, n, "t", digest.FromString("2"))
	}
}
