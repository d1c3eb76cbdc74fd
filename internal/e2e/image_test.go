//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// rootfs is the image that every engine pulls: layers made from real files, a busybox system first, under an index of two
// platforms. The other platform shares no layer with it, so that fetching one of those is seen.
var rootfs = sync.OnceValues(func() (hubtest.Image, error) {
	image, err := hubtest.FromTar(busyboxLayer(), filesLayer("usr/share/data", dataFiles()), filesLayer("usr/bin", tools()), changesLayer())
	if err != nil {
		return hubtest.Image{}, err
	}
	other := "amd64"
	if runtime.GOARCH == other {
		other = "arm64"
	}
	return hubtest.MultiArch(map[string]hubtest.Image{
		"linux/" + runtime.GOARCH: image,
		"linux/" + other:          hubtest.RandomImage(64, 2, 1<<20),
	}), nil
})

func testImage(t *testing.T) hubtest.Image {
	t.Helper()
	image, err := rootfs()
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// own is the child of an index that an engine on this machine takes.
func own(image hubtest.Image) hubtest.Image {
	for _, child := range image.Children {
		if child.Platform.Architecture == runtime.GOARCH {
			return child
		}
	}
	return image
}

// another is a small image that no other test has, for pushes and private repositories.
func another(name string) hubtest.Image {
	base := hubtest.RandomImage(7, 2, 2<<20)
	image, err := hubtest.FromTar(base.Layers[0].Content, base.Layers[1].Content, hubtest.Tar(map[string]string{
		"etc/": "", "etc/name": name + "\n",
	}))
	if err != nil {
		panic(err)
	}
	return image.WithPlatform("linux/" + runtime.GOARCH)
}

// simple is an image of one layer of random bytes for this machine.
func simple(seed uint64, size int64) hubtest.Image {
	return hubtest.RandomImage(seed, 1, size).WithPlatform("linux/" + runtime.GOARCH)
}

// layer writes a tar archive.
type layer struct {
	*tar.Writer
	buf *bytes.Buffer
}

func newLayer() layer {
	buf := new(bytes.Buffer)
	return layer{tar.NewWriter(buf), buf}
}

func (l layer) add(h tar.Header, body []byte) {
	h.Size = int64(len(body))
	h.ModTime = time.Unix(1_700_000_000, 0)
	if h.Mode == 0 {
		h.Mode = 0o755
	}
	if err := l.WriteHeader(&h); err != nil {
		panic(fmt.Sprintf("%s: %v", h.Name, err))
	}
	if _, err := l.Write(body); err != nil {
		panic(fmt.Sprintf("%s: %v", h.Name, err))
	}
}

func (l layer) content() hubtest.Content {
	if err := l.Close(); err != nil {
		panic(err)
	}
	return hubtest.Bytes(l.buf.Bytes())
}

// busyboxLayer is a small root file system around the static busybox, with its commands as links.
func busyboxLayer() hubtest.Content {
	l := newLayer()
	for _, dir := range []string{"bin/", "dev/", "etc/", "proc/", "root/", "sys/", "tmp/", "usr/", "usr/bin/", "usr/share/", "var/"} {
		l.add(tar.Header{Name: dir, Typeflag: tar.TypeDir}, nil)
	}
	path, err := exec.LookPath("busybox")
	if err != nil {
		panic(err)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	l.add(tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg}, body)
	names, err := exec.Command(path, "--list").Output()
	if err != nil {
		panic(err)
	}
	for name := range strings.FieldsSeq(string(names)) {
		if name != "busybox" {
			l.add(tar.Header{Name: "bin/" + name, Typeflag: tar.TypeLink, Linkname: "bin/busybox"}, nil)
		}
	}
	l.add(tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\n"))
	return l.content()
}

// changesLayer removes and replaces files of the layers below.
func changesLayer() hubtest.Content {
	l := newLayer()
	l.add(tar.Header{Name: "etc/", Typeflag: tar.TypeDir}, nil)
	l.add(tar.Header{Name: "etc/.wh.passwd", Typeflag: tar.TypeReg, Mode: 0o644}, nil)
	l.add(tar.Header{Name: "etc/hello", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("hello\n"))
	l.add(tar.Header{Name: "etc/greeting", Typeflag: tar.TypeSymlink, Linkname: "hello"}, nil)
	return l.content()
}

// filesLayer packs files of this machine, under dir.
func filesLayer(dir string, paths []string) hubtest.Content {
	l := newLayer()
	made := map[string]bool{}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		name := filepath.Join(dir, path)
		var up []string
		for d := filepath.Dir(name); d != "."; d = filepath.Dir(d) {
			up = append([]string{d}, up...)
		}
		for _, d := range up {
			if !made[d] {
				made[d] = true
				l.add(tar.Header{Name: d + "/", Typeflag: tar.TypeDir}, nil)
			}
		}
		l.add(tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}, body)
	}
	return l.content()
}

// dataFiles is some 4 MiB of small files: Go's own library.
func dataFiles() []string {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		panic(err)
	}
	return collect(filepath.Join(strings.TrimSpace(string(root)), "src", "net"), 4<<20)
}

// tools is some 5 MiB of programs.
func tools() []string { return collect("/usr/bin", 5<<20) }

// collect lists regular files under dir until they have that many bytes together.
func collect(dir string, size int64) []string {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.Size() > size {
			return nil
		}
		paths = append(paths, path)
		if size -= info.Size(); size <= 0 {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil || len(paths) == 0 {
		panic(fmt.Sprintf("%s: no files: %v", dir, err))
	}
	return paths
}

var _ io.Writer = layer{}
