// Package imagelist answers which images the files people already have name: a Compose project, a Dockerfile,
// Kubernetes manifests. Files go in, names come out; it talks to no network and to no daemon, and reads only the
// files it was given and those they refer to (a Compose file's include, extends, .env and Dockerfiles).
//
// What the formats' own tools would refuse or guess is not guessed here: an image whose name hangs on a variable
// without a value becomes a FileError that says where it stands and what to pass, and the images beside it are still
// named (see UnresolvedError). Input is foreign: files over MaxSize, aliases that multiply and nesting without end
// are refused, and whatever a parser chokes on is one line of error.
//
// All functions may be called at the same time; none keeps anything.
package imagelist
