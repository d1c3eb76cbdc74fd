package cache

import "os"

// bootID names this start of the system: what a journal says about a file is
// only as good as the page cache, and that dies with the system.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(b)
}
