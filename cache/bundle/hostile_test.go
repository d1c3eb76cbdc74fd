package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache/bundle"
)

// refused expects that an archive is not taken, for the given reasons, and that
// it leaves no tag, no file in flight and nothing outside of the cache.
func refused(t *testing.T, body []byte, why ...string) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "cache")
	c := openIn(t, dir)
	list, err := bundle.Import(t.Context(), bytes.NewReader(body), c, nil)
	var bad *bundle.InvalidError
	if !errors.As(err, &bad) {
		t.Fatalf("%v %v", list, err)
	}
	for _, w := range why {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v: does not say %q", err, w)
		}
	}
	if tags := c.AllTags(); len(tags) != 0 {
		t.Error(tags)
	}
	if left := leftovers(t, dir); len(left) != 0 {
		t.Error(left)
	}
	if entries, err := os.ReadDir(top); err != nil || len(entries) != 1 {
		t.Error(entries, err)
	}
	for _, fi := range stats(t, c) {
		b, err := os.ReadFile(filepath.Join(dir, "blobs", "sha256", fi.Name()))
		if err != nil || digest.FromBytes(b).Encoded() != fi.Name() {
			t.Errorf("%s is not what its name says: %v", fi.Name(), err)
		}
	}
}

func TestHostileEntries(t *testing.T) {
	a := open(t)
	img := small(1, here)
	good := untar(t, export(t, a, bundle.Options{}, tagged(t, a, debian, img, "latest"))).list()
	blob := "blobs/sha256/" + img.Layers[0].Digest.Encoded()
	link := func(kind byte, name, to string) file {
		return file{header: &tar.Header{Typeflag: kind, Name: name, Linkname: to}}
	}
	for name, test := range map[string]struct {
		f   file
		why string
	}{
		"out of it":           {file{name: "../../etc/passwd", body: []byte("x")}, "../../etc/passwd"},
		"out of it, behind":   {file{name: "blobs/../../x", body: []byte("x")}, "leads out"},
		"absolute":            {file{name: "/etc/passwd", body: []byte("x")}, "/etc/passwd"},
		"link at a blob":      {link(tar.TypeSymlink, "blobs/sha256/"+strings.Repeat("a", 64), "/etc/passwd"), "symbolic link"},
		"link inside a blob":  {link(tar.TypeSymlink, "blobs/sha256/"+strings.Repeat("a", 64), img.Layers[0].Digest.Encoded()), "symbolic link"},
		"link at the list":    {link(tar.TypeSymlink, "repositories.json", "../secret.json"), "symbolic link out"},
		"absolute link":       {link(tar.TypeSymlink, "1/layer.tar", "/var/layer.tar"), "symbolic link"},
		"link in blobs":       {link(tar.TypeSymlink, "blobs/sha256/layer.tar", "../../1/layer.tar"), "symbolic link"},
		"hard link":           {link(tar.TypeLink, "1/layer.tar", blob), "hard link"},
		"device":              {link(tar.TypeChar, "null", ""), "neither a file"},
		"pipe":                {link(tar.TypeFifo, "pipe", ""), "neither a file"},
		"the same blob twice": {file{name: blob, body: good.find(blob)}, "twice"},
		"another path to it":  {file{name: "./blobs//sha256/../sha256/" + img.Layers[0].Digest.Encoded(), body: good.find(blob)}, "twice"},
		"the list twice":      {file{name: "index.json", body: good.find("index.json")}, "twice"},
		"wrong blob":          {file{name: "blobs/sha256/" + strings.Repeat("a", 64), body: []byte("x")}, strings.Repeat("a", 64)},
		"wrong large blob":    {file{name: "blobs/sha256/" + strings.Repeat("a", 64), body: make([]byte, 1<<20)}, strings.Repeat("a", 64)},
		"no name of a blob":   {file{name: "blobs/sha256/" + strings.Repeat("A", 64), body: []byte("x")}, "not the name of a blob"},
		"long name":           {file{name: strings.Repeat("x/", 600) + "x", body: []byte("x")}, "too long"},
		"another layout":      {file{name: "oci-layout", body: []byte(`{"imageLayoutVersion":"2.0.0"}`)}, "oci-layout"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, append(slices.Clone(good), test.f).tar(t), test.why)
		})
	}
	// Files with holes, as GNU tar writes them: a terabyte out of nothing.
	old := files{{header: &tar.Header{Typeflag: tar.TypeReg, Name: "x", Format: tar.FormatGNU}}}.tar(t)[:512]
	old[156] = tar.TypeGNUSparse
	copy(old[483:495], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00")
	refused(t, slices.Concat(sealed(old), good.tar(t)), "holes")
	records := "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n" + "28 GNU.sparse.realsize=4096\n"
	pax := files{{name: "x", body: []byte(records)}}.tar(t)[:1024]
	pax[156] = tar.TypeXHeader
	refused(t, slices.Concat(sealed(pax), files{{name: "x", body: []byte("1\n4096\n0\n" + strings.Repeat("\x00", 503))}}.tar(t)), "holes")
}

