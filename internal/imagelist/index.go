package imagelist

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v4"
)

// index knows on which lines a project's files have what. The library's model has no lines, and it bounds neither the
// size of what is included nor what aliases expand to; both are done here, before the library sees the files.
type index struct {
	files []indexed // in the order in which they override: included ones before those that include them
	bases map[string]*indexed
	rank  int
}

type indexed struct {
	file string
	rank int // order of discovery, for order of appearance
	docs []*yaml.Node
}

// place is a position in one of the files.
type place struct {
	file       string
	rank, line int
	inline     int // the line of a dockerfile_inline below
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.rank, o.rank), cmp.Compare(p.line, o.line))
}

func indexFiles(f *composeFiles) (*index, error) {
	x := &index{bases: make(map[string]*indexed)}
	lookup := func(name string) (string, bool) { v, ok := f.env[name]; return v, ok }
	for _, c := range f.files {
		if err := x.add(c.Filename, c.Content, f.dir, lookup, 0); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// maxIncludes is how deep files may include one another; a circle is the library's to report.
const maxIncludes = 32

func (x *index) add(file string, data []byte, dir string, lookup template.Mapping, depth int) error {
	docs, err := documents(data, show(file))
	if err != nil {
		return err
	}
	x.rank++
	in := indexed{file: file, rank: x.rank, docs: docs}
	if depth < maxIncludes {
		for _, d := range docs {
			if err := x.includes(child(d, "include"), dir, lookup, depth); err != nil {
				return err
			}
			if err := x.extended(d, dir, lookup, depth); err != nil {
				return err
			}
		}
	}
	x.files = append(x.files, in)
	return nil
}

// includes follows include: https://docs.docker.com/reference/compose-file/include/
func (x *index) includes(n *yaml.Node, dir string, lookup template.Mapping, depth int) error {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, e := range n.Content {
		paths := []string{text(e)}
		if p := child(e, "path"); p != nil {
			paths = []string{text(p)}
			for _, s := range p.Content {
				paths = append(paths, text(s))
			}
		}
		for _, p := range paths {
			file, data, err := referred(p, dir, lookup)
			if err != nil {
				return err
			}
			if data == nil || x.has(file) {
				continue
			}
			if err := x.add(file, data, filepath.Dir(file), lookup, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *index) has(file string) bool {
	for _, f := range x.files {
		if f.file == file {
			return true
		}
	}
	return false
}

// extended follows the files of extends: https://docs.docker.com/reference/compose-file/services/#extends
func (x *index) extended(doc *yaml.Node, dir string, lookup template.Mapping, depth int) error {
	services := child(doc, "services")
	if services == nil || services.Kind != yaml.MappingNode || depth > maxIncludes {
		return nil
	}
	for i := 1; i < len(services.Content); i += 2 {
		file, data, err := referred(text(child(child(services.Content[i], "extends"), "file")), dir, lookup)
		if err != nil {
			return err
		}
		if data == nil || x.bases[file] != nil {
			continue
		}
		docs, err := documents(data, show(file))
		if err != nil {
			return err
		}
		x.rank++
		x.bases[file] = &indexed{file: file, rank: x.rank, docs: docs}
		for _, d := range docs {
			if err := x.extended(d, filepath.Dir(file), lookup, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// referred reads a file that another refers to; no data without one, which the library says better.
func referred(path, dir string, lookup template.Mapping) (string, []byte, error) {
	v := variables{reasons: make(map[string]string)}
	path, err := v.substitute(path, lookup)
	if err != nil || path == "" {
		return "", nil, nil //nolint:nilerr // said by the library
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	data, err := readFile(show(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	return filepath.Clean(path), data, err
}

// find is where a service has something: its own last word on it, or that of what it extends; else the service itself.
func (x *index) find(section, service string, path ...string) place {
	var own place
	for i := len(x.files) - 1; i >= 0; i-- {
		p, found, is := x.look(&x.files[i], section, service, path, 0)
		if found {
			return p
		}
		if is {
			own = p
		}
	}
	return own
}

// look is find in one file: found says that path is there, is that the service is.
func (x *index) look(in *indexed, section, service string, path []string, depth int) (p place, found, is bool) {
	for _, d := range in.docs {
		key, s := entry(child(d, section), service)
		if key == nil {
			continue
		}
		p, is = place{file: in.file, rank: in.rank, line: key.Line}, true
		v := s
		for _, k := range path {
			v = child(v, k)
		}
		if v != nil && len(path) > 0 {
			p.line = v.Line
			if n := child(v, "dockerfile_inline"); n != nil {
				p.inline = n.Line
			}
			return p, true, true
		}
		if depth < maxIncludes {
			if b, ok := x.base(in, s, section, path, depth); ok {
				return b, true, true
			}
		}
	}
	return p, len(path) == 0 && is, is
}

// base looks for path in what a service extends.
func (x *index) base(in *indexed, s *yaml.Node, section string, path []string, depth int) (place, bool) {
	e := child(s, "extends")
	name, from := text(e), in
	if f := text(child(e, "file")); f != "" {
		if !filepath.IsAbs(f) {
			f = filepath.Join(filepath.Dir(in.file), f)
		}
		from = x.bases[filepath.Clean(f)]
	}
	if n := text(child(e, "service")); n != "" {
		name = n
	}
	if name == "" || from == nil || len(path) == 0 {
		return place{}, false
	}
	p, found, _ := x.look(from, section, name, path, depth+1)
	return p, found
}

// entry is a key of a mapping with its value.
func entry(n *yaml.Node, key string) (k, v *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if text(n.Content[i]) == key {
			return n.Content[i], plainNode(n.Content[i+1])
		}
	}
	return nil, nil
}
