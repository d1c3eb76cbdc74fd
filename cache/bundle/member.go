package bundle

import (
	"archive/tar"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// kind is what a member of an archive is to us.
type kind int

const (
	other   kind = iota // passed over
	top                 // oci-layout, index.json, manifest.json
	content             // blobs/sha256/…
	part                // may be a layer or a config of a docker-archive
	alias               // a symbolic link in a docker-archive
)

// Limits on what a foreign archive may make us remember.
const (
	maxMembers = 1 << 20
	maxParts   = 1 << 16
	maxName    = 1 << 10
)

// member is one entry of an archive, its name clean. Nothing is ever written
// under that name.
type member struct {
	kind   kind
	name   string
	size   int64
	digest digest.Digest // of content
	target string        // of alias: another name in the archive
}

// memberOf judges a header. An archive with something in it that no program
// makes who means well is refused as a whole.
func memberOf(h *tar.Header) (member, error) {
	name := path.Clean(h.Name)
	if name == ".." || strings.HasPrefix(name, "../") || path.IsAbs(name) {
		return member{}, invalid(h.Name, "leads out of the archive")
	}
	if len(name) > maxName {
		return member{}, invalid(h.Name, "too long a name")
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return member{}, invalid(h.Name, "a file with holes")
		}
	}
	m := member{name: name, size: h.Size}
	switch h.Typeflag {
	case tar.TypeReg:
		return m, m.classify()
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return m, nil
	case tar.TypeSymlink:
		return m, m.follow(h.Linkname)
	case tar.TypeLink:
		return m, invalid(h.Name, "a hard link")
	case tar.TypeGNUSparse:
		return m, invalid(h.Name, "a file with holes")
	default:
		return m, invalid(h.Name, "neither a file nor a directory")
	}
}

func (m *member) classify() error {
	dir, base := path.Split(m.name)
	switch {
	case m.name == ocispec.ImageLayoutFile, m.name == ocispec.ImageIndexFile, m.name == savedFile:
		m.kind = top
	case dir == "blobs/sha256/":
		m.kind, m.digest = content, digest.NewDigestFromEncoded(digest.SHA256, base)
		if m.digest.Validate() != nil {
			return invalid(m.name, "not the name of a blob")
		}
	case strings.HasPrefix(m.name, "blobs/"): // of another algorithm
	case isPart(base):
		m.kind = part
	}
	return nil
}

// isPart reports whether a file can be a layer or a config of a docker-archive:
// docker, podman, ko and Bazel name them <id>/layer.tar, <digest>.tar,
// <digest>.tar.gz, <digest>.json and sha256:<digest>.
func isPart(base string) bool {
	for _, suffix := range []string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".json"} {
		if strings.HasSuffix(base, suffix) {
			return true
		}
	}
	return strings.HasPrefix(base, "sha256:")
}

// follow judges a symbolic link. docker save (until 24) and podman save name a
// layer that occurs again by one; nobody else has use for any.
func (m *member) follow(to string) error {
	if path.IsAbs(to) || !isPart(path.Base(m.name)) || strings.HasPrefix(m.name, "blobs/") {
		return invalid(m.name, "a symbolic link")
	}
	m.target = path.Join(path.Dir(m.name), to)
	if m.target == ".." || strings.HasPrefix(m.target, "../") || len(m.target) > maxName {
		return invalid(m.name, "a symbolic link out of the archive")
	}
	m.kind = alias
	return nil
}
