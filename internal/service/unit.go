package service

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"pulley/internal/config"
	"pulley/internal/docker/machine"
)

//go:embed template
var templates embed.FS

// fill is a template with its {{names}} replaced.
func fill(name string, values map[string]string) string {
	text, err := templates.ReadFile("template/" + name)
	if err != nil {
		panic(err) // it is part of the program
	}
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "{{"+name+"}}", value)
	}
	return strings.NewReplacer(pairs...).Replace(string(text))
}

// made is what an installation made besides its file: what an uninstallation removes. It stands in that file, in a comment,
// so that there is no second file that could go astray.
type made struct {
	Dirs []string `json:"dirs,omitempty"` // folders for the file itself, outermost first: removed when empty
	Data []string `json:"data,omitempty"` // folders of the service's data
	Lent []string `json:"lent,omitempty"` // such that were there before, and were given to the service's user
	User bool     `json:"user,omitempty"` // the user and group pulley
}

const madeMark = "made: "

func (m made) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and a bool
	}
	return madeMark + strings.ReplaceAll(string(text), "-", `\u002d`) // "--" would end an XML comment
}

// readMade finds the comment again.
func readMade(text string) (m made) {
	for line := range strings.Lines(text) {
		if _, after, ok := strings.Cut(line, madeMark+"{"); ok {
			// What follows the JSON is the end of the comment.
			_ = json.NewDecoder(strings.NewReader("{" + after)).Decode(&m)
			return m
		}
	}
	return m
}

// old is the file as it is, "" if it is not there.
func (s *Service) old(path string) (string, error) {
	f, err := s.m.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(f.Data), err
}

// write writes a unit of ours if it changed. text is given what was made, folders for the file included. An executable one
// gets that mode.
func (s *Service) write(ctx context.Context, path string, m made, executable bool, text func(made) string) (changed bool, err error) {
	old, err := s.old(path)
	if err != nil {
		return false, err
	}
	before := readMade(old)
	m.Dirs, m.User = before.Dirs, m.User || before.User
	m.Data, m.Lent = union(before.Data, m.Data), union(before.Lent, m.Lent)
	if old == text(m) {
		return false, nil
	}
	mode := fs.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	dirs, err := s.m.WriteFile(path, []byte(text(m)), mode)
	if err == nil && len(dirs) > 0 { // told once more, now that they are known
		m.Dirs = append(m.Dirs, dirs...)
		_, err = s.m.WriteFile(path, []byte(text(m)), mode)
	}
	if errors.Is(err, fs.ErrPermission) {
		s.sweep(ctx, made{Dirs: dirs})
	}
	return true, err
}

// union is sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// remove removes a unit of ours, and tells what else was made.
func (s *Service) remove(path string) (made, error) {
	old, err := s.old(path)
	if err != nil {
		return made{}, err
	}
	if err := s.m.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return made{}, err
	}
	return readMade(old), nil
}

// sweep removes what was made, but for the unit: empty folders, and data and user unless they are to be kept.
func (s *Service) sweep(ctx context.Context, m made) {
	for _, dir := range slices.Backward(m.Dirs) {
		_ = s.m.Remove(dir) // others may have put something there
	}
	if s.opt.KeepData {
		return
	}
	for _, dir := range m.Data {
		if _, err := s.command(ctx, "rm", "-rf", "--", dir); err != nil {
			s.opt.Say("could not remove " + dir + ": " + err.Error())
		}
	}
	for _, dir := range m.Lent {
		if _, err := s.command(ctx, "chown", "-R", "0:0", dir); err != nil {
			s.opt.Say("could not give back " + dir + ": " + err.Error())
		}
	}
	if m.User {
		if err := s.removeUser(ctx); err != nil {
			s.opt.Say("could not remove the user " + account + ": " + err.Error())
		}
	}
}

// environment are the variables that the service's daemon needs to have its files where the person's other commands look for
// them, in the form of os.Environ.
func (s *Service) environment() []string {
	facts := s.m.Facts()
	if s.opt.System {
		return config.SystemEnviron(facts.OS)
	}
	var env []string
	names := []string{"PULLEY_HOME"}
	if facts.OS == machine.Linux {
		names = append(names, "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
	}
	for _, name := range names {
		value := s.m.Getenv(name)
		if value == "" {
			continue
		}
		if name == "PULLEY_HOME" {
			if abs, err := filepath.Abs(value); err == nil {
				value = abs
			}
		}
		env = append(env, name+"="+value)
	}
	return env
}
