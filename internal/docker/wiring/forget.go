package wiring

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Forget removes what is remembered of engines that are not wired any more, the files as they were included, and the folders
// that were made for that. It refuses while an engine is wired: nobody could take that back then.
func (w *Wirer) Forget(ctx context.Context) error {
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := w.load()
	if err != nil {
		return err
	}
	if len(l.Engines) == 0 {
		return w.clear()
	}
	first := slices.Sorted(maps.Keys(l.Engines))[0]
	next := first
	if context, _, remote := strings.Cut(first, "/"); remote {
		next = "--context " + context
	}
	return fmt.Errorf("%s is wired still: nothing was forgotten; next: pulley disconnect %s", first, next)
}

// clear removes the ledger, what is kept beside it and, at last, the lock, which whoever calls this holds. Of folders those go
// that are empty: Pulley's own, and those that the lock says were made.
func (w *Wirer) clear() error {
	made, err := os.ReadFile(w.lockFile())
	if err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(w.State, "backups")); err != nil {
		return err
	}
	if err := os.RemoveAll(w.ledgerFile()); err != nil {
		return err
	}
	if !removed(w.lockFile()) { // Windows removes no file that is open; it holds nothing but the names of folders
		return nil
	}
	dirs := strings.Split(string(made), "\n")
	for dir := w.State; dir == w.State || slices.Contains(dirs, dir); dir = filepath.Dir(dir) {
		if !removed(dir) {
			break
		}
	}
	return nil
}

func removed(name string) bool { return os.Remove(name) == nil }
