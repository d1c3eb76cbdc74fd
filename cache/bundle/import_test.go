package bundle_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/cache/bundle"
	"pulley/internal/hubtest"
)

func TestThereAndBack(t *testing.T) {
	a, b := open(t), open(t)
	single, docker, list := small(1, here), small(3, here).Docker(), multi(5).Docker()
	att := small(9, "unknown/unknown")
	index := withAttestation(t, multi(7), childOf(t, multi(7), here).Digest(), att)
	mine := cache.Name{Registry: "local", Repository: "my/app"}
	odd := cache.Name{Registry: "corp", Repository: "a/b"} // a registry that docker's grammar has no place for
	images := []cache.Image{
		tagged(t, a, debian, single, "latest", "12"), tagged(t, a, app, docker, "v1"), tagged(t, a, app, list, "v2"),
		tagged(t, a, mine, index, "1"), tagged(t, a, odd, single, "x"), tagged(t, a, debian, small(20, here)),
	}
	body := export(t, a, bundle.Options{All: true}, images...)
	got := take(t, b, body)
	var names []string
	for _, g := range got {
		names = append(names, g.Name.String()+":"+g.Tag)
	}
	if want := []string{"corp/a/b:x", "docker.io/library/debian:", "docker.io/library/debian:12", "docker.io/library/debian:latest", "ghcr.io/org/app:v1", "ghcr.io/org/app:v2", "local/my/app:1"}; !slices.Equal(sorted(names), want) {
		t.Errorf("%q", sorted(names))
	}
	check(t, b, debian, "latest", single)
	check(t, b, debian, "12", single)
	check(t, b, app, "v1", docker)
	check(t, b, app, "v2", list)
	check(t, b, mine, "1", index)
	check(t, b, odd, "x", single)
	if !b.References(debian, small(20, here).Layers[0].Digest) {
		t.Error("the image without a tag belongs to nothing")
	}
	if again := export(t, b, bundle.Options{All: true}, images...); !bytes.Equal(again, body) {
		t.Error("exported again it is something else")
	}
}

// TestImportLargerThanTheCache: an archive that cannot fit is refused when that shows, and nothing of it is named.
func TestImportLargerThanTheCache(t *testing.T) {
	a, b := open(t), open(t)
	tagged(t, b, debian, small(1, here), "12")
	var many []cache.Image
	for seed := uint64(2); a.Stat().Size < 4*b.Stat().Size; seed++ {
		many = append(many, tagged(t, a, app, small(seed, here), fmt.Sprint("v", seed)))
	}
	body := export(t, a, bundle.Options{}, many...)
	b.SetMaxSize(2 * b.Stat().Size)
	var full *cache.NoSpaceError
	if _, err := bundle.Import(t.Context(), bytes.NewReader(body), b, nil); !errors.As(err, &full) {
		t.Errorf("an archive of %d bytes into %d: %v", len(body), b.Stat().MaxSize, err)
	}
	if tags, err := b.Tags(app); err != nil || len(tags) > 0 {
		t.Errorf("tags %q, %v", tags, err)
	}
}

func TestOnePlatformOfAnIndex(t *testing.T) {
	a, b := open(t), open(t)
	img := multi(1)
	take(t, b, export(t, a, bundle.Options{}, tagged(t, a, debian, img, "latest")))
	own, other := childOf(t, img, here), childOf(t, img, elsewhere())
	if tag, err := b.Tag(debian, "latest"); err != nil || tag.Digest != img.Digest() {
		t.Fatal(tag, err)
	}
	checkStored(t, b, append(own.Blobs(), own.Digest(), img.Digest())...)
	for _, d := range append(other.Blobs(), other.Digest()) {
		if isStored(b, d) {
			t.Errorf("%s is there", d)
		}
	}
}

func TestTagsAreAPersonsWord(t *testing.T) {
	a, b := open(t), open(t)
	img, newer := small(1, here), small(2, here)
	tagged(t, b, debian, newer, "other")
	tagged(t, b, debian, img, "same")
	before, err := b.Tag(debian, "same")
	if err != nil {
		t.Fatal(err)
	}
	take(t, b, export(t, a, bundle.Options{}, tagged(t, a, debian, img, "other", "same", "new")))
	check(t, b, debian, "other", img)
	for _, tag := range []string{"other", "new"} {
		got, err := b.Tag(debian, tag)
		if err != nil || time.Since(got.Checked) < 24*time.Hour || time.Since(got.Stored) > time.Hour {
			t.Errorf("%+v %v: the origin would not be asked", got, err)
		}
	}
	if after, err := b.Tag(debian, "same"); err != nil || !after.Checked.Equal(before.Checked) {
		t.Errorf("%+v %v: what the origin has said is forgotten", after, err)
	}
}

