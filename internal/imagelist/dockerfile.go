package imagelist

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Build is what "docker build" is told beside the Dockerfile. The zero value is a plain "docker build .".
type Build struct {
	// File is the Dockerfile's name in results and messages.
	File string
	// Args are the --build-arg values. One that no ARG before the first FROM declares is not seen by any FROM.
	Args map[string]string
	// Target is the stage to be built, by name; none: the last one.
	Target string
	// Platforms are those to be built for. None: this machine's, and images without a platform of their own are
	// left to whoever pulls.
	Platforms []string
	// Contexts are the named contexts (--build-context): name to "docker-image://…", or to anything else, which is
	// no image.
	Contexts map[string]string

	// advice is how a person passes a build argument, for messages; "pass --build-arg" when empty.
	advice string
}

// Dockerfile names the images that building r pulls, as BuildKit does it
// (https://docs.docker.com/reference/dockerfile/): those of FROM, COPY --from and RUN --mount=from in the stages that
// the target needs, and the frontend that "# syntax=" asks for. Stages and scratch are no images; what a base image
// has in ONBUILD is not known here.
//
// An error is a FileError, or an *UnresolvedError with the images that could be named.
func Dockerfile(r io.Reader, b Build) ([]Image, error) {
	l, err := dockerfile(r, b)
	if err != nil {
		return nil, err
	}
	return l.result()
}

// DockerfileAt is Dockerfile for a file, or for the one called Dockerfile in a directory. Build.File is set.
func DockerfileAt(path string, b Build) ([]Image, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "Dockerfile")
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	b.File = path
	return Dockerfile(bytes.NewReader(data), b)
}

func dockerfile(r io.Reader, b Build) (l list, err error) {
	defer guard(b.File, &err)
	data, err := read(r, b.File)
	if err != nil {
		return l, err
	}
	f, err := parseDockerfile(data, b.File)
	if err != nil {
		return l, err
	}
	targets := []string{""}
	if len(b.Platforms) > 0 {
		targets = b.Platforms
	}
	for _, t := range targets {
		p := machine()
		if t != "" {
			if p, err = parsePlatform(t); err != nil {
				return l, FileError{Text: err.Error()}
			}
		}
		g := graph{file: f, build: b, lex: shell.NewLex(f.escape), target: p, chosen: t != ""}
		if err := g.resolve(); err != nil {
			return l, err
		}
		l.merge(g.list())
	}
	return l, nil
}

// parsed is a Dockerfile's text as instructions.
type parsed struct {
	name     string
	escape   rune
	frontend string // the image of "# syntax="
	line     int    // and where it stands
	args     []instructions.ArgCommand
	stages   []instructions.Stage
}

func parseDockerfile(data []byte, name string) (*parsed, error) {
	p := &parsed{name: name}
	if s, _, loc, ok := parser.DetectSyntax(data); ok {
		p.frontend, p.line = s, max(line(loc), 1)
	}
	tree, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, located(name, err)
	}
	p.escape = tree.EscapeToken
	for _, n := range tree.AST.Children {
		if err := p.take(n); err != nil {
			return nil, err
		}
	}
	if len(p.stages) == 0 {
		return nil, FileError{File: name, Text: "no FROM in it: not a Dockerfile"}
	}
	return p, nil
}

// take sorts in one instruction, as instructions.Parse does. It is done here because a frontend of one's own may have
// instructions that this parser does not know, and they need not keep anybody from the images.
func (p *parsed) take(n *parser.Node) error {
	switch strings.ToLower(n.Value) {
	case "from", "arg", "copy", "run", "add":
	case "onbuild":
		return nil // runs in builds on top of this one
	default:
		if _, err := instructions.ParseInstruction(n); err != nil {
			if u, ok := errors.AsType[*instructions.UnknownInstructionError](err); ok && p.frontend == "" {
				return FileError{File: p.name, Line: n.StartLine, Text: "unknown instruction: " + oneLine(quote(u.Instruction))}
			}
		}
		return nil
	}
	c, err := instructions.ParseInstruction(n)
	if err != nil {
		return located(p.name, err)
	}
	switch c := c.(type) {
	case *instructions.Stage:
		p.stages = append(p.stages, *c)
	case *instructions.ArgCommand:
		if len(p.stages) == 0 {
			p.args = append(p.args, *c)
		}
	case instructions.Command:
		if len(p.stages) == 0 {
			return FileError{File: p.name, Line: n.StartLine, Text: strings.ToUpper(oneLine(n.Value)) + " before the first FROM"}
		}
		s := &p.stages[len(p.stages)-1]
		s.Commands = append(s.Commands, c)
	}
	return nil
}

// located is BuildKit's error with the line it carries.
func located(file string, err error) error {
	p := FileError{File: file, Text: oneLine(err.Error())}
	if e, ok := errors.AsType[*parser.LocationError](err); ok && len(e.Locations) > 0 {
		p.Line = line(e.Locations[0])
	}
	return p
}

func line(r []parser.Range) int {
	if len(r) == 0 {
		return 0
	}
	return r[0].Start.Line
}

// environment is what a word of a Dockerfile is expanded with.
type environment map[string]string

func (e environment) Get(key string) (string, bool) { v, ok := e[key]; return v, ok }

func (e environment) Keys() []string {
	var keys []string
	for k := range e {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
