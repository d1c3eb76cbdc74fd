package config

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file is left alone after it changed: editors write in several steps.
const settle = 100 * time.Millisecond

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
	s.Reload() // what changed since Open
	var due <-chan time.Time
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
			due = nil
			w.follow(s.path) // first: what changes from here on is an event
			s.Reload()
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
