package context

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
)

// book opens the contexts in a folder of their own, with more in the environment.
func book(t *testing.T, dir string, more ...string) *Book {
	t.Helper()
	b, err := Open(append([]string{"DOCKER_CONFIG=" + dir}, more...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

func to(s string) *string { return &s }

func TestWhichContextWins(t *testing.T) {
	dir := t.TempDir()
	must(t, book(t, dir).Create("far", Change{Host: to("ssh://me@far.test")}))
	must(t, book(t, dir).Create("near", Change{Host: to("tcp://127.0.0.1:2375")}))
	must(t, book(t, dir).Use("near"))
	for _, c := range []struct {
		flag             string
		env              []string
		name, why, host  string
		missing          string
		overridingForFar string
	}{
		{"", nil, "near", "currentContext", "tcp://127.0.0.1:2375", "", ""},
		{"", []string{"DOCKER_CONTEXT=far"}, "far", "DOCKER_CONTEXT", "ssh://me@far.test", "", ""},
		{"", []string{"DOCKER_CONTEXT=near"}, "near", "DOCKER_CONTEXT", "tcp://127.0.0.1:2375", "", "DOCKER_CONTEXT"},
		{"", []string{"DOCKER_CONTEXT=far", "DOCKER_HOST=tcp://10.0.0.1:2375"}, Default, "DOCKER_HOST", "tcp://10.0.0.1:2375", "", "DOCKER_HOST"},
		{"", []string{"DOCKER_CONTEXT=near", "DOCKER_HOST=tcp://10.0.0.1:2375"}, Default, "DOCKER_HOST", "tcp://10.0.0.1:2375", "", "DOCKER_HOST DOCKER_CONTEXT"},
		{"far", []string{"DOCKER_CONTEXT=near", "DOCKER_HOST=tcp://10.0.0.1:2375"}, "far", "--context", "ssh://me@far.test", "", "DOCKER_HOST DOCKER_CONTEXT"},
		{"", []string{"DOCKER_HOST="}, "near", "currentContext", "tcp://127.0.0.1:2375", "", ""},
		{"", []string{"DOCKER_CONTEXT=gone"}, "gone", "DOCKER_CONTEXT", "", "no such context", "DOCKER_CONTEXT"},
		{"", []string{"DOCKER_HOST=ftp://x"}, Default, "DOCKER_HOST", "ftp://x", "no address of an engine", "DOCKER_HOST"},
	} {
		b := book(t, dir, c.env...)
		w, err := b.Winner(c.flag)
		must(t, err)
		if w.Name != c.name || w.Why != c.why || w.Host != c.host || !strings.Contains(w.Error, c.missing) || (c.missing == "") != (w.Error == "") {
			t.Errorf("%v --context %q: %+v wins, want %s because of %s", c.env, c.flag, w, c.name, c.why)
		}
		if got := strings.Join(b.Overriding("far"), " "); got != c.overridingForFar {
			t.Errorf("%v: %q goes before far, want %q", c.env, got, c.overridingForFar)
		}
		if c.flag != "" {
			continue
		}
		list, err := b.List()
		must(t, err)
		wins := 0
		for _, e := range list {
			if e.Wins {
				wins++
				if e.Name != c.name || e.Why != c.why {
					t.Errorf("%v: the list has %+v win", c.env, e)
				}
			}
		}
		if wins != 1 {
			t.Errorf("%v: %d contexts win in the list", c.env, wins)
		}
	}
}

func TestKinds(t *testing.T) {
	for host, want := range map[string]Kind{
		"unix:///var/run/docker.sock": Local, "npipe:////./pipe/docker_engine": Local, "fd://": Local,
		"tcp://127.0.0.1:2375": Local, "tcp://[::1]:2375": Local, "tcp://localhost:2376": Local, "ssh://lima@127.0.0.1:60022": Local,
		"tcp://10.1.2.3:2376": Remote, "ssh://build": Remote, "ssh://a@b:22/run/docker.sock": Remote, "https://engine.test": Remote,
		"": Unknown, "nonsense": Unknown, "tcp://%zz": Unknown,
	} {
		if got := kindOf(host); got != want {
			t.Errorf("%q is %s, want %s", host, got, want)
		}
	}
}

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

// A person's config.json may be a link into a folder of dotfiles, and others may read it.
func TestUseKeepsLinkAndMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // modes and links are Unix's
	}
	dir, dots := t.TempDir(), t.TempDir()
	file := filepath.Join(dots, "docker.json")
	const text = "{\n  \"zz\": {\"unknown\": [1, 2.50]},\n  \"auths\": {\"r.test\": {\"auth\": \"dTpw\"}}\n}\n"
	write(t, file, text)
	must(t, os.Chmod(file, 0o644)) //nolint:gosec // that is what is tested
	rel, err := filepath.Rel(dir, file)
	must(t, err)
	must(t, os.Symlink(rel, filepath.Join(dir, "config.json")))
	b := book(t, dir)
	must(t, b.Create("far", Change{Host: to("ssh://far.test")}))
	must(t, b.Use("far"))
	if got, want := read(t, file), strings.Replace(text, "}}\n}", "}},\n  \"currentContext\": \"far\"\n}", 1); got != want {
		t.Errorf("config.json is %s", got)
	}
	info, err := os.Lstat(filepath.Join(dir, "config.json"))
	must(t, err)
	if info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
	if info, err = os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	must(t, b.Use(Default))
	if got := read(t, file); got != text {
		t.Errorf("after default, config.json is %s", got)
	}
	must(t, os.Chmod(file, 0o444)) //nolint:gosec // somebody wants it so
	if err := b.Use("far"); err == nil || !strings.Contains(err.Error(), "is read-only") || read(t, file) != text {
		t.Errorf("a read-only config.json: %v", err)
	}
	if left, err := os.ReadDir(dots); err != nil || len(left) != 1 {
		t.Errorf("there is more beside it: %v, %v", left, err)
	}
}

func TestBrokenConfigIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.json")
	b := book(t, dir)
	must(t, b.Create("far", Change{Host: to("ssh://far.test")}))
	const text = "{\n\t\"auths\": {\"r.test\": {\"auth\": \"dTpw\"},}\n}"
	write(t, file, text)
	for _, call := range []func() error{
		func() error { return b.Use("far") },
		func() error { return b.Remove("far", true) },
		func() error { _, err := b.List(); return err },
	} {
		err := call()
		if err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "dTpw") {
			t.Errorf("it says %v", err)
		}
	}
	if got := read(t, file); got != text {
		t.Errorf("config.json is %s", got)
	}
	if _, err := b.Get("far"); err != nil {
		t.Errorf("the context is gone: %v", err)
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

// An address that others have written may hold a password: it is not shown, whatever is wrong with it.
func TestPasswordsOfOthersAreNotShown(t *testing.T) {
	dir := t.TempDir()
	b := book(t, dir, "DOCKER_HOST=tcp://me:c2Vj/cmV0@far.test:1/%zz")
	must(t, b.Create("far", Change{Host: to("ssh://far.test")}))
	file := filepath.Join(b.store.GetStorageInfo("far").MetadataPath, "meta.json")
	for _, host := range []string{"ssh://me:c2Vj/cmV0@far.test", "ssh://me:c2VjcmV0@far.test", "tcp://me:c2VjcmV0@far.test:x", "tcp://me:c2VjcmV0@127.0.0.1:1"} {
		write(t, file, `{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"`+host+`"}}}`)
		var archive, again bytes.Buffer
		must(t, b.Export("far", &archive))
		_, _ = again.ReadFrom(&archive)
		list, err := b.List()
		must(t, err)
		for _, said := range []any{list, b.Test(within(t, time.Second), "far"), b.Test(within(t, time.Second), Default), b.Import("new", &again), b.Update("far", Change{Description: to("x")})} {
			if text := fmt.Sprintf("%+v", said); strings.Contains(text, "c2Vj") || strings.Contains(text, "cmV0") {
				t.Errorf("%s: %s", host, text)
			}
		}
		must(t, b.store.Remove("new"))
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

// A context may come from anywhere: what is shown of it does nothing to a terminal.
func TestNoControlCharactersAreShown(t *testing.T) {
	b := book(t, t.TempDir())
	must(t, b.Create("far", Change{Host: to("ssh://far.test")}))
	file := filepath.Join(b.store.GetStorageInfo("far").MetadataPath, "meta.json")
	for _, host := range []string{`ssh://far\u001b[31m.test`, `ssh://me@far\u001b[31m.test`, `tcp://far.test:1/\u009b31m`, `\u001b[31m`} {
		write(t, file, `{"Name":"far","Metadata":{"Description":"x"},"Endpoints":{"docker":{"Host":"`+host+`"}}}`)
		e, err := b.Get("far")
		must(t, err)
		r := b.Test(within(t, time.Second), "far")
		for _, text := range []string{e.Host, e.Error, r.Host, r.Error} {
			if strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("%s: %q", host, text)
			}
		}
	}
	if text := oneLine("a\tb\x1b[31m\n\u009bc"); text != "a b[31m c" {
		t.Errorf("what an engine says is %q", text)
	}
}
