package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/docker/go-units"

	"pulley/internal/control"
)

// What is too little for a cache: an image is a few hundred MiB, and a large one several GiB.
const (
	tinyCache = 1 << 30
	lowDisk   = 1 << 30
	fullDisk  = 64 << 20
)

// disk looks whether the cache can hold what is pulled.
func (x *exam) disk(_ context.Context, n *notes) {
	x.stored(n)
	has := func(id string) bool {
		return slices.ContainsFunc(n.out.findings, func(f Finding) bool { return f.ID == id })
	}
	if size := int64(x.cfg.Cache.MaxSize); size > 0 && size < tinyCache && !has("disk.small") {
		n.add(Finding{
			ID: "disk.small", Level: Warning, What: "cache.max_size is " + human(size), Fix: "pulley config set cache.max_size 20GiB",
			Why: "Images larger than that are not kept, and the others push each other out.",
		})
	}
	if s := x.state; s != nil && s.Cache.Dir != "" && s.Cache.Free >= 0 && !has("disk.full") {
		x.free(n, s.Cache)
	}
	if len(n.out.findings) > 0 {
		return
	}
	if s := x.state; s != nil && s.Cache.Dir != "" {
		n.ok("disk", "%s of %s cached in %s", human(s.Cache.Size), limitText(s.Cache.MaxSize), s.Cache.Dir)
		return
	}
	n.ok("disk", "the cache is in %s", x.cacheDir())
}

// makeRoom throws out what was not used for longest.
const makeRoom = "pulley cache gc --free 5GB"

// otherFolder is the command for a cache elsewhere than in a folder that cannot be used.
func (x *exam) otherFolder() string {
	if x.cfg.Cache.Dir != "" {
		return `pulley config set cache.dir ""`
	}
	return ownFolder(x.cacheDir())
}

func limitText(size int64) string {
	if size == 0 {
		return "any amount"
	}
	return human(size)
}

func human(size int64) string { return units.BytesSize(float64(size)) }

// stored says what the daemon, or without one the folder itself, tells of the cache.
func (x *exam) stored(n *notes) {
	if x.state != nil {
		for _, p := range x.state.Problems {
			x.told(n, p)
		}
		return
	}
	dir := x.cacheDir()
	switch st, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		n.add(Finding{ID: "disk.cache", Level: Problem, What: "the cache's folder cannot be read: " + oneLine(err), Why: "Without it nothing is kept.", Fix: x.otherFolder()})
	case !st.IsDir():
		n.add(Finding{ID: "disk.cache", Level: Problem, What: dir + " is to be the cache's folder, and is a file", Why: "Nothing can be kept there. Move it away, or take another folder.", Fix: x.otherFolder()})
	case !writable(dir):
		n.add(Finding{ID: "disk.readonly", Level: Problem, What: dir + " cannot be written to", Why: "What is cached is served; nothing new is kept.", Fix: ownFolder(dir)})
	}
}

// told is a problem with the cache that the daemon tells of.
func (x *exam) told(n *notes, p control.Problem) {
	switch p.Key {
	case control.KeyCacheUnusable:
		n.add(Finding{ID: "disk.cache", Level: Problem, What: "the cache cannot be used: " + p.Text, Why: "Everything passes through and nothing is kept. Mend the folder, then start the daemon anew.", Fix: x.otherFolder()})
	case control.KeyCacheReadOnly:
		n.add(Finding{ID: "disk.readonly", Level: Problem, What: p.Text, Why: "What is cached is served; nothing new is kept. Start the daemon anew afterwards.", Fix: ownFolder(cmp.Or(p.Thing, x.cacheDir()))})
	case control.KeyCacheCrowded:
		n.add(Finding{ID: "disk.full", Level: Warning, What: p.Text, Why: "Something else than the cache fills it.", Fix: "pulley cache stat"})
	case control.KeyCacheUnstored:
		f := Finding{ID: "disk.unstored", Level: Warning, What: p.Text, Why: "What could not be kept was passed through."}
		switch {
		case strings.Contains(p.About, "cache.max_size"):
			f.ID, f.Fix = "disk.small", "pulley config set cache.max_size 20GiB"
		case strings.Contains(p.About, "no space left"):
			f.ID, f.Level, f.Fix, f.Safe, f.Why = "disk.full", Problem, makeRoom, true, "What is cached is served; nothing new is kept."
		}
		n.add(f)
	}
}

// free looks at the room on the disk.
func (x *exam) free(n *notes, c control.Cache) {
	f := Finding{ID: "disk.full", Fix: makeRoom, Safe: true, Why: "The cache keeps nothing new when the disk is full. Images that were not used for longest can go, or something else has to."}
	switch {
	case c.Free < fullDisk:
		f.Level, f.What = Problem, fmt.Sprintf("the disk of %s is full: %s left", c.Dir, human(c.Free))
	case c.Free < lowDisk:
		f.Level, f.What = Warning, fmt.Sprintf("the disk of %s is nearly full: %s left", c.Dir, human(c.Free))
	default:
		return
	}
	if c.Size < fullDisk {
		f.Fix, f.Safe = "pulley cache stat", false
		f.Why = "Something else than the cache fills it."
	}
	n.add(f)
}
