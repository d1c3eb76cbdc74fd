// Package cache keeps image content on disk: blobs by digest, tags by
// registry, repository and tag, and downloads in flight.
//
// The directory is a valid OCI image layout. The truth in it is
//
//	blobs/sha256/<hex>                    content that was seen to hash to its name
//	refs/<registry>/<repository>/<tag>    one small JSON file per tag
//	refs/<registry>/<repository>/@sha256-<hex>   a manifest pulled by digest
//	partial/sha256/<hex>[.journal]        a download in flight: a file with holes and
//	                                      the list of ranges that are in it, with who
//	                                      brought them
//
// and everything else derives from that and may be deleted while no process
// holds the cache: index.json (complete images), cache.db (the catalogue: stamps,
// last uses, who brought what, which image uses which blob), lock, tmp/.
//
// Images are what a person knows: a manifest or index in a repository, with the
// tags that stand for it. They are listed, pinned, removed and evicted as such.
//
// A miss is a typed error with a reason, and so is a full disk: whatever is
// wrong with the directory, the caller can still pass bytes through.
//
// The package knows no HTTP, no registries' habits and no upstream: the first
// asker of a blob is handed a Fill and finds the bytes itself. Who may read
// what is decided elsewhere; References only tells what belongs to what.
package cache
