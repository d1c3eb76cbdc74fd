// Package token speaks the registry's token protocol in both directions.
//
// Upstream, a [Keeper] learns which challenge a registry answers with, checks
// that its realm is a place credentials may go to, fetches tokens, keeps them
// for as long as they hold, and forwards a client's own token requests.
// Downstream, [Own] mints and recognises the pull-only tokens that anonymous
// clients get from us and that never leave this machine.
//
// The package knows nothing about images, caches or mirrors, and never decides
// who may have what: it only says what a registry said about a set of
// credentials.
package token
