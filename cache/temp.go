package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// temps are the files on their way into their place, and out of it. Safe for
// concurrent use.
type temps struct {
	mu    sync.Mutex
	dir   string          // where new ones are made
	made  int64           // how many there were
	live  map[string]bool // their names
	dirty bool            // one may be left: a disk refused, or the directory was away
}

// tempDir is where they are, unless the cache is detached.
func (c *Cache) tempDir() string { return filepath.Join(c.dir, "tmp") }

func (t *temps) moveTo(dir string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dir = dir
}

// tempPath is a name that nobody else uses: not the cache either that this one has
// the directory from, or that has it after this one. Whatever becomes of the file,
// renameTemp or dropTemp is next.
func (c *Cache) tempPath() string {
	t := &c.temps
	t.mu.Lock()
	defer t.mu.Unlock()
	t.made++
	name := c.name + "-" + strconv.FormatInt(t.made, 36)
	if t.live == nil {
		t.live = make(map[string]bool)
	}
	t.live[name] = true
	return filepath.Join(t.dir, name)
}

// renameTemp puts a temporary file in its place.
func (c *Cache) renameTemp(tmp, target string) error {
	err := c.disk.rename(tmp, target)
	if err == nil {
		c.temps.done(tmp, true)
	}
	return err
}

// dropTemp removes a temporary file, now or as soon as that is possible.
func (c *Cache) dropTemp(tmp string) error {
	err := c.disk.remove(tmp)
	c.temps.done(tmp, err == nil)
	if err != nil {
		c.soon()
	}
	return err
}

// done forgets a file that is not there any more, or has no use. Without gone it may
// be there all the same, also if there is none of its name: its folder may have been
// taken away.
func (t *temps) done(path string, gone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.live, filepath.Base(path))
	t.dirty = t.dirty || !gone
}

// tidy removes what is left of our temporary files, if there may be some. What cannot go
// now has its turn again: nothing is lost by a file too many.
func (c *Cache) tidy() {
	t := &c.temps
	t.mu.Lock()
	dir, dirty := t.dir, t.dirty
	t.dirty = false
	t.mu.Unlock()
	if dirty && c.clearTemps(dir, false) != nil {
		t.untidy()
	}
}

func (t *temps) untidy() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dirty = true
}

// clearTemps removes the temporary files in a folder that nobody uses. others: also those
// of other Caches, all of which have ended.
func (c *Cache) clearTemps(dir string, others bool) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if c.isUseless(e.Name(), others) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func (c *Cache) isUseless(name string, others bool) bool {
	c.temps.mu.Lock()
	defer c.temps.mu.Unlock()
	if strings.HasPrefix(name, c.name+"-") {
		return !c.temps.live[name]
	}
	return others
}