func (f files) find(name string) []byte {
	for _, e := range f {
		if e.name == name {
			return e.body
		}
	}
	return nil
}

// sealed puts the right checksum into a header that was changed.
func sealed(h []byte) []byte {
	copy(h[148:156], "        ")
	sum := 0
	for _, b := range h[:512] {
		sum += int(b)
	}
	copy(h[148:156], octal(sum))
	return h
}

func octal(n int) string {
	s := []byte("000000\x00 ")
	for i := 5; i >= 0; i, n = i-1, n/8 {
		s[i] = byte('0' + n%8)
	}
	return string(s)
}

// TestLyingLists changes what index.json and manifests say.
func TestLyingLists(t *testing.T) {
	a := open(t)
	img := multi(1)
	own := childOf(t, img, here)
	good := untar(t, export(t, a, bundle.Options{}, tagged(t, a, debian, img, "latest")))
	relist := func(change func(*ocispec.Index)) []byte {
		var idx ocispec.Index
		if err := json.Unmarshal(good.files["index.json"], &idx); err != nil {
			t.Fatal(err)
		}
		change(&idx)
		out := slices.Clone(good.list())
		for i := range out {
			if out[i].name == "index.json" {
				out[i].body = encode(t, idx)
			}
		}
		return out.tar(t)
	}
	for name, test := range map[string]struct {
		change func(*ocispec.Index)
		why    string
	}{
		"size":          {func(i *ocispec.Index) { i.Manifests[0].Size++ }, img.Digest().Encoded()},
		"negative size": {func(i *ocispec.Index) { i.Manifests[0].Size = -1 }, "index.json"},
		"not there":     {func(i *ocispec.Index) { i.Manifests[0].Digest = digest.FromString("x") }, digest.FromString("x").Encoded()},
		"no digest":     {func(i *ocispec.Index) { i.Manifests[0].Digest = "../../x" }, "../../x"},
		"two sizes":     {func(i *ocispec.Index) { d := i.Manifests[0]; d.Size--; i.Manifests = append(i.Manifests, d) }, img.Digest().Encoded()},
		"a layer": {func(i *ocispec.Index) {
			d := own.Layers[0]
			i.Manifests[0].Digest, i.Manifests[0].Size = d.Digest, d.Content.Size()
		}, "not a manifest"},
		"empty":         {func(i *ocispec.Index) { i.Manifests = nil }, ""},
		"wraps nothing": {func(i *ocispec.Index) { i.Manifests[0].Annotations["app.pulley.manifest"] = string(own.Digest()) }, "does not stand for"},
		"another's name": {func(i *ocispec.Index) {
			i.Manifests[0].Annotations = map[string]string{"io.containerd.image.name": "debian@" + string(own.Digest())}
		}, "listed as"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "empty" { // then docker's list counts, which is whole
				take(t, open(t), relist(test.change))
				return
			}
			refused(t, relist(test.change), test.why)
		})
	}
	t.Run("size of a layer", func(t *testing.T) {
		lie := small(3, here)
		size := strconv.FormatInt(lie.Layers[1].Content.Size(), 10)
		lie.Manifest = bytes.Replace(lie.Manifest, []byte(`"size":`+size), []byte(`"size":1`+size), 1)
		d := ocispec.Descriptor{MediaType: lie.MediaType, Digest: lie.Digest(), Size: int64(len(lie.Manifest))}
		refused(t, layoutOf(t, d, lie).tar(t), "is listed with")
	})
	t.Run("a large one", func(t *testing.T) {
		out := slices.Clone(good.list())
		for i := range out {
			if out[i].name == "blobs/sha256/"+own.Layers[1].Digest.Encoded() {
				out[i].body = make([]byte, 8<<20)
			}
		}
		var read int64
		body := bytes.NewReader(out.tar(t))
		_, err := bundle.Import(t.Context(), readerFunc(func(p []byte) (int, error) {
			n, err := body.Read(p)
			read += int64(n)
			return n, err
		}), open(t), nil)
		if err == nil || !strings.Contains(err.Error(), "is listed with") || read > 4<<20 {
			t.Errorf("%v after %d bytes", err, read)
		}
	})
	t.Run("nothing but an attestation", func(t *testing.T) {
		att := small(8, "unknown/unknown")
		idx := withAttestation(t, img, own.Digest(), att)
		idx.Config = []byte("{}")
		d := ocispec.Descriptor{MediaType: idx.MediaType, Digest: idx.Digest(), Size: int64(len(idx.Manifest))}
		refused(t, layoutOf(t, d, att, idx).tar(t), idx.Digest().Encoded(), "not a single platform")
	})
	t.Run("nothing", func(t *testing.T) {
		refused(t, files{{name: "readme", body: []byte("x")}}.tar(t), "index.json")
		refused(t, []byte("not a tar at all, but longer than nothing"))
		refused(t, nil, "index.json")
	})
}

