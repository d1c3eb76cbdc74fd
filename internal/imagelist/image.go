package imagelist

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// Image is one image that a file names.
type Image struct {
	// Name is the image as the file has it once variables are filled in: "nginx:1.27", "ghcr.io/org/app@sha256:…".
	// It parses as a reference; short names are left short.
	Name string
	// Platform is "os/arch" or "os/arch/variant" where the file or the options ask for one; empty means that whoever
	// pulls chooses.
	Platform string
	// File and Line say where the name stands first; Line counts from 1, and is 0 where the format has no lines.
	File string
	Line int
}

// FileError is something in a file that keeps an image from being named. Its text is one line: where, what, what to do.
type FileError struct {
	File string
	Line int // from 1; 0: the file as a whole
	Text string

	err error // what the system said
}

// Unwrap is the system's error, where there is one: a missing file is fs.ErrNotExist.
func (p FileError) Unwrap() error { return p.err }

// Error is "file:line: text".
func (p FileError) Error() string {
	if p.File == "" {
		return p.Text
	}
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// UnresolvedError says that some images could not be named. The images returned beside it could: a caller may pull
// those and show the problems, or stop.
type UnresolvedError struct {
	Problems []FileError // at least one, in order of appearance
}

// Error is every problem, parted by "; ": one line.
func (e *UnresolvedError) Error() string {
	text := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		text[i] = p.Error()
	}
	return strings.Join(text, "; ")
}

// list gathers images and problems in the order they are found.
type list struct {
	images   []Image
	problems []FileError
	seen     map[string]bool
}

// add takes an image unless the same one is there already for the same platform: "nginx" and
// "docker.io/library/nginx:latest" are the same.
func (l *list) add(i Image) {
	named, err := reference.ParseNormalizedNamed(i.Name)
	if err != nil {
		l.problem(i.File, i.Line, "%s is no image name: %s", quote(i.Name), oneLine(err.Error()))
		return
	}
	key := reference.TagNameOnly(named).String() + " " + i.Platform
	if l.seen[key] {
		return
	}
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	l.seen[key] = true
	l.images = append(l.images, i)
}

func (l *list) problem(file string, line int, format string, args ...any) {
	p := FileError{File: file, Line: line, Text: oneLine(fmt.Sprintf(format, args...))}
	if !slices.Contains(l.problems, p) {
		l.problems = append(l.problems, p)
	}
}

// merge adds what another list found.
func (l *list) merge(o list) {
	for _, i := range o.images {
		l.add(i)
	}
	for _, p := range o.problems {
		l.problem(p.File, p.Line, "%s", p.Text)
	}
}

func (l *list) result() ([]Image, error) {
	if len(l.problems) > 0 {
		return l.images, &UnresolvedError{Problems: l.problems}
	}
	return l.images, nil
}