func TestStoredContentIsNotWrittenAgain(t *testing.T) {
	a, b := open(t), open(t)
	img := hubtest.RandomImage(1, 2, 600<<10).WithPlatform(here)
	entry := tagged(t, a, debian, img, "latest")
	body := export(t, a, bundle.Options{}, entry)
	tagged(t, b, debian, img, "old")
	before := stats(t, b)
	var last bundle.Progress
	if _, err := bundle.Import(t.Context(), bytes.NewReader(body), b, func(p bundle.Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if last.Stored != 0 || last.Blobs != 4 || last.Read == 0 {
		t.Errorf("%+v", last)
	}
	if after := stats(t, b); !slices.EqualFunc(before, after, os.SameFile) {
		t.Errorf("files were written again")
	}
	// What is stored does not excuse an archive that is damaged.
	at := bytes.Index(body, bytesOf(t, img.Layers[1].Content)[:1000])
	body[at+500]++
	var bad *bundle.InvalidError
	if _, err := bundle.Import(t.Context(), bytes.NewReader(body), b, nil); !errors.As(err, &bad) || !strings.Contains(bad.Entry, img.Layers[1].Digest.Encoded()) {
		t.Errorf("%v", err)
	}
}

func stats(t testing.TB, c *cache.Cache) (out []os.FileInfo) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.Dir(), "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fi)
	}
	return out
}

func TestProgressCountsTheArchive(t *testing.T) {
	a := open(t)
	img := hubtest.RandomImage(1, 1, 20<<20).WithPlatform(here)
	body := export(t, a, bundle.Options{}, tagged(t, a, debian, img, "1"))
	var all []bundle.Progress
	if _, err := bundle.Import(t.Context(), bytes.NewReader(body), open(t), func(p bundle.Progress) { all = append(all, p) }); err != nil {
		t.Fatal(err)
	}
	last := all[len(all)-1]
	if len(all) < 5 || last.Read < 20<<20 || last.Read > int64(len(body)) || last.Blobs != 3 || last.Stored < 20<<20 {
		t.Errorf("%d calls, the last %+v of %d bytes", len(all), last, len(body))
	}
}

func gzipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(body)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstded(t testing.TB, body []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := zstd.NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(body)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestCompressedArchives(t *testing.T) {
	a := open(t)
	img := multi(1)
	body := export(t, a, bundle.Options{All: true}, tagged(t, a, debian, img, "latest"))
	for name, packed := range map[string][]byte{"gzip": gzipped(t, body), "zstd": zstded(t, body)} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			take(t, b, packed)
			check(t, b, debian, "latest", img)
			packed[len(packed)-6]++ // the stream's own checksum, behind everything that is read of the tar
			if list, err := bundle.Import(t.Context(), bytes.NewReader(packed), open(t), nil); err == nil {
				t.Errorf("a stream whose checksum does not fit: %v", list)
			}
		})
	}
	_, err := bundle.Import(t.Context(), strings.NewReader("\xfd7zXZ\x00 and so on"), open(t), nil)
	if err == nil || !strings.Contains(err.Error(), "xz -dc FILE | pulley cache import -") {
		t.Errorf("%v", err)
	}
}

// TestIncompleteSetsNoTag leaves out each blob of an image in turn.
func TestIncompleteSetsNoTag(t *testing.T) {
	a := open(t)
	whole, broken := small(1, here), multi(2)
	files := untar(t, export(t, a, bundle.Options{}, tagged(t, a, debian, whole, "whole"), tagged(t, a, debian, broken, "broken")))
	own := childOf(t, broken, here)
	for _, d := range append(own.Blobs(), own.Digest(), broken.Digest()) {
		b := open(t)
		_, err := bundle.Import(t.Context(), bytes.NewReader(files.without("blobs/sha256/"+d.Encoded()).tar(t)), b, nil)
		var bad *bundle.InvalidError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), string(d)) {
			t.Errorf("without %s: %v", d, err)
		}
		if tags := b.AllTags(); len(tags) != 0 {
			t.Errorf("without %s: %v", d, tags)
		}
	}
}

// TestCutAnywhere ends the stream after each block.
func TestCutAnywhere(t *testing.T) {
	a := open(t)
	body := export(t, a, bundle.Options{}, tagged(t, a, debian, hubtest.RandomImage(1, 1, 300<<10).WithPlatform(here), "latest"))
	dir := t.TempDir()
	b := openIn(t, dir)
	last := len(bytes.TrimRight(body, "\x00")) // without the end of the archive all is there
	for n := 0; n < last; n += 512 * 17 {
		if list, err := bundle.Import(t.Context(), io.MultiReader(bytes.NewReader(body[:n])), b, nil); err == nil {
			t.Fatalf("%d bytes of %d: %v", n, len(body), list)
		}
		if tags := b.AllTags(); len(tags) != 0 {
			t.Fatalf("%d bytes: %v", n, tags)
		}
		if left := leftovers(t, dir); len(left) != 0 {
			t.Fatalf("%d bytes: %v", n, left)
		}
	}
}