func TestLyingDockerArchives(t *testing.T) {
	all, one, _ := dockerSave(t, layerA, layerB)
	with := func(name string, body []byte) []byte {
		out := slices.Clone(all)
		for i := range out {
			if out[i].name == name {
				out[i].body = body
			}
		}
		return out.tar(t)
	}
	config := digest.FromBytes(one).Encoded() + ".json"
	list := func(s ...saved) []byte { return with("manifest.json", encode(t, s)) }
	refused(t, with("222/layer.tar", layerOf("c", 100)), "222/layer.tar", "not the layer that the config names")
	refused(t, with("222/layer.tar", gzipped(t, layerOf("c", 100))), "222/layer.tar", "it unpacks to")
	refused(t, with("222/layer.tar", gzipped(t, layerB)[:60]), "222/layer.tar", "unexpected EOF")
	refused(t, with(config, configOf(layerB, layerA)), config)
	refused(t, with("manifest.json", []byte("{}")), "manifest.json")
	refused(t, with("manifest.json", []byte("[]")), "lists no image")
	refused(t, list(saved{config, nil, []string{"111/layer.tar"}}), "names 2 layers")
	refused(t, list(saved{config, nil, []string{"111/layer.tar", "999/layer.tar"}}), "999/layer.tar")
	refused(t, list(saved{config, nil, []string{"111/layer.tar", "/etc/passwd"}}), "/etc/passwd")
	refused(t, list(saved{config, []string{"../../x"}, []string{"111/layer.tar", "222/layer.tar"}}), "../../x")
	refused(t, append(slices.Clone(all), file{name: "222/layer.tar", body: layerB}).tar(t), "twice")
	refused(t, append(slices.Clone(all), file{name: "444/layer.tar", link: "555/layer.tar"}, file{name: "444/layer.tar", link: "111/layer.tar"}).tar(t), "twice")
	// A link to a link is not followed.
	refused(t, append(slices.Clone(all[:len(all)-2]), file{name: "444/layer.tar", link: "../333/layer.tar"},
		file{name: "manifest.json", body: encode(t, []saved{{config, nil, []string{"444/layer.tar", "222/layer.tar"}}})}).tar(t), "444/layer.tar")
}

// TestWhatIsNotAskedForIsNotKept: files of other programs are passed over.
func TestWhatIsNotAskedForIsNotKept(t *testing.T) {
	a, b := open(t), open(t)
	junk := []byte(`{"junk": true}`)
	all := append(untar(t, export(t, a, bundle.Options{}, tagged(t, a, debian, small(1, here), "latest"))).list(),
		file{name: "junk.json", body: junk}, file{name: "README", body: junk})
	all = append(files{{name: "blobs/sha512/junk.json", body: junk}}, all...)
	take(t, b, all.tar(t))
	if isStored(b, digest.FromBytes(junk)) {
		t.Error("it is")
	}
}

// endless is a stream of one byte.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestBomb: a few MiB that unpack to hundreds of GiB are given up early, and no
// memory is taken for what a header only announces.
func TestBomb(t *testing.T) {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		tw := tar.NewWriter(z)
		_ = tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Size: 1 << 40})
		_, err := io.Copy(tw, endless{})
		_ = w.CloseWithError(err)
	}()
	_, err := bundle.Import(t.Context(), r, open(t), nil)
	_ = r.Close()
	<-done
	if err == nil || !strings.Contains(err.Error(), "unpacks to more than") {
		t.Errorf("%v", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, name := range []string{"index.json", "manifest.json", "blobs/sha256/" + strings.Repeat("a", 64)} {
		var buf bytes.Buffer
		_ = tar.NewWriter(&buf).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1 << 40})
		refused(t, buf.Bytes(), name)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 32<<20 {
		t.Errorf("%d MiB for nothing but headers", (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}
