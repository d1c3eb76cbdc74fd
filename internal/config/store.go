package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"pulley/internal/config/document"
)

// Store is the live settings file: what is in force, edits, and changes by hand. Its methods may be called concurrently.
type Store struct {
	path    string
	environ []string
	held    map[string]string // key → the variable that holds it
	log     *slog.Logger

	current atomic.Pointer[Config]

	mu      sync.Mutex // one change at a time; held while subscribers are called
	read    []byte     // the text that was last looked at
	problem atomic.Pointer[string]
	calls   []func(*Config)
}

// Open loads the file at path, as Load does. A broken file is an error here: there are no old settings to keep. log may
// be nil.
func Open(path string, environ []string, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{path: path, environ: environ, held: Overrides(environ), log: log}
	data, err := s.text()
	if err != nil {
		return nil, err
	}
	c, err := load(path, data, environ)
	if err != nil {
		return nil, err
	}
	s.read = data
	s.current.Store(c)
	s.setProblem("")
	return s, nil
}

func (s *Store) text() ([]byte, error) {
	data, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return data, nil
}

// Held names the keys that Set refuses, each with the variable or flag that holds it. Nobody may change the map.
func (s *Store) Held() map[string]string { return s.held }

// Current is the snapshot in force, never nil.
func (s *Store) Current() *Config { return s.current.Load() }

// Path is the file's.
func (s *Store) Path() string { return s.path }

// Problem says why the file on disk is not in force; "" when it is.
func (s *Store) Problem() string { return *s.problem.Load() }

func (s *Store) setProblem(text string) { s.problem.Store(&text) }

// Subscribe has f called after each change, in order, also when only Problem changed. f must not edit.
func (s *Store) Subscribe(f func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, f)
}

// Set changes one key in the file and takes it up. Comments, order and white space stay; the previous file is kept as
// <path>.bak. A key that the environment or a flag holds is refused, and so is a value that does not fit: nothing is
// written then.
func (s *Store) Set(key, value string) error {
	if by := s.held[key]; strings.HasPrefix(by, "--") {
		return fmt.Errorf("%s: held by %s, which the daemon was started with; start it without", key, by)
	} else if by != "" {
		return fmt.Errorf("%s: held by %s in the daemon's environment; change it there", key, by)
	}
	return s.change(key, func(text []byte, _ *Config) ([]byte, error) { return edited(text, key, value) })
}

// change writes and takes up what edit makes of the file; edit is given its text and what that means. what names the
// thing in errors. Unless the new text loads, nothing is written.
func (s *Store) change(what string, edit func(text []byte, c *Config) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.text()
	if err != nil {
		return err
	}
	c, err := load(s.path, old, s.environ)
	if err != nil {
		return fmt.Errorf("%w; mend the file first: pulley config edit", err)
	}
	text, err := edit(old, c)
	if errors.Is(err, document.ErrShape) {
		return fmt.Errorf("%w; edit the file by hand: pulley config edit", err)
	}
	if err != nil {
		return err
	}
	if bytes.Equal(old, text) {
		return nil
	}
	if c, err = load(s.path, text, s.environ); err != nil {
		return refusal(what, err)
	}
	if err := s.write(old, text); err != nil {
		return err
	}
	s.take(text, c)
	return nil
}

// refusal says why a file that was not written would not load: in terms of what was asked for, as nobody will see it.
func refusal(what string, err error) error {
	var said *Error
	if !errors.As(err, &said) || said.Key == "" {
		return fmt.Errorf("%s: %w (%w); edit the file by hand: pulley config edit", what, document.ErrShape, err)
	}
	key := said.Key[strings.LastIndexByte(said.Key, '.')+1:]
	if strings.HasSuffix(what, key) || strings.HasSuffix(key, "]") {
		return fmt.Errorf("%s: %s", what, said.Text)
	}
	return fmt.Errorf("%s: %s: %s", what, key, said.Text)
}

// take puts c in force and tells the subscribers. Needs mu.
func (s *Store) take(text []byte, c *Config) {
	s.read = text
	s.setProblem("")
	s.current.Store(c)
	for _, f := range s.calls {
		f(c)
	}
}

// Reload looks at the file now.
func (s *Store) Reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := s.text()
	if err == nil && bytes.Equal(text, s.read) {
		return
	}
	var c *Config
	if err == nil {
		c, err = load(s.path, text, s.environ)
	}
	if err == nil {
		s.log.Info("settings: taken up", "file", s.path)
		s.take(text, c)
		return
	}
	s.read = text
	s.log.Warn("settings: the file is not in force, the old settings are", "err", err)
	s.setProblem(err.Error())
	for _, f := range s.calls {
		f(s.current.Load())
	}
}
