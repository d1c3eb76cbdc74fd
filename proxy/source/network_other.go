//go:build !linux

package source

import "net"

// router is not asked for here: the network's address has to do.
func router(string) net.HardwareAddr { return nil }
