package ca

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	authoritySuffix = ".pem"
	tempPrefix      = ".new-"
)

// authorityFiles lists the files of dir that hold authorities; none if dir does
// not exist.
func authorityFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), authoritySuffix) && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// load reads and checks one authority. A key that others can read is made
// private again: that is no reason to serve nothing.
func (s *Store) load(file string) (*authority, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, bare(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return nil, bare(err)
	}
	return parseAuthority(file, data, s.now())
}

// save writes a to a file named after its key id.
func (s *Store) save(a *authority) error {
	data, err := a.marshal()
	if err != nil {
		return err
	}
	if a.file == "" {
		a.file = filepath.Join(s.dir, fmt.Sprintf("%x", a.cert.SubjectKeyId[:8])+authoritySuffix)
	}
	return writeFile(a.file, data, 0o600)
}

// finishRotation removes authorities whose successor is already there: what a
// crash between Rotate's two steps leaves behind.
func (s *Store) finishRotation() {
	var kept []*authority
	for _, a := range s.authorities {
		replaced := slices.ContainsFunc(s.authorities, func(b *authority) bool {
			return slices.ContainsFunc(b.retired, a.cert.Equal)
		})
		if !replaced {
			kept = append(kept, a)
		} else if err := os.Remove(a.file); err != nil {
			s.log.Warn("cannot remove a rotated key", "file", a.file, "err", err)
		}
	}
	s.authorities = kept
}

// prune drops bridges that have ended. s.mu is held for writing.
func (s *Store) prune(now time.Time) error {
	changed := false
	for i, a := range s.authorities {
		p := a.pruned(now)
		if p == a {
			continue
		}
		if err := s.save(p); err != nil {
			return fmt.Errorf("local CA: %w", err)
		}
		s.authorities[i], changed = p, true
	}
	if !changed {
		return nil
	}
	return s.writeBundle()
}

// writeBundle brings ca.crt up to date with the authorities; it leaves a file
// that is right already alone. s.mu is held, or s not shared yet.
func (s *Store) writeBundle() error {
	var out bytes.Buffer
	for _, a := range s.authorities {
		out.Write(encodeCertificate(a.cert))
	}
	for _, a := range s.authorities {
		for _, old := range a.retired {
			out.Write(encodeCertificate(old))
		}
	}
	s.bundle = out.Bytes()
	if len(s.bundle) == 0 {
		return nil // before the first Cover there is nothing to trust
	}
	old, err := os.ReadFile(s.File())
	if err == nil && bytes.Equal(old, s.bundle) {
		return os.Chmod(s.File(), 0o644)
	}
	if err := writeFile(s.File(), s.bundle, 0o644); err != nil {
		return fmt.Errorf("local CA: %w", err)
	}
	return nil
}

// makePrivateDir creates dir, or makes it private again, and removes what a
// crash in writeFile left there: it may hold a key.
func makePrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// writeFile replaces name in one step: a crash leaves the old file or the new.
func writeFile(name string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), tempPrefix+"*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// bare strips the operation and path of a file error, which the message it goes
// into names already.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
