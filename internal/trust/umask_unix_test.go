//go:build unix

package trust

import (
	"syscall"
	"testing"

	"pulley/internal/docker/machine"
)

// Other users verify by these files: root's umask must not take them away.
func TestWhatIsInstalledIsForAllUsers(t *testing.T) {
	c := on(t, debian+1, machine.Facts{Root: true})
	a := newAuthority(t, "docker.io")
	before := syscall.Umask(0o077)
	err := Store{Machine: c}.Install(t.Context(), a.File())
	syscall.Umask(before)
	if err != nil {
		t.Fatal(err)
	}
	dir := families[distributions[debian].family].dir
	for _, name := range []string{"/usr/local", "/usr/local/share", dir, dir + "/" + a.names()[0]} {
		info, err := c.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}
