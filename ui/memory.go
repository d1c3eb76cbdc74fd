package ui

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"fyne.io/fyne/v2"
	"github.com/moby/sys/atomicwriter"

	"pulley/ui/page"
)

// Sizes of the window: as it is at first, and what nobody's screen is smaller or larger than. A file that says something else
// was not written by us, or on a screen that is gone.
var (
	usual   = fyne.NewSize(1100, 720)
	least   = fyne.NewSize(720, 480)
	largest = fyne.NewSize(7680, 4320)
)

// memory is what the window remembers from one run to the next, a small file of the person's own. What cannot be read is
// forgotten, and what cannot be written is not missed: nothing of it is worth a word. Safe for several goroutines.
type memory struct {
	mu   sync.Mutex
	path string // "": nothing is kept
	kept remembered
	dirt bool
}

type remembered struct {
	Width  float32                          `json:"width"`
	Height float32                          `json:"height"`
	Page   page.Name                        `json:"page"`
	Widths map[page.Name]map[string]float32 `json:"widths,omitempty"` // of tables' columns
	Chosen map[string]string                `json:"chosen,omitempty"` // on pages: page.Memory
	Met    bool                             `json:"met"`              // the first steps were shown
}

// recall reads the file, or takes what is usual.
func recall(path string) *memory {
	m := &memory{path: path}
	if path != "" {
		if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &m.kept) != nil {
			m.kept = remembered{}
		}
	}
	if size := m.size(); size.Width < least.Width || size.Height < least.Height || size.Width > largest.Width || size.Height > largest.Height {
		m.kept.Width, m.kept.Height = usual.Width, usual.Height
	}
	return m
}

func (m *memory) size() fyne.Size {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fyne.NewSize(m.kept.Width, m.kept.Height)
}

func (m *memory) page() page.Name {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept.Page
}

func (m *memory) met() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept.Met
}

func (m *memory) widths(name page.Name) map[string]float32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept.Widths[name]
}

func (m *memory) setSize(size fyne.Size) {
	m.change(func(r *remembered) bool {
		same := r.Width == size.Width && r.Height == size.Height
		r.Width, r.Height = size.Width, size.Height
		return !same
	})
}

func (m *memory) setPage(name page.Name) {
	m.change(func(r *remembered) bool {
		same := r.Page == name
		r.Page = name
		return !same
	})
}

func (m *memory) setMet() {
	m.change(func(r *remembered) bool {
		same := r.Met
		r.Met = true
		return !same
	})
}

func (m *memory) setWidths(name page.Name, widths map[string]float32) {
	if len(widths) == 0 {
		return
	}
	m.change(func(r *remembered) bool {
		changed := false
		if r.Widths == nil {
			r.Widths = map[page.Name]map[string]float32{}
		}
		for column, width := range widths {
			changed = changed || r.Widths[name][column] != width
		}
		r.Widths[name] = widths
		return changed
	})
}

// Choice implements page.Memory.
func (m *memory) Choice(key string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept.Chosen[key]
}

// Choose implements page.Memory.
func (m *memory) Choose(key, value string) {
	m.change(func(r *remembered) bool {
		same := r.Chosen[key] == value
		if r.Chosen == nil {
			r.Chosen = map[string]string{}
		}
		r.Chosen[key] = value
		return !same
	})
}

// change has f change what is kept; f tells whether it did.
func (m *memory) change(f func(*remembered) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dirt = f(&m.kept) || m.dirt
}

// save writes the file if anything changed: beside it first, so that it is whole or as it was.
func (m *memory) save() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirt || m.path == "" {
		return
	}
	text, err := json.MarshalIndent(m.kept, "", "  ")
	if err != nil {
		return
	}
	if os.MkdirAll(filepath.Dir(m.path), 0o700) != nil {
		return
	}
	if atomicwriter.WriteFile(m.path, append(text, '\n'), 0o600) != nil {
		return
	}
	m.dirt = false
}
