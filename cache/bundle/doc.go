// Package bundle carries images out of a cache and into one, as a single tar
// that container engines read too.
//
// # What is in it
//
// A bundle is an OCI image layout in a tar, with the list that `docker save`
// writes beside it:
//
//	oci-layout
//	index.json       every image, under each of its names
//	manifest.json    the same for docker load: Config, RepoTags, Layers
//	blobs/sha256/…   each blob once; manifests and configs before layers
//
// Content is carried as it is, byte for byte, so digests stay. Of an index the
// chosen platforms go along with the index itself; what other platforms it lists
// is then simply not there, as in a cache. Attestations of a chosen platform go
// along when they are there. The same images make the same bytes.
//
// An entry of index.json has the full reference in
// org.opencontainers.image.ref.name, which is how skopeo is asked for it
// (oci-archive:FILE:docker.io/library/debian:latest), and the name that docker
// and ctr give it in io.containerd.image.name. skopeo and podman read only the
// OCI's own media types there, so an image in Docker's format is listed as it is
// in the cache's own index.json: a list as an index, a manifest behind a small
// index of its own, named by the annotation app.pulley.manifest. Engines that
// read index.json (containerd, dockerd with its store, podman for a single
// image) then show that small index's digest for it.
//
// manifest.json has names in full, which docker prints short as ever and podman
// needs. It can list one platform of an image: the first that was asked for, or
// else this machine's if it is there. Artifacts that are no images (charts,
// signatures) are not in it. Layers are compressed as the registry has them:
// docker load takes gzip in every version, and zstd since 23.0; 20.10 cannot
// unpack that, from a registry no more than from a bundle.
//
// # What is taken
//
// Import takes bundles, any other OCI layout in a tar (skopeo, buildx, podman
// save --format oci-archive) and docker-archives (docker save, podman save, ko,
// Bazel), plain or compressed with gzip or zstd, from a stream, and believes
// nothing: every digest and size is checked, and a name is set only when one
// platform of its image came whole with the tar.
//
// Whoever imports a bundle says that its images are what it says, and so its
// tags are set, over others of the same name. They count as never checked: when
// the origin can be reached, it is asked before they are served.
//
// A docker-archive holds no manifest, and the one that a registry has cannot be
// told from it. Its images get a manifest of our own making, and because that is
// no registry's, a name below local: debian:latest becomes local/debian:latest,
// ghcr.io/org/app:1 becomes local/ghcr.io/org/app:1. The same is done with what
// docker save writes since 25.0 out of its own storage: an OCI layout, but with
// manifests of docker's making, which are known by their layers that are not
// compressed. An OCI layout that names no repository is put below local/imported.
//
// It must know no HTTP, no registries and no engines: what is missing is
// fetched, and who may read what is decided, elsewhere.
package bundle
