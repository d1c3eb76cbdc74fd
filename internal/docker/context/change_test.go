package context

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What other programs keep in a context's metadata is theirs, number by number.
func TestUpdateKeepsWhatOthersWrote(t *testing.T) {
	dir := t.TempDir()
	b := book(t, dir)
	must(t, b.Create("far", Change{Host: to("ssh://me@far.test"), Description: to("old")}))
	file := filepath.Join(b.store.GetStorageInfo("far").MetadataPath, "meta.json")
	write(t, file, `{"Name":"far","Metadata":{"Description":"old","otel":{"id":12345678901234567890},"GODEBUG":"x=1"},"Endpoints":{"docker":{"Host":"ssh://me@far.test","SkipTLSVerify":false},"other":{"a":"b"}}}`)
	must(t, b.Update("far", Change{Description: to("new"), Mark: &Mark{Word: "production"}}))
	text := read(t, file)
	for _, want := range []string{`"otel":{"id":12345678901234567890}`, `"GODEBUG":"x=1"`, `"other":{"a":"b"}`, `"Description":"new"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
	e, err := b.Get("far")
	must(t, err)
	if e.Mark == nil || *e.Mark != (Mark{"production", "red"}) || e.Description != "new" || e.Host != "ssh://me@far.test" {
		t.Errorf("it is %+v", e)
	}
	must(t, b.Update("far", Change{Description: to(""), Mark: &Mark{}}))
	if text := read(t, file); strings.Contains(text, "production") || strings.Contains(text, "Description") {
		t.Errorf("mark and description are still in %s", text)
	}
}

func TestRefusals(t *testing.T) {
	b := book(t, t.TempDir())
	must(t, b.Create("here", Change{Host: to("unix:///run/a.sock")}))
	pem := filepath.Join(t.TempDir(), "a.pem")
	write(t, pem, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
	for _, c := range []struct {
		name string
		c    Change
		says string
	}{
		{"here", Change{Host: to("unix:///a")}, "exists already"},
		{"default", Change{Host: to("unix:///a")}, "no entry to change"},
		{"a b", Change{Host: to("unix:///a")}, "no name for a context"},
		{"../up", Change{Host: to("unix:///a")}, "no name for a context"},
		{"new", Change{}, "no address"},
		{"new", Change{Host: to("far.test")}, "no address of an engine"},
		{"new", Change{Host: to("ftp://far.test")}, "no address of an engine"},
		{"new", Change{Host: to("tcp://far.test")}, "wants a host and a port"},
		{"new", Change{Host: to("unix://run/docker.sock")}, "absolute path"},
		{"new", Change{Host: to("ssh://me:c2VjcmV0@far.test")}, "password"},
		{"new", Change{Host: to("tcp://me:c2VjcmV0@far.test:1")}, "password"},
		{"new", Change{Host: to("ssh://far.test?x=1")}, "query"},
		{"new", Change{Host: to("ssh://far.test"), CA: &pem}, "tcp:// only"},
		{"new", Change{Host: to("tcp://far.test:1"), CA: to("/nonexistent")}, "--ca"},
		{"new", Change{Host: to("tcp://far.test:1"), CA: &pem}, "ca.pem seems invalid"},
		{"new", Change{Host: to("tcp://far.test:1"), Cert: &pem}, "needs its key"},
		{"new", Change{Host: to("tcp://far.test:1"), Cert: &pem, Key: &pem}, "tls"},
		{"new", Change{Host: to("unix:///a"), Mark: &Mark{Word: "\x1b[31m"}}, "not a word"},
		{"new", Change{Host: to("unix:///a"), Mark: &Mark{Word: "x", Colour: "loud"}}, "no such colour"},
	} {
		err := b.Create(c.name, c.c)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", c.name, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%v shows a secret", err)
		}
	}
	if list, err := b.List(); err != nil || len(list) != 2 {
		t.Errorf("refusals left %v, %v", list, err)
	}
	for _, err := range []error{b.Update("new", Change{}), b.Use("new"), b.Remove("new", true), b.Export("new", &bytes.Buffer{})} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%v; want: no such context", err)
		}
	}
}

// A change that cannot be written as a whole is not half there: a context without its certificates would be an engine that
// is talked to in the clear.
func TestChangeIsWrittenAsAWholeOrNotAtAll(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // not everybody may make links there
	}
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	clientPair(t, cert, key)
	must(t, os.WriteFile(ca, []byte(read(t, cert)), 0o600))
	b := book(t, dir)
	tls := Change{Host: to("tcp://far.test:2376"), CA: &ca, Cert: &cert, Key: &key}
	must(t, b.Create("kept", tls))
	inTheWay := func(name string) (away func()) {
		t.Helper()
		link := b.store.GetStorageInfo(name).TLSPath
		must(t, os.Symlink(filepath.Join(dir, "nowhere"), link))
		return func() { must(t, os.Remove(link)) }
	}
	inTheWay("new")
	if err := b.Create("new", tls); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("it is made without its certificates: %v", err)
	}
	if _, err := b.Get("new"); !errors.Is(err, ErrNotFound) {
		t.Errorf("half of it is there: %v", err)
	}
	must(t, b.Create("bare", Change{Host: to("tcp://near.test:2375")}))
	away := inTheWay("bare")
	if err := b.Update("bare", tls); err == nil {
		t.Error("it is changed without its certificates")
	}
	away()
	if e, err := b.Get("bare"); err != nil || e.Host != "tcp://near.test:2375" || e.TLS {
		t.Errorf("it is half changed: %+v, %v", e, err)
	}
}

func TestRemoveRefusesTheOneInUse(t *testing.T) {
	dir := t.TempDir()
	b := book(t, dir)
	must(t, b.Create("far", Change{Host: to("ssh://far.test")}))
	must(t, b.Create("near", Change{Host: to("unix:///a")}))
	must(t, b.Use("far"))
	if err := b.Remove("far", false); !errors.Is(err, ErrInUse) {
		t.Errorf("currentContext: %v", err)
	}
	// Also the one that would be in use again as soon as DOCKER_HOST is gone.
	if err := book(t, dir, "DOCKER_HOST=tcp://10.0.0.1:1").Remove("far", false); !errors.Is(err, ErrInUse) {
		t.Errorf("under DOCKER_HOST: %v", err)
	}
	if err := book(t, dir, "DOCKER_CONTEXT=near").Remove("near", false); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), Unset("DOCKER_CONTEXT")) {
		t.Errorf("DOCKER_CONTEXT: %v", err)
	}
	must(t, b.Remove("far", true))
	if got := read(t, filepath.Join(dir, "config.json")); strings.Contains(got, "far") {
		t.Errorf("config.json still has it: %s", got)
	}
	if w, err := b.Winner(""); err != nil || w.Name != Default || w.Error != "" {
		t.Errorf("%+v wins, %v", w, err)
	}
}
