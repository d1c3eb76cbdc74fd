package context

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestImportOfRubbishLeavesNothing(t *testing.T) {
	b := book(t, t.TempDir())
	must(t, b.Create("far", Change{Host: to("ssh://far.test"), Mark: &Mark{Word: "production", Colour: "#aabbcc"}}))
	var archive bytes.Buffer
	must(t, b.Export("far", &archive))
	must(t, b.Import("again", bytes.NewReader(archive.Bytes())))
	if e, err := b.Get("again"); err != nil || e.Host != "ssh://far.test" || e.Mark == nil || e.Mark.Colour != "#aabbcc" {
		t.Errorf("imported: %+v, %v", e, err)
	}
	if err := b.Import("far", bytes.NewReader(archive.Bytes())); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("over one that exists: %v", err)
	}
	evil := bytes.ReplaceAll(archive.Bytes(), []byte("ssh://far.test"), []byte("ssh://f:r.test"))
	for what, r := range map[string][]byte{"nothing": nil, "noise": []byte("noise"), "half": archive.Bytes()[:600], "a bad address": evil} {
		if err := b.Import("new", bytes.NewReader(r)); err == nil {
			t.Errorf("%s is taken", what)
		}
		if _, err := b.Get("new"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s leaves something: %v", what, err)
		}
	}
}

// What is brought back is what there was, also where nobody would make it anew; what cannot be read changes nothing.
func TestRestore(t *testing.T) {
	dir := t.TempDir()
	b := book(t, dir)
	must(t, b.Create("far", Change{Host: to("ssh://far.test")}))
	file := filepath.Join(b.store.GetStorageInfo("far").MetadataPath, "meta.json")
	const odd = `{"Name":"far","Metadata":{"x":1},"Endpoints":{"kubernetes":{"a":"b"}}}`
	write(t, file, odd)
	var archive bytes.Buffer
	must(t, b.Export("far", &archive))
	must(t, b.Remove("far", false))
	must(t, b.Restore("far", bytes.NewReader(archive.Bytes())))
	if got := read(t, file); got != odd {
		t.Errorf("it came back as %s", got)
	}
	ca := filepath.Join(dir, "ca")
	clientPair(t, ca, filepath.Join(dir, "key"))
	must(t, b.Update("far", Change{Host: to("tcp://far.test:2376"), CA: &ca}))
	now := read(t, file)
	for what, archive := range map[string][]byte{"nothing": nil, "noise": []byte("noise"), "half": archive.Bytes()[:540]} {
		if err := b.Restore("far", bytes.NewReader(archive)); err == nil {
			t.Errorf("%s is taken", what)
		}
		if e, err := b.Get("far"); err != nil || !e.TLS || read(t, file) != now {
			t.Errorf("%s leaves %+v, %v", what, e, err)
		}
		if err := b.Restore("new", bytes.NewReader(archive)); err == nil {
			t.Errorf("%s is taken as a new one", what)
		}
		if _, err := b.Get("new"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s leaves something: %v", what, err)
		}
	}
	must(t, b.Restore("far", bytes.NewReader(archive.Bytes())))
	if e, err := b.Get("far"); err != nil || e.TLS || read(t, file) != odd {
		t.Errorf("over another: %+v, %v", e, err)
	}
}
