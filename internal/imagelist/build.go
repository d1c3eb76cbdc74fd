package imagelist

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// build is what a service's build section needs: https://docs.docker.com/reference/compose-file/build/
func (c *composed) build(service string, s map[string]any, where string, at place) {
	b := Build{
		Target:    str(s["target"]),
		Args:      c.buildArgs(s["args"]),
		Contexts:  make(map[string]string),
		Platforms: c.project.Platforms,
		advice:    "set under build.args",
	}
	for _, p := range sequence(s["platforms"]) {
		if c.project.Platforms == nil {
			b.Platforms = append(b.Platforms, str(p))
		}
	}
	if where != "" {
		b.Platforms = []string{where}
	}
	for k, v := range pairs(s["additional_contexts"]) {
		if v != nil {
			b.Contexts[k] = *v
		}
	}
	folder, inline := str(s["context"]), str(s["dockerfile_inline"])
	file := str(s["dockerfile"])
	used := []string{folder, file, inline, b.Target, strings.Join(b.Platforms, " ")}
	for _, k := range slices.Sorted(maps.Keys(b.Contexts)) {
		used = append(used, b.Contexts[k])
	}
	for _, v := range used {
		if !c.whole("build of "+service+":", v, at) {
			return
		}
	}
	// An argument whose own value lacks a variable is one without a value: most have nothing to do with images.
	maps.DeleteFunc(b.Args, func(_, v string) bool { return len(unset(v)) > 0 })

	if inline != "" {
		c.inline(inline, b, at)
		return
	}
	if remote(folder) {
		c.problem(show(at.file), at.line, "%s is built from %s, which is not here; fetch it, then: pulley pull --dockerfile …", service, quote(folder))
		return
	}
	if file == "" {
		file = "Dockerfile"
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(folder, file)
	}
	data, err := readFile(show(file))
	if err != nil {
		c.problem(show(at.file), at.line, "build of %s: %s", service, err)
		return
	}
	b.File = show(file)
	c.dockerfile(data, b, 0)
}

// inline is a Dockerfile within the Compose file: its lines are counted in that.
func (c *composed) inline(text string, b Build, at place) {
	b.File = show(at.file)
	offset := at.line
	if at.inline > 0 {
		offset = at.inline // the line of "dockerfile_inline: |"; the text begins below
	}
	c.dockerfile([]byte(text), b, offset)
}

// dockerfile takes what building data needs; offset is added to its lines.
func (c *composed) dockerfile(data []byte, b Build, offset int) {
	l, err := dockerfile(bytes.NewReader(data), b)
	if err != nil {
		p, ok := errors.AsType[FileError](err)
		if !ok {
			p = FileError{File: b.File, Text: oneLine(err.Error())}
		}
		l = list{problems: []FileError{p}}
	}
	for i := range l.images {
		l.images[i].Line += offset
	}
	for i := range l.problems {
		l.problems[i].Line += offset
	}
	c.merge(l)
}

// buildArgs are the arguments of a build. One without a value has that of the environment, if there is one.
func (c *composed) buildArgs(v any) map[string]string {
	args := make(map[string]string)
	for k, v := range pairs(v) {
		if v != nil {
			args[k] = *v
		} else if e, ok := c.files.env[k]; ok {
			args[k] = e
		}
	}
	maps.Copy(args, c.project.Args)
	return args
}

// pairs reads both spellings of a map: key to value, and a list of "key=value". A key without a value has nil.
func pairs(v any) map[string]*string {
	m := make(map[string]*string)
	for k, v := range mapping(v) {
		m[k] = nil
		if v != nil {
			s := fmt.Sprint(v)
			m[k] = &s
		}
	}
	for _, e := range sequence(v) {
		k, v, ok := strings.Cut(str(e), "=")
		m[k] = nil
		if ok {
			m[k] = &v
		}
	}
	return m
}

// remote reports whether a build context is a Git repository or a tarball elsewhere; the list is BuildKit's
// (frontend/dockerui/context.go).
func remote(context string) bool {
	for _, p := range []string{"https://", "http://", "git://", "ssh://", "github.com/", "git@"} {
		if strings.HasPrefix(context, p) {
			return true
		}
	}
	return strings.Contains(context, "://")
}
