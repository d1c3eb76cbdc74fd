package context

import (
	"bytes"
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
