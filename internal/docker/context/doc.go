// Package context reads and changes the docker contexts of the person at this machine: names for engines, here and
// elsewhere, that the docker command line, its plugins and we share. They lie where docker lays them, in its own store
// (github.com/docker/cli/cli/context/store), and which of them is used is the key currentContext of docker's config.json;
// what is written here docker reads, and the other way round.
//
// A [Book] has no state but its folder: every call reads the files anew. Several may be used at once; two changes to one
// context at the same time end with one of them, as they do with docker itself.
//
// It must not know Pulley's daemon, cache or settings: the files are the person's, and the command line and the tray both
// work on them directly. Nothing that it returns or says has the text of a key or certificate, or a password of a URL.
package context
