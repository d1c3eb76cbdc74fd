package wiring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// ledger says what was done to which engine, so that it can be undone: wiring.json in the state folder, beside backups/.
// It is written before anything is done, so that whatever ends in the middle can be put right.
type ledger struct {
	Version int `json:"version"`
	// Trust says that the local authorities are in the machine's store because an engine needed them there.
	Trust   bool               `json:"trust,omitempty"`
	Engines map[string]*record `json:"engines"`
	Backups []Backup           `json:"backups,omitempty"`
}

const ledgerVersion = 1

// record is one engine that is wired, or half so.
type record struct {
	Engine Engine    `json:"engine"`
	Way    Way       `json:"way"`
	Phase  phase     `json:"phase"`
	Since  time.Time `json:"since"`
	Trust  bool      `json:"trust,omitempty"` // it needs the authorities in the machine's store
	Files  []kept    `json:"files"`
}

type phase string

// Phases. What stays in the first or the last was ended in the middle.
const (
	connecting    phase = "connecting"
	connected     phase = "connected"
	disconnecting phase = "disconnecting"
)

// kept is what there was of one file, and what was done to it.
type kept struct {
	File

	Real     string   `json:"real,omitempty"`     // where the path led to, if that was a symbolic link
	Absent   bool     `json:"absent,omitempty"`   // there was no file
	Original string   `json:"original,omitempty"` // SHA-256 of what there was: its name in backups/
	Wrote    string   `json:"wrote"`              // SHA-256 of what we wrote
	Made     []string `json:"made,omitempty"`     // folders, outermost first
}

// Backup is a file as it was before connect changed it.
type Backup struct {
	Engine string    `json:"engine"`
	Path   string    `json:"path"`
	Time   time.Time `json:"time"`
	Absent bool      `json:"absent,omitempty"` // there was none
	SHA256 string    `json:"sha256,omitempty"`
	File   string    `json:"file,omitempty"` // where the copy is
	InUse  bool      `json:"in_use"`         // disconnect will put it back
}

// downed says that the engine ran when something was begun that was ended in the middle: if it does not run now, that is why.
func (r *record) downed() bool { return r != nil && r.Phase != connected && r.Engine.Running }

// untrusts says that with one engine goes the last that needs the authorities which connect put into the machine's store.
func (l *ledger) untrusts(with string) bool {
	for key, r := range l.Engines {
		if key != with && r.Trust {
			return false
		}
	}
	return l.Trust
}

// wrote says that connect has put an address into the engine's files. r may be nil.
func (r *record) wrote(address string) bool {
	return r != nil && slices.ContainsFunc(r.Files, func(k kept) bool {
		return slices.ContainsFunc(k.Edit.Steps, func(s edit.Step) bool {
			added := slices.ContainsFunc(s.Add, func(raw json.RawMessage) bool { return string(raw) == quote(address) })
			return added || strings.Contains(string(s.Value), quote(address)) || s.Text != "" && strings.Contains(s.Text, address)
		})
	})
}

// without are the paths of the files that a plan does not want any more. r may be nil.
func (r *record) without(files []File) (gone []string) {
	if r == nil {
		return nil
	}
	for _, k := range r.Files {
		if !slices.ContainsFunc(files, k.same) {
			gone = append(gone, k.Path)
		}
	}
	return gone
}

// maxBackups is how many are kept that nobody needs any more.
const maxBackups = 50

func (w *Wirer) ledgerFile() string           { return filepath.Join(w.State, "wiring.json") }
func (w *Wirer) backupFile(sum string) string { return filepath.Join(w.State, "backups", sum) }

// load reads the ledger; there is an empty one where there is none.
func (w *Wirer) load() (*ledger, error) {
	l := &ledger{Version: ledgerVersion, Engines: make(map[string]*record)}
	data, err := os.ReadFile(w.ledgerFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l, nil
	case err != nil:
		return nil, fmt.Errorf("what was wired is not known: %w", err)
	}
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("what was wired is not known: %s: %w; the files as they were are in %s", w.ledgerFile(), err, filepath.Join(w.State, "backups"))
	}
	if l.Version > ledgerVersion {
		return nil, fmt.Errorf("%s was written by a newer pulley; update this one", w.ledgerFile())
	}
	if l.Engines == nil {
		l.Engines = make(map[string]*record)
	}
	return l, nil
}

