package cache

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// partial is a download that nobody drives at the moment. Its bytes count
// against max_size, as those of a Fill do.
type partial struct {
	size int64     // bytes on disk, as the journal tells
	used time.Time // when it was last driven
}

// partialPath needs place.
func (c *Cache) partialPath(k key) string { return filepath.Join(c.downloads, k.hex()) }
func (c *Cache) journalPath(k key) string { return c.partialPath(k) + ".journal" }

// loadPartials finds the downloads of earlier runs. A file without a journal
// that fits, and a journal without a file, are removed: they must not stand in
// the way of the next download.
func (c *Cache) loadPartials() error {
	dir := c.downloads
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := trimJournal(e.Name())
		k, ok := parseHex(name)
		if !ok {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
			continue
		}
		if name != e.Name() {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				_ = c.disk.remove(filepath.Join(dir, e.Name()))
			}
			continue
		}
		c.mu.Lock()
		_, rests := c.partials[k]
		known := rests || c.fills[k] != nil
		c.mu.Unlock()
		if known { // since before we let go of the directory
			continue
		}
		p, ok := c.readPartial(k)
		fi, err := e.Info()
		if !ok || err != nil || p.have.total == 0 {
			c.removePartial(k)
			continue
		}
		c.mu.Lock()
		c.partials[k] = partial{size: p.have.total, used: fi.ModTime()}
		c.mu.Unlock()
		c.partialSize.Add(p.have.total)
	}
	return nil
}

func trimJournal(name string) string { return strings.TrimSuffix(name, ".journal") }

// dropFinished removes downloads at rest of blobs that are stored meanwhile.
func (c *Cache) dropFinished() {
	c.mu.Lock()
	rest := slices.Collect(maps.Keys(c.partials))
	c.mu.Unlock()
	for _, k := range rest {
		if _, stored := c.store.get(k); stored {
			release := c.settle(k)
			c.forgetPartial(k)
			release()
		}
	}
}

// readPartial reads what there is of k: the journal's word, as far as the file
// is long enough for it.
func (c *Cache) readPartial(k key) (progress, bool) { return c.readPartialIn(c.downloads, k) }

func (c *Cache) readPartialIn(dir string, k key) (progress, bool) {
	file := filepath.Join(dir, k.hex())
	p, ok := readJournal(file+".journal", k, c.boot)
	if !ok {
		return p, false
	}
	fi, err := os.Stat(file)
	if err != nil || !fi.Mode().IsRegular() {
		return p, false
	}
	p.cut(fi.Size())
	return p, true
}

func (c *Cache) removePartial(k key) {
	_ = c.discard(c.journalPath(k))
	_ = c.discard(c.partialPath(k))
}

// openPartial opens the download of k for a fill: where an earlier one stopped,
// or from nothing. The journal begins anew with what it said before, so that it
// does not grow with each restart and has no torn end in the middle.
func (c *Cache) openPartial(k key) (p progress, w file, j *journal, err error) {
	p, resumed := c.readPartial(k)
	if !resumed || p.have.total == 0 {
		c.removePartial(k)
		p = progress{size: -1}
	}
	w, err = c.openNew(c.partialPath(k), os.O_CREATE)
	if err != nil {
		return p, nil, nil, err
	}
	makeSparse(w)
	j, err = c.newJournal(k, p)
	if err != nil {
		_ = w.Close()
		if p.have.total == 0 {
			c.removePartial(k)
		}
		return p, nil, nil, err
	}
	return p, w, j, nil
}

func (c *Cache) newJournal(k key, p progress) (*journal, error) {
	j := &journal{key: k, names: make(map[string]uint16)}
	b := header(k, c.boot)
	if p.size >= 0 {
		b = appendRecord(b, k, kindSize, p.size, 0)
	}
	for _, part := range p.parts {
		b = j.appendPart(b, part)
	}
	if none := ([16]byte{}); p.boot != c.boot && p.boot != none { // what is left of another start had been synced
		b = appendRecord(b, k, kindSync, int64(len(b)), 0)
	}
	tmp := c.tempPath()
	f, err := c.openNew(tmp, os.O_CREATE|os.O_EXCL)
	if err == nil {
		if _, err = f.Write(b); err == nil {
			err = c.renameTemp(tmp, c.journalPath(k))
		}
		if err != nil {
			_ = f.Close()
		}
	}
	if err != nil {
		_ = c.dropTemp(tmp)
		return nil, err
	}
	j.f, j.length = f, int64(len(b))
	return j, nil
}

// keepPartial puts a fill that was given up to rest. What it has is made durable
// and closed in the background: nobody waits for that, and a new fill of the
// same blob may already be at work meanwhile, with a journal file of its own.
func (c *Cache) keepPartial(f *Fill) {
	f.mu.Lock()
	total, grown := f.have.total, f.have.total-f.counted
	f.counted = total
	f.mu.Unlock()
	c.place.RLock()
	defer c.place.RUnlock()
	c.mu.Lock()
	c.partials[f.key] = partial{size: total, used: c.now()}
	c.mu.Unlock()
	c.partialSize.Add(grown)
	c.wg.Go(func() {
		_ = f.journal.sync(f.w)
		f.closeFiles()
	})
}

// dropPartial removes what a fill has.
func (c *Cache) dropPartial(f *Fill) {
	f.closeFiles()
	c.place.RLock()
	defer c.place.RUnlock()
	c.removePartial(f.key)
	c.partialSize.Add(-f.counted)
}
