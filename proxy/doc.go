// Package proxy is the port: one listener behind which several protocols live,
// told apart by their first bytes.
//
//	0x05         SOCKS5
//	0x16         TLS: the same doors again, under a leaf for this machine's names
//	a letter     HTTP: CONNECT and absolute-form requests are the proxy,
//	             /v2/ is the registry mirror, /healthz and /metrics are ours
//
// A connection to a registry's host is intercepted when the client begins TLS
// there in a way we can answer; its requests go to the RegistryHandler. All else
// is tunnelled byte for byte: what is no registry, what is no TLS, what speaks
// only HTTP/2, what names another host than it dialled, and, for ten minutes, a
// host whose client did not accept our certificate.
//
// # One server for all requests
//
// Whatever door a request comes through, one http.Server reads it: connections
// are handed to it through a listener that is a channel, after their CONNECT,
// SOCKS5 or TLS handshake. So all share its time-outs, keep-alive and draining.
//
// Before, a connection is attended to for as long as its requests are of the kind
// that engines repeat most, a ping, a manifest or a small blob that is at hand, written
// plainly: they are answered where they were read. Nothing is refused or waited for there;
// whatever is not as plain as that goes to the http.Server, and so do all that
// follow on that connection.
//
// Time-outs stand at every point where a client can fall silent: first byte,
// handshakes, headers, between requests.
//
// # What it must not know
//
// What a registry request means, where bytes come from and how to dial: it is
// given a RegistryHandler and a Dial function. It resolves no names.
package proxy
