package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"github.com/moby/sys/atomicwriter"
)

// book keeps small values that must survive a restart: one JSON file per key,
// read when first asked for, written whole and synced before update returns.
// Values are shared once stored: a function that changes one must replace what
// it points to. It is safe for concurrent use, and no reader waits for a disk
// that somebody else is writing to.
type book[T any] struct {
	dir   string
	mu    sync.RWMutex
	pages map[string]T
	write sync.Mutex // orders writers; never taken while mu is held
}

// page is a file's content; the key is there for people, and because a file
// under a wrong name must not speak for another key.
type page[T any] struct {
	Key   string `json:"key"`
	Value T      `json:"value"`
}

// maxPages bounds what is held in memory; past it everything is read again.
const maxPages = 4096

func openBook[T any](dir string) (*book[T], error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &book[T]{dir: dir, pages: map[string]T{}}, nil
}

// get returns the value of key, the zero value when there is none. A file that
// cannot be read or does not parse counts as none.
func (b *book[T]) get(key string) T {
	b.mu.RLock()
	v, ok := b.pages[key]
	b.mu.RUnlock()
	if ok {
		return v
	}
	v = b.read(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	if newer, ok := b.pages[key]; ok {
		return newer
	}
	b.keep(key, v)
	return v
}

// update replaces the value of key by what change makes of it, and writes it
// down; change reports false to leave everything as it is. The new value is in
// force even when writing fails.
func (b *book[T]) update(key string, change func(T) (T, bool)) error {
	b.write.Lock()
	defer b.write.Unlock()
	v, changed := change(b.get(key))
	if !changed {
		return nil
	}
	b.mu.Lock()
	b.keep(key, v)
	b.mu.Unlock()
	body, err := json.Marshal(page[T]{key, v})
	if err != nil {
		return err
	}
	return atomicwriter.WriteFile(b.file(key), body, 0o600)
}

// keep is called with mu held.
func (b *book[T]) keep(key string, v T) {
	if len(b.pages) >= maxPages {
		clear(b.pages)
	}
	b.pages[key] = v
}

func (b *book[T]) read(key string) T {
	var p page[T]
	body, err := os.ReadFile(b.file(key))
	if err != nil || json.Unmarshal(body, &p) != nil || p.Key != key {
		var none T
		return none
	}
	return p.Value
}

// file names a key by its hash: repository names are longer than a file name
// may be, and registries' carry colons.
func (b *book[T]) file(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(b.dir, hex.EncodeToString(sum[:16])+".json")
}
