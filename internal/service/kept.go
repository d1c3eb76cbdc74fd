package service

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"

	"pulley/internal/docker/machine"
)

// keptFile says what an installation has made that was kept when its service was uninstalled, so that the next one, or its
// removal, knows it for ours. Root's alone: beside the folders and not in one, for those are the service's to write. Each line
// that begins with a brace is a made as JSON; others are of packages, which read it too. "" where nothing is ever kept so.
func (s *Service) keptFile() string {
	switch {
	case !s.opt.System:
		return ""
	case s.m.Facts().OS == machine.Darwin:
		return darwinHome + ".made"
	case s.m.Facts().OS == machine.Linux:
		return "/var/lib/pulley.made"
	}
	return ""
}

// kept reads it: what was kept, and the lines of others.
func (s *Service) kept() (m made, others string, err error) {
	file := s.keptFile()
	if file == "" {
		return m, "", nil
	}
	text, err := s.old(file)
	for line := range strings.Lines(text) {
		var one made
		if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &one) != nil {
			others += line
			continue
		}
		m.Data, m.Lent, m.User = union(m.Data, one.Data), union(m.Lent, one.Lent), m.User || one.User
	}
	return m, others, err
}

// keep writes it. Where nothing is kept, and nobody else has written there, it goes.
func (s *Service) keep(m made) error {
	file := s.keptFile()
	_, text, err := s.kept()
	if file == "" || err != nil {
		return err
	}
	if len(m.Data)+len(m.Lent) > 0 || m.User {
		line, err := json.Marshal(made{Data: m.Data, Lent: m.Lent, User: m.User})
		if err != nil {
			return err
		}
		text += string(line) + "\n"
	}
	if text == "" {
		if err := s.m.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	_, err = s.m.WriteFile(file, []byte(text), 0o644)
	return err
}

// before is what installations before this one have made: as the unit says, and what was kept of one that is gone.
func (s *Service) before(unit string) (m made, err error) {
	text, err := s.old(unit)
	if err != nil {
		return m, err
	}
	m = readMade(text)
	kept, _, err := s.kept()
	m.Data, m.Lent, m.User = union(m.Data, kept.Data), union(m.Lent, kept.Lent), m.User || kept.User
	return m, err
}
