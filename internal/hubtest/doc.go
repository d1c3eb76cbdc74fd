// Package hubtest is a Docker Hub for tests: a registry, its token service and its CDN on one port of the loopback
// interface, told apart by the host name the client asks for, as the real ones are by address.
//
// It exists so that a test can say what a client must never get wrong: each byte asked for once, no Authorization at the
// CDN, a signed URL that expires in the middle of a blob, a pull limit that counts down, a server that dies at byte N.
// It knows nothing of the rest of this module and may be used from tests, benchmarks and plain programs alike.
//
// # A first test
//
//	func TestPull(t *testing.T) {
//		hub := hubtest.Start(t)
//		want := hub.Push("library/alpine", "latest", hubtest.RandomImage(1, 3, 1<<20))
//
//		client := hub.Client() // dials the hub whatever the URL's host, and trusts hub.Roots()
//		...
//		if hub.Count("GET", "/v2/library/alpine/manifests/*") != 1 { ... }
//		if twice := hub.Ranges(layer).Twice(); len(twice) > 0 { ... }
//	}
//
// # Hosts
//
// The zero Hub answers for registry-1.docker.io (index.docker.io and docker.io too), auth.docker.io and
// production.cloudflare.docker.com. Further registries are [Site] values in [Hub.Sites]: with their token service on the
// same host as ghcr.io has it, with Basic authentication, with none. A client that comes by IP address or "localhost"
// talks to the first registry and finds the token service (/token) and the CDN (/registry-v2/…) on the same address.
// URLs that the hub hands out (realms, redirects) carry the scheme and the port the client used.
//
// [Hub.Addr] speaks TLS and plain HTTP, told apart by the first byte; [Hub.PlainAddr] is a second port that is usually
// given to clients as an insecure registry. With [Hub.Also] the first port is open at several addresses ([Hub.Addrs]), as a
// name is that resolves to several; [Faults.Addr] and [Hub.Down] make one of them fail in its own way.
//
// # Mirrors
//
// [MirrorOf] starts a second hub that has, by reference, whatever is public in the first, and is asked in one of the three
// styles of config.toml. It fails, limits and records on its own; what is put into it itself comes first, so that its tags
// may disagree and its blobs lie.
//
// # Access
//
// A repository is public once something was put into it, until [Hub.SetPrivate] says who may see it. Anonymous tokens
// carry pull for public repositories alone; users (name to password in [Hub.Users]) may pull and push whatever is not
// private to others. A repository that does not exist looks to strangers as a private one does.
// [Site.Password] makes passwords that end, as ECR's do after twelve hours.
//
// # Faults
//
// [Hub.SetFaults] takes rules, in force at once, also for transfers that run. Each has a matcher (address, host, method,
// path, kind, digest, the first N, all beyond N a minute) and effects: latency, bandwidth of each connection or of all
// together, a cut, a stall, wrong bytes and lengths, statuses, resets at every step, the hub's death at byte N. [PullLimit]
// and [Abuse] are Docker Hub's two refusals. [Hub.Down] refuses connections and cuts open ones, [Hub.Up] serves again on the
// same port.
//
// # The record
//
// Every request is in [Hub.Requests] from the moment its header was read, with the body bytes sent so far. Bytes are
// counted before they are handed to the kernel (and taken back if it does not want them), so a client that has seen the
// last byte finds it counted. What a client that hung up left in socket buffers counts as sent: it did cross the wire.
// [Hub.Peak] and [Hub.Concurrent] say how many connections and requests there were at once.
package hubtest
