// Package waytest runs the servers that people have as ways out, real ones, for
// tests: OpenSSH's sshd, a SOCKS5 server (microsocks) and an HTTP proxy
// (tinyproxy); and an S3 server (versitygw), built from the module proxy. Each is an ordinary process on a port of 127.0.0.1 with a
// configuration of its own; each can be killed in the middle of a transfer and
// started again on the same port. `make test` installs them. A [Resolver] for DNS
// over HTTPS is one of Go's own servers.
//
// It knows nothing of the rest of this module.
package waytest

import "context"

// T is what of a test the servers need. *testing.T has it, and a program that is no test can.
type T interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
	Context() context.Context
	TempDir() string
}
