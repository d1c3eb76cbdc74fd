package service

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
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

// made is what an installation made besides its file: what an uninstallation removes; and the program that is run. It stands in
// that file, in a comment, so that there is no second file that could go astray, but for what is kept without it (keptFile).
type made struct {
	Program string   `json:"program,omitempty"` // what the service runs
	Dirs    []string `json:"dirs,omitempty"`    // folders for the file itself, outermost first: removed when empty
	Data    []string `json:"data,omitempty"`    // folders of the service's data
	Lent    []string `json:"lent,omitempty"`    // such that were there before, and were given to the service's user
	User    bool     `json:"user,omitempty"`    // the user and group pulley
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

// write writes a unit of ours if it changed. m is what was made for it; text is given all that ever was, folders for the file
// included. An executable one gets that mode. What was made for one that cannot be written goes again.
func (s *Service) write(ctx context.Context, path string, m made, executable bool, text func(made) string) (changed bool, err error) {
	old, err := s.old(path)
	before, berr := s.before(path)
	if err = cmp.Or(err, berr); err != nil {
		s.undo(ctx, m)
		return false, err
	}
	all := made{
		Program: s.opt.Binary, Dirs: before.Dirs, User: m.User || before.User,
		Data: union(before.Data, m.Data), Lent: union(before.Lent, m.Lent),
	}
	if old == text(all) {
		return false, nil
	}
	mode := fs.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	m.Dirs, err = s.m.WriteFile(path, []byte(text(all)), mode)
	if err != nil {
		s.undo(ctx, m)
		return false, err
	}
	if len(m.Dirs) > 0 { // told once more, now that they are known
		all.Dirs = append(all.Dirs, m.Dirs...)
		_, err = s.m.WriteFile(path, []byte(text(all)), mode)
	}
	if err == nil { // from now on the unit says it
		err = s.keep(made{})
	}
	return true, err
}

// union is sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// remove removes a unit of ours and all that was made with it. The unit goes last: it says what there is, so that a removal
// that failed can be done once more.
func (s *Service) remove(ctx context.Context, path string) error {
	m, err := s.before(path)
	if err != nil {
		return err
	}
	if err := s.discard(ctx, m); err != nil {
		return err
	}
	kept := made{}
	if s.opt.KeepData {
		kept = m
	}
	if err := s.keep(kept); err != nil {
		return err
	}
	if err := s.m.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.removeDirs(m)
	return nil
}

// removeDirs removes the folders that were made for a unit.
func (s *Service) removeDirs(m made) {
	for _, dir := range slices.Backward(m.Dirs) {
		_ = s.m.Remove(dir) // others may have put something there
	}
}

// undo removes what was made for a unit that did not come to be.
func (s *Service) undo(ctx context.Context, m made) {
	if err := s.discard(ctx, m); err != nil {
		s.opt.Say(err.Error())
	}
	s.removeDirs(m)
}

// discard removes data and user, and gives back what was lent, unless they are to be kept.
func (s *Service) discard(ctx context.Context, m made) error {
	if s.opt.KeepData {
		return nil
	}
	var failed []string
	note := func(what string, err error) {
		if err != nil {
			failed = append(failed, what+": "+err.Error())
		}
	}
	for _, dir := range m.Data {
		_, err := s.command(ctx, "rm", "-rf", "--", dir)
		note("could not remove "+dir, err)
	}
	for _, dir := range m.Lent {
		_, err := s.command(ctx, "chown", "-R", "0:0", dir)
		note("could not give back "+dir, err)
	}
	if m.User {
		note("could not remove the user "+s.account(), s.removeUser(ctx))
	}
	if len(failed) > 0 {
		return fmt.Errorf("service: %s; next: once more pulley service uninstall%s", strings.Join(failed, "; "), s.flag())
	}
	return nil
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
