package config

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file is left alone after it changed: editors write in several steps. One that changes all the time
// is looked at all the same after patience times as long.
const (
	settle   = 100 * time.Millisecond
	patience = 10
)

// unsettled reports whether somebody may be writing the file just now: one that was emptied, or is away, a moment ago is not
// yet what a person wants.
func (s *Store) unsettled() bool {
	st, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.read) > 0
	}
	if err != nil {
		return false
	}
	age := time.Since(st.ModTime())
	return age >= 0 && age < settle
}

// Run takes up changes by hand until ctx ends, behind links too. Where a folder cannot be watched it says so in the log.
func (s *Store) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		s.log.Warn("settings: changes by hand are not noticed until the next start", "err", err)
		<-ctx.Done()
		return nil
	}
	defer func() { _ = watcher.Close() }()
	w := &watch{watcher: watcher, log: s.log}
	w.follow(s.path)
	var due <-chan time.Time
	tries := 0
	look := func() { // also at what changed since Open
		if tries++; tries < patience && s.unsettled() {
			due = time.After(settle)
			return
		}
		due, tries = nil, 0
		s.Reload()
	}
	look()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			if due == nil && w.concerns(event.Name) {
				due = time.After(settle)
			}
		case err := <-watcher.Errors: // events were lost
			s.log.Debug("settings: looking at the file again", "err", err)
			due = time.After(settle)
		case <-due:
			w.follow(s.path) // first: what changes from here on is an event
			look()
		}
	}
}

// watch is what is watched for one file: the folders of all that leads to it, as editors replace files.
type watch struct {
	watcher *fsnotify.Watcher
	log     *slog.Logger
	places  []string
	folders []string
	failed  string // what was last said
}

// follow watches what leads to path now, and nothing else.
func (w *watch) follow(path string) {
	w.places, _ = trail(path)
	w.folders = nil
	for _, place := range w.places {
		if folder := watchable(place); !slices.Contains(w.folders, folder) {
			w.folders = append(w.folders, folder)
		}
	}
	for _, old := range w.watcher.WatchList() {
		if !slices.Contains(w.folders, old) {
			_ = w.watcher.Remove(old)
		}
	}
	for _, folder := range w.folders {
		// Again even if it is watched: it may be another folder by now.
		err := w.watcher.Add(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && w.failed != err.Error() {
			w.failed = err.Error()
			w.log.Warn("settings: changes by hand may not be noticed until the next start", "folder", folder, "err", err)
		}
	}
}

// concerns says whether an event may mean another text. Letters' case may differ from what path says where file systems
// do not mind it.
func (w *watch) concerns(name string) bool {
	same := func(path string) bool { return strings.EqualFold(path, filepath.Clean(name)) }
	return slices.ContainsFunc(w.places, same) || slices.ContainsFunc(w.folders, same)
}