// save writes the ledger.
func (w *Wirer) save(l *ledger) error {
	l.prune(w)
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	_, err = private(w.ledgerFile(), append(data, '\n'))
	return err
}

// private writes a file of this machine's that is its owner's alone, as are the folders that are made for it: the person's
// whose folder that is in, even if root writes it. It returns the folders, outermost first.
func private(name string, data []byte) (made []string, err error) {
	made, err = (&machine.Local{}).WriteFile(name, data, 0o600)
	for _, dir := range made {
		err = errors.Join(err, os.Chmod(dir, 0o700)) //nolint:gosec // a folder
	}
	return made, err
}

// keep puts a copy of a file among the backups.
func (w *Wirer) keep(l *ledger, engine, path string, data []byte, had bool) error {
	b := Backup{Engine: engine, Path: path, Time: w.now(), Absent: !had}
	if had {
		b.SHA256 = sum(data)
		if _, err := os.Stat(w.backupFile(b.SHA256)); err != nil {
			if _, err := private(w.backupFile(b.SHA256), data); err != nil {
				return err
			}
		}
	}
	if !slices.ContainsFunc(l.Backups, func(o Backup) bool {
		return o.Engine == engine && o.Path == path && o.SHA256 == b.SHA256 && o.Absent == b.Absent
	}) {
		l.Backups = append(l.Backups, b)
	}
	return nil
}

// original is what a file was before it was ours.
func (w *Wirer) original(k kept) ([]byte, error) {
	data, err := os.ReadFile(w.backupFile(k.Original))
	if err == nil && sum(data) != k.Original {
		err = errors.New("is not what was put there")
	}
	if err != nil {
		return nil, fmt.Errorf("the backup of %s: %w", k.Path, err)
	}
	return data, nil
}

// uses says whether disconnect will need a backup.
func (l *ledger) uses(b Backup) bool {
	for _, r := range l.Engines {
		for _, k := range r.Files {
			if k.Path == b.Path && k.Absent == b.Absent && k.Original == b.SHA256 {
				return true
			}
		}
	}
	return false
}

// prune forgets the oldest backups that nobody needs.
func (l *ledger) prune(w *Wirer) {
	spare := 0
	for _, b := range slices.Backward(l.Backups) {
		if !l.uses(b) {
			spare++
		}
	}
	var gone []string
	l.Backups = slices.DeleteFunc(l.Backups, func(b Backup) bool {
		if spare <= maxBackups || l.uses(b) {
			return false
		}
		spare--
		gone = append(gone, b.SHA256)
		return true
	})
	for _, sum := range gone {
		if !slices.ContainsFunc(l.Backups, func(b Backup) bool { return b.SHA256 == sum }) {
			_ = os.Remove(w.backupFile(sum))
		}
	}
}

// Backups lists the files as they were, the latest first.
func (w *Wirer) Backups() ([]Backup, error) {
	l, err := w.load()
	if err != nil {
		return nil, err
	}
	list := make([]Backup, 0, len(l.Backups))
	for _, b := range slices.Backward(l.Backups) {
		if !b.Absent {
			b.File = w.backupFile(b.SHA256)
		}
		b.InUse = l.uses(b)
		list = append(list, b)
	}
	return list, nil
}

// key is an engine's in the ledger.
func (w *Wirer) key(id string) string {
	if name := w.Machine.Facts().Name; name != "" {
		return name + "/" + id
	}
	return id
}

// merged has one File for each path: two edits of one file are one.
func merged(files []File) (out []File) {
	for _, f := range files {
		i := slices.IndexFunc(out, f.same)
		if i < 0 {
			out = append(out, f)
			continue
		}
		both := &edit.Edit{Format: out[i].Edit.Format, Steps: slices.Concat(out[i].Edit.Steps, f.Edit.Steps)}
		out[i].Edit = both
	}
	return out
}

func (f File) same(other File) bool {
	return f.Path == other.Path && slices.Equal(f.Through, other.Through)
}
