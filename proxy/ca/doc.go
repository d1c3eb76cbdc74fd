// Package ca keeps the local certificate authorities under which Pulley answers
// for registry hosts, and mints the leaf certificates it answers with.
//
// # What a stolen key is worth
//
// Every authority carries critical X.509 name constraints (RFC 5280, section
// 4.2.1.10): one for the hosts of the configured registries permits those DNS
// names and excludes every IP address, one for a registry that is an IP literal
// permits exactly that address, and one for the TLS door permits this machine's
// loopback names. None can vouch for a bank. A permitted DNS name covers its
// subdomains too, so the second fence is here: leaves are minted for exactly
// the hosts that are configured, or that match a configured leading "*.".
//
// # Growing
//
// Constraints are fixed when an authority is issued. A host that no authority
// permits gets a further authority beside the first; nothing that is trusted
// already has to be trusted anew.
//
// # On disk
//
// One file per authority, <id>.pem, mode 0600 in a directory of mode 0700: its
// private key, its certificate and, after a rotation, its bridges. ca.crt, mode
// 0644, is derived from them: the PEM of everything a client should trust.
// Leaves and their keys live in memory only: minting one takes far less than a
// millisecond, so a restart loses nothing, and there is no key to steal.
//
// # Rotation with overlap
//
// Rotate gives each authority a successor with a new key and destroys the old
// key at once. The last thing the old key signs is a bridge: the successor's
// name and key, certified by the old authority, valid for the overlap of 30
// days. Leaves come from the successor at once and are sent with the bridge, so
// a client that trusts either one is content. No leaf of the old key is served
// after Rotate; its certificate stays in ca.crt until the bridge ends, so that
// a trust store refreshed in between loses nothing, and is then dropped.
//
// The package must not know registries, configuration files or networking: it
// is given host names and hands out certificates.
package ca
