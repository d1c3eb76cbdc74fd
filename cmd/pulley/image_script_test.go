package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"

	"pulley/internal/hubtest"
)

// TestImageScripts are what a person types about images, over a Docker Hub of our own. Each script has a PULLEY_HOME and
// a HOME of its own; they share the Hub.
func TestImageScripts(t *testing.T) {
	hub := &hubtest.Hub{Users: map[string]string{"ann": "s3cret"}}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	both := func(seed uint64, layer int64) hubtest.Image {
		return hubtest.MultiArch(map[string]hubtest.Image{
			"linux/amd64": hubtest.RandomImage(seed, 2, layer), "linux/arm64": hubtest.RandomImage(seed+1, 2, layer),
		})
	}
	hub.Push("library/alpine", "3.20", both(10, 300<<10))
	hub.Push("library/alpine", "latest", both(10, 300<<10))
	hub.Push("library/redis", "7", both(20, 100<<10))
	hub.Push("library/base", "1", both(30, 50<<10))
	hub.Push("library/old", "1", hubtest.MultiArch(map[string]hubtest.Image{"linux/386": hubtest.RandomImage(60, 1, 1000)}))
	hub.Push("org/private", "1", both(40, 100<<10))
	hub.SetPrivate("org/private", "ann")
	hub.Push("library/slow", "1", both(50, 4<<20))
	var slow []hubtest.Faults
	for _, one := range both(50, 4<<20).Blobs() {
		slow = append(slow, hubtest.Faults{Digest: one, Bandwidth: 64 << 10})
	}
	hub.SetFaults(slow...)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "images"),
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"PULLEY_HOME", "OTHER_HOME"} {
				home, err := os.MkdirTemp("", "pulley")
				if err != nil {
					return err
				}
				e.Defer(func() { _ = os.RemoveAll(home) })
				e.Setenv(name, home)
				if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(hubtest.Settings{Origin: hub}.String()), 0o600); err != nil {
					return err
				}
			}
			e.Setenv("DOCKER_CONFIG", filepath.Join(e.WorkDir, "docker"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": awaitReady, "jsonlines": jsonLinesOf, "tarhas": tarHas, "spoil": spoilBlobs, "cut": cutFile, "until": until, "dockersave": dockerSave,
		},
		RequireExplicitExec: true,
	})
}

// jsonLinesOf checks that a file holds JSON lines, all but the last with progress, that with a result: `jsonlines FILE`.
func jsonLinesOf(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	for i, line := range lines {
		var one map[string]any
		ts.Check(json.Unmarshal([]byte(line), &one))
		want := "progress"
		if i == len(lines)-1 {
			want = "result"
		}
		if len(one) != 1 || one[want] == nil {
			ts.Fatalf("line %d of %d has no %s: %s", i+1, len(lines), want, line)
		}
	}
}

// tarHas checks for files in a tar: `tarhas FILE NAME…`, and that nothing is missing at its end.
func tarHas(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer func() { _ = f.Close() }()
	var names []string
	for from := tar.NewReader(f); ; {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		ts.Check(err)
		names = append(names, h.Name)
	}
	for _, name := range args[1:] {
		if slices.Contains(names, name) == neg {
			ts.Fatalf("%s: %v in %q", name, !neg, names)
		}
	}
}

// spoilBlobs flips a bit in each blob of more than so many bytes: `spoil DIR SIZE`.
func spoilBlobs(ts *testscript.TestScript, _ bool, args []string) {
	least, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	dir := filepath.Join(ts.MkAbs(args[0]), "blobs", "sha256")
	entries, err := os.ReadDir(dir)
	ts.Check(err)
	n := 0
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		body, err := os.ReadFile(path)
		ts.Check(err)
		if int64(len(body)) <= least {
			continue
		}
		body[len(body)/2] ^= 1
		ts.Check(os.WriteFile(path, body, 0o600))
		n++
	}
	if n == 0 {
		ts.Fatalf("no blob has more than %d bytes", least)
	}
}

// cutFile leaves the first bytes of a file: `cut FILE SIZE`.
func cutFile(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// dockerSave writes an image as docker save did for years: `dockersave FILE NAME`.
func dockerSave(ts *testscript.TestScript, _ bool, args []string) {
	image, err := random.Image(1000, 1)
	ts.Check(err)
	ref, err := name.NewTag(args[1])
	ts.Check(err)
	ts.Check(tarball.WriteToFile(ts.MkAbs(args[0]), ref, image))
}

// until runs a command until its output has a text: `until TEXT COMMAND ARG…`. What is served and what was stored settle
// a moment after the client has its last byte.
func until(ts *testscript.TestScript, _ bool, args []string) {
	for range 1000 {
		if err := ts.Exec(args[1], args[2:]...); err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
	}
	ts.Fatalf("never %q in %q", args[0], ts.ReadFile("stdout"))
}
