package control

// Keys of problems. The comment says what it is about, then Problem.Thing and Problem.About where they are set; "why" is a
// cause in the words of the daemon or the system, in English.
const (
	// The cache cannot be used: everything passes through. Thing the cache's folder; About why.
	KeyCacheUnusable = "cache.unusable"
	// The cache cannot be written. Thing the cache's folder; About why.
	KeyCacheReadOnly = "cache.readonly"
	// Not everything can be cached. About why.
	KeyCacheUnstored = "cache.unstored"
	// Others fill the disk that the cache is on, which has made what room it could. Thing the cache's folder.
	KeyCacheCrowded = "cache.crowded"
	// The file on disk is not in force. Thing the file of settings; About why, with the line.
	KeyConfigBroken = "config.broken"
	// Another address of the settings cannot be listened on; the one before is still open. Thing the address; About why.
	KeyListenRefused = "listen.refused"
	// The certificate of [access] cannot be used, or has ended. Thing the certificate's file; About why.
	KeyAccessCert = "access.cert"
	// A client does not trust our certificate for a host, which is passed through meanwhile. Thing the host; About until when, as 15:04.
	KeyCARejected = "ca.rejected"
	// A way out waits for a person to vouch for a key. Thing the way's name; About the server and its key, as "host (SHA256:…)".
	KeyEgressKey = "egress.key"
	// A proxy that is set is Pulley itself, and is not used. Thing the way.
	KeyEgressSelf = "egress.self"
	// A proxy sends our connections back to us, and is not used. Thing the way.
	KeyEgressLoops = "egress.loops"
	// The system names its proxy by a script, which is not run.
	KeyEgressScript = "egress.script"
	// A way out cannot be used. Thing the way; About why.
	KeyEgressUnusable = "egress.unusable"
	// A name leads to an address of somebody else's. Thing the host; About the address.
	KeyHostPoisoned = "host.poisoned"
	// An [[address]] of the settings is somebody else's. Thing the host; About the address.
	KeyHostPinned = "host.pinned"
	// The shared store is not used. About why.
	KeyStoreUnused = "store.unused"
	// The shared store has lied and is not used. About why.
	KeyStoreLied = "store.lied"
	// A registry asks to be left alone; what is cached still pulls. Thing the registry; About until when, as 15:04.
	KeyLimitRest = "limit.rest"
	// An image was asked for in vain, and nobody got it since. Thing the image, as "registry/repository", with ":tag" where it is
	// known; About why. An engine that has another way to its registry may have it from there.
	KeyPullFailed = "pull.failed"
	// A mirror has lied and is not used. Thing the mirror, as "registry/name"; About why.
	KeyMirrorLied = "mirror.lied"
	// A mirror that is on serves the public no more. Thing the mirror, as "registry/name"; About since when.
	KeyMirrorClosed = "mirror.closed"
	// A mirror and the origin name different digests for a tag; the origin is believed. Thing the mirror, as "registry/name"; About the image, as "registry/repository:tag".
	KeyMirrorDisagrees = "mirror.disagrees"
)

// Keys are all of them, in no order of weight.
func Keys() []string {
	return []string{
		KeyCacheUnusable,
		KeyCacheReadOnly,
		KeyCacheUnstored,
		KeyCacheCrowded,
		KeyConfigBroken,
		KeyListenRefused,
		KeyAccessCert,
		KeyCARejected,
		KeyEgressKey,
		KeyEgressSelf,
		KeyEgressLoops,
		KeyEgressScript,
		KeyEgressUnusable,
		KeyHostPoisoned,
		KeyHostPinned,
		KeyStoreUnused,
		KeyStoreLied,
		KeyLimitRest,
		KeyPullFailed,
		KeyMirrorLied,
		KeyMirrorClosed,
		KeyMirrorDisagrees,
	}
}
