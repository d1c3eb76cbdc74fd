package bundle_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"slices"
	"testing"
)

// file is one entry of an archive that a test makes.
type file struct {
	name   string
	body   []byte
	dir    bool
	link   string      // symbolic
	header *tar.Header // instead of all that; body may follow
}

type files []file

func (f files) tar(t testing.TB) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range f {
		h := e.header
		switch {
		case h != nil:
		case e.dir:
			h = &tar.Header{Name: e.name, Typeflag: tar.TypeDir, Mode: 0o755}
		case e.link != "":
			h = &tar.Header{Name: e.name, Typeflag: tar.TypeSymlink, Linkname: e.link}
		default:
			h = &tar.Header{Name: e.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(e.body))}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// files is an archive taken apart, to be put together otherwise.
func (c contents) list() files {
	var out files
	for _, name := range c.names {
		out = append(out, file{name: name, body: c.files[name]})
	}
	return out
}

func (c contents) without(name string) files {
	return slices.DeleteFunc(c.list(), func(f file) bool { return f.name == name })
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
