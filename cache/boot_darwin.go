package cache

import "golang.org/x/sys/unix"

// bootID names this start of the system: what a journal says about a file is
// only as good as the page cache, and that dies with the system.
func bootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}
