package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
)

// takePart stores a file that may be a layer or a config of a docker-archive:
// which of them are is said at the end, in manifest.json.
func (im *importer) takePart(m member, r io.Reader) error {
	if err := im.newPart(m); err != nil {
		return err
	}
	var d digest.Digest
	var err error
	if m.size <= inMemory {
		d, err = im.partInMemory(m, r)
	} else {
		d, err = im.partOnDisk(m, r)
	}
	if err != nil {
		return err
	}
	im.parts[m.name] = d
	im.carried[d] = m.size
	im.at.Blobs++
	im.tell(true)
	return nil
}

func (im *importer) newPart(m member) error {
	_, part := im.parts[m.name]
	_, alias := im.aliases[m.name]
	if part || alias {
		return invalid(m.name, "there twice")
	}
	if len(im.parts)+len(im.aliases) >= maxParts {
		return invalid("", "more than %d files", maxParts)
	}
	return nil
}

func (im *importer) partInMemory(m member, r io.Reader) (digest.Digest, error) {
	body, err := im.small(m, r)
	if err != nil {
		return "", err
	}
	return im.put(body)
}

// put stores a body and holds it.
func (im *importer) put(body []byte) (digest.Digest, error) {
	d := digest.FromBytes(body)
	im.release = append(im.release, im.c.Hold(d))
	if im.isStored(d, int64(len(body))) {
		return d, nil
	}
	if err := im.fits(int64(len(body))); err != nil {
		return "", err
	}
	im.at.Stored += int64(len(body))
	return d, im.c.PutFrom(d, body, Source)
}

func (im *importer) partOnDisk(m member, r io.Reader) (digest.Digest, error) {
	u, err := im.c.Upload()
	if err != nil {
		return "", err
	}
	defer u.Close()
	if err := im.fits(m.size); err != nil {
		return "", err
	}
	sum := sha256.New()
	if err := im.copy(m, io.MultiWriter(sum, u), r); err != nil {
		return "", err
	}
	d := digest.NewDigest(digest.SHA256, sum)
	im.release = append(im.release, im.c.Hold(d))
	if im.isStored(d, m.size) {
		return d, nil
	}
	im.at.Stored += m.size
	return d, u.Commit(d, Source)
}

func (im *importer) takeAlias(m member) error {
	if err := im.newPart(m); err != nil {
		return err
	}
	im.aliases[m.name] = m.target
	return nil
}

// part finds what a name in manifest.json stands for.
func (im *importer) part(name string) (digest.Digest, error) {
	clean := path.Clean(name)
	if target, linked := im.aliases[clean]; linked {
		clean = target
	}
	if d, here := im.parts[clean]; here {
		return d, nil
	}
	if encoded, ok := strings.CutPrefix(clean, "blobs/sha256/"); ok {
		d := digest.NewDigestFromEncoded(digest.SHA256, encoded)
		if _, here := im.carried[d]; here {
			return d, nil
		}
	}
	return "", invalid(name, "listed in %s, but not in it", savedFile)
}

// savedImages finds the images of a docker-archive and makes their manifests.
func (im *importer) savedImages() ([]found, error) {
	var list []saved
	if err := json.Unmarshal(im.tops[savedFile], &list); err != nil {
		return nil, &InvalidError{Entry: savedFile, Err: err}
	}
	if len(list) == 0 {
		return nil, invalid(savedFile, "lists no image")
	}
	var out []found
	for _, s := range list {
		f, err := im.savedImage(s)
		if err != nil {
			return nil, err
		}
		out = append(out, f...)
	}
	return out, nil
}

func (im *importer) savedImage(s saved) ([]found, error) {
	cfg, d, err := im.savedConfig(s)
	if err != nil {
		return nil, err
	}
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: d, Size: im.carried[d]},
		Layers: []ocispec.Descriptor{},
	}
	for i, name := range s.Layers {
		l, err := im.savedLayer(name, cfg.RootFS.DiffIDs[i])
		if err != nil {
			return nil, err
		}
		m.Layers = append(m.Layers, l)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	of, err := im.put(body)
	if err != nil {
		return nil, err
	}
	names, err := savedNames(s, d)
	if err != nil {
		return nil, err
	}
	for i := range names {
		names[i].Digest, names[i].mediaType, names[i].size = of, m.MediaType, int64(len(body))
	}
	return names, nil
}

// savedNames are an image's names below local. One that has none gets its id.
func savedNames(s saved, id digest.Digest) ([]found, error) {
	if len(s.RepoTags) == 0 {
		return []found{{Imported: Imported{Name: cache.Name{Registry: cache.Local, Repository: "imported"}, Tag: short(id)}}}, nil
	}
	var out []found
	for _, ref := range s.RepoTags {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			return nil, &InvalidError{Entry: savedFile, Why: fmt.Sprintf("%.80q", ref), Err: err}
		}
		n, tag, _, ok := splitReference(reference.TagNameOnly(named).String())
		if !ok || tag == "" {
			return nil, invalid(savedFile, "%.80q is no name with a tag", ref)
		}
		if mine, mineTag, _, ok := splitReference(local(ref)); ok && mineTag != "" {
			n = mine
		}
		out = append(out, found{Imported: Imported{Name: localName(n), Tag: tag, From: ref}})
	}
	return out, nil
}

// savedConfig reads a config. Its name says its digest.
func (im *importer) savedConfig(s saved) (cfg config, d digest.Digest, err error) {
	if d, err = im.part(s.Config); err != nil {
		return cfg, d, err
	}
	encoded := strings.TrimPrefix(strings.TrimSuffix(path.Base(s.Config), ".json"), "sha256:")
	if said := digest.NewDigestFromEncoded(digest.SHA256, encoded); said.Validate() == nil && said != d {
		return cfg, d, invalid(s.Config, "not what its name says, but %s", d)
	}
	body, err := readAll(im.c, d)
	if err != nil {
		return cfg, d, err
	}
	if err := json.Unmarshal(body, &cfg); err != nil {
		return cfg, d, &InvalidError{Entry: s.Config, Err: err}
	}
	if len(cfg.RootFS.DiffIDs) != len(s.Layers) {
		return cfg, d, invalid(s.Config, "names %d layers where %s lists %d", len(cfg.RootFS.DiffIDs), savedFile, len(s.Layers))
	}
	return cfg, d, nil
}

// savedLayer describes a layer, after holding it against the config, which names
// it by what it unpacks to.
func (im *importer) savedLayer(name string, diff digest.Digest) (ocispec.Descriptor, error) {
	d, err := im.part(name)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	l := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: d, Size: im.carried[d]}
	if d == diff {
		return l, nil
	}
	how, got, err := im.unpacked(d)
	if err != nil {
		return l, &InvalidError{Entry: name, Err: err}
	}
	if got != diff {
		return l, invalid(name, "not the layer that the config names: it unpacks to %s and not to %s", got, diff)
	}
	l.MediaType += "+" + how
	return l, nil
}

// unpacked hashes what a stored layer unpacks to.
func (im *importer) unpacked(d digest.Digest) (how string, got digest.Digest, err error) {
	b, err := im.c.Get(d)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = b.Close() }()
	head := make([]byte, 6)
	if _, err := b.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", "", err
	}
	if how, _ = compression(bytes.TrimRight(head, "\x00")); how == "" {
		return "", d, nil
	}
	plain, done, err := decompress(b.File())
	if err != nil {
		return how, "", err
	}
	defer done()
	sum := sha256.New()
	_, err = io.CopyBuffer(sum, cancelled{im.ctx, plain}, im.buf)
	return how, digest.NewDigest(digest.SHA256, sum), err
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context
	io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}