// TestCrashLeavesNothing looks at the directory as it is when the process dies
// in the middle of a blob.
func TestCrashLeavesNothing(t *testing.T) {
	a, b := open(t), open(t)
	img := hubtest.RandomImage(1, 1, 2<<20).WithPlatform(here)
	body := export(t, a, bundle.Options{}, tagged(t, a, debian, img, "latest"))
	dir, copied := t.TempDir(), false
	middle := readerFunc(func(p []byte) (int, error) {
		if err := os.CopyFS(dir, os.DirFS(b.Dir())); err != nil {
			t.Fatal(err)
		}
		copied = true
		return 0, io.EOF
	})
	half := len(body) - 1<<20
	if _, err := bundle.Import(t.Context(), io.MultiReader(bytes.NewReader(body[:half]), middle, bytes.NewReader(body[half:])), b, nil); err != nil || !copied {
		t.Fatal(err)
	}
	if len(leftovers(t, dir)) == 0 {
		t.Fatal("nothing was under way: this tests nothing")
	}
	c := openIn(t, dir)
	if left := leftovers(t, dir); len(left) != 0 {
		t.Error(left)
	}
	if tags := c.AllTags(); len(tags) != 0 {
		t.Error(tags)
	}
	take(t, c, body)
	check(t, c, debian, "latest", img)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestImportEndsWithItsContext(t *testing.T) {
	a, b := open(t), open(t)
	body := export(t, a, bundle.Options{}, tagged(t, a, debian, hubtest.RandomImage(1, 1, 2<<20).WithPlatform(here), "latest"))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("somebody pressed ^C")
	stop := readerFunc(func([]byte) (int, error) { cancel(why); return 0, io.EOF })
	if _, err := bundle.Import(ctx, io.MultiReader(bytes.NewReader(body[:1<<20]), stop, bytes.NewReader(body[1<<20:])), b, nil); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	if len(b.AllTags()) != 0 || len(leftovers(t, b.Dir())) != 0 {
		t.Error(b.AllTags(), leftovers(t, b.Dir()))
	}
}

// TestForeignLayouts are the names that other programs give.
func TestForeignLayouts(t *testing.T) {
	img := small(1, here)
	for _, test := range []struct {
		containerd, ref string
		want            string
	}{
		{"docker.io/library/debian:12", "12", "docker.io/library/debian:12"}, // buildx
		{"", "ghcr.io/org/app:v1", "ghcr.io/org/app:v1"},                     // skopeo copy … oci-archive:FILE:ghcr.io/org/app:v1
		{"", "debian:12", "docker.io/library/debian:12"},
		{"", "debian", "local/imported:debian"}, // a tag alone, says the specification
		{"", "", "local/imported:" + img.Digest().Encoded()[:12]},
		{"", "local/my/app:1", "local/my/app:1"},
		{"localhost:5000/app:1", "1", "localhost:5000/app:1"},
		{"docker.io/library/debian@" + string(img.Digest()), "", "docker.io/library/debian@" + string(img.Digest())},
	} {
		c := open(t)
		d := ocispec.Descriptor{MediaType: img.MediaType, Digest: img.Digest(), Size: int64(len(img.Manifest)), Annotations: map[string]string{}}
		if test.containerd != "" {
			d.Annotations["io.containerd.image.name"] = test.containerd
		}
		if test.ref != "" {
			d.Annotations[ocispec.AnnotationRefName] = test.ref
		}
		got := take(t, c, layoutOf(t, d, img).tar(t))
		name := got[0].Name.String() + ":" + got[0].Tag
		if got[0].Tag == "" {
			name = got[0].Name.String() + "@" + string(got[0].Digest)
		}
		if len(got) != 1 || name != test.want {
			t.Errorf("%q %q: %+v, want %s", test.containerd, test.ref, got, test.want)
		}
		checkStored(t, c, img.Blobs()...)
	}
}

// layoutOf is a layout as other programs write it: blobs first, in folders,
// with "./" in front.
func layoutOf(t testing.TB, entry ocispec.Descriptor, images ...hubtest.Image) files {
	t.Helper()
	out := files{{name: "./", dir: true}, {name: "./blobs/", dir: true}, {name: "./blobs/sha256/", dir: true}}
	for _, img := range images {
		bodies := [][]byte{img.Manifest, img.Config}
		for _, l := range img.Layers {
			bodies = append(bodies, bytesOf(t, l.Content))
		}
		for _, b := range bodies {
			out = append(out, file{name: "./blobs/sha256/" + digest.FromBytes(b).Encoded(), body: b})
		}
	}
	return append(out,
		file{name: "./index.json", body: encode(t, ocispec.Index{Manifests: []ocispec.Descriptor{entry}})},
		file{name: "./oci-layout", body: []byte(`{"imageLayoutVersion": "1.0.0"}`)})
}
