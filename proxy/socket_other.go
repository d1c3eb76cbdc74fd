//go:build !linux

package proxy

// direct has the connection read and written with no detour, where there is one.
func (c *conn) direct() {}

// ordinary ends direct.
func (c *conn) ordinary() {}
