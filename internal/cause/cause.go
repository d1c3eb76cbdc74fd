// Package cause tells of which kind an error is, for those kinds that people meet often and that are to be said in their own
// language. It must not know who says them, nor where: everything may import it, and it imports nothing of ours.
package cause

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
)

// Kinds of causes that people meet often, for whoever says them in another language; the sentence beside one says more.
const (
	Refused     = "refused"     // nobody listens there
	NoWay       = "no_way"      // the network has no way to it
	Reset       = "reset"       // the connection was broken off
	Timeout     = "timeout"     // no answer in time
	Unresolved  = "unresolved"  // the name has no address
	Certificate = "certificate" // its certificate is not believed, or ours is not
	Permission  = "permission"  // this user may not
	Full        = "full"        // the disk has no room
	Taken       = "taken"       // another program has the port
	NotRunning  = "not_running" // the engine there does not run
	NoDocker    = "no_docker"   // the machine has no docker command for ssh
	Login       = "login"       // ssh is not let in
	HostKey     = "host_key"    // ssh does not know its key, or knows another
	Declined    = "declined"    // no administrator's rights were given
	NoAgent     = "no_agent"    // nothing here can ask for them
)

// Mark begins the line in which a program that was started by another of ours says the kind of its error.
const Mark = "cause: "

// Kinds are all of them.
func Kinds() []string {
	return []string{Refused, NoWay, Reset, Timeout, Unresolved, Certificate, Permission, Full, Taken, NotRunning, NoDocker, Login, HostKey, Declined, NoAgent}
}

// Of is the kind of what an error is due to: as it says itself by a method Cause, or by what it is; "" if it is none of those that
// an error tells.
func Of(err error) string {
	is := func(list ...error) bool {
		return slices.ContainsFunc(list, func(one error) bool { return errors.Is(err, one) })
	}
	var said interface {
		error
		Cause() string
	}
	var name *net.DNSError
	var wait net.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &said) && slices.Contains(Kinds(), said.Cause()):
		return said.Cause()
	case errors.As(err, &name) && name.IsNotFound:
		return Unresolved
	case is(refused...):
		return Refused
	case is(noWay...):
		return NoWay
	case is(reset...):
		return Reset
	case is(full...):
		return Full
	case is(taken...):
		return Taken
	case certificate(err):
		return Certificate
	case is(fs.ErrPermission):
		return Permission
	case is(context.DeadlineExceeded, os.ErrDeadlineExceeded), errors.As(err, &wait) && wait.Timeout():
		return Timeout
	}
	return ""
}

// Bare is the system's error of a file without its path, for whoever names that.
func Bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

func certificate(err error) bool {
	var verified *tls.CertificateVerificationError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verified) || errors.As(err, &alert) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
