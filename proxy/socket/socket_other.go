//go:build !linux

package socket

import "net"

// Of is c: elsewhere there is nothing to gain, or no such way.
func Of(c net.Conn) net.Conn { return c }

// Plain is what Of was called with.
func Plain(c net.Conn) net.Conn { return c }
