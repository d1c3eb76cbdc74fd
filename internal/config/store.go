package config

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Store is the live file.
type Store struct {
	path    string
	environ []string
	log     *slog.Logger
	current atomic.Pointer[Config]
	mu      sync.Mutex
	subs    []func(*Config)
	problem string
}

// Open loads the file.
func Open(path string, environ []string, log *slog.Logger) (*Store, error) {
	c, err := Load(path, environ)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, environ: environ, log: log}
	s.current.Store(c)
	return s, nil
}

// Current is the snapshot in force: never nil, shared, not to be changed.
func (s *Store) Current() *Config { return s.current.Load() }

// Problem says why the file on disk is not in force; "" when it is.
func (s *Store) Problem() string { s.mu.Lock(); defer s.mu.Unlock(); return s.problem }

// Subscribe calls fn after each change, in order.
func (s *Store) Subscribe(fn func(*Config)) { s.mu.Lock(); s.subs = append(s.subs, fn); s.mu.Unlock() }

// Run watches the file until ctx ends.
func (s *Store) Run(ctx context.Context) error { <-ctx.Done(); return nil }
