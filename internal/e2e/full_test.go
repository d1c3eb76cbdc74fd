//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pulley/internal/hubtest"
)

// TestDiskFull: the cache lies on a disk that holds less than the image, and something else fills the rest of it while
// the daemon runs. Every pull gets its bytes all the same, and status says what is wrong.
func TestDiskFull(t *testing.T) {
	for _, e := range engines {
		if e.name != "skopeo" { // one client will do: what is tried is the disk
			continue
		}
		for _, m := range []mode{viaHTTP, viaMirror} {
			t.Run(string(m), func(t *testing.T) {
				r := newRig(t, "1ms")
				r.daemon.stop()
				dir := filepath.Join(r.home, "cache")
				if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m,mode=700"); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					r.daemon.stop()
					if err := syscall.Unmount(dir, 0); err != nil {
						t.Error(err)
					}
				})
				r.up(t)
				for name, image := range map[string]hubtest.Image{
					"larger":  hubtest.RandomImage(11, 1, 9<<20),
					"several": hubtest.RandomImage(12, 5, 2<<20),
				} {
					r.hub.Push("library/"+name, "1", image)
					s, full := r.open(t, e, m), r.wiring(t, m).name("library/"+name, "1")
					if err := s.pull(t, full, nil); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					s.check(t, full, image)
				}
				if err := os.WriteFile(filepath.Join(dir, "somebody-elses"), make([]byte, 6<<20), 0o600); err == nil {
					t.Error("the disk is not full")
				}
				image := hubtest.RandomImage(13, 2, 3<<20)
				r.hub.Push("library/when-full", "1", image)
				s, full := r.open(t, e, m), r.wiring(t, m).name("library/when-full", "1")
				if err := s.pull(t, full, nil); err != nil {
					t.Fatalf("with a full disk: %v", err)
				}
				s.check(t, full, image)
				out, err := runCommand(r.command("status"))
				if err != nil || !strings.Contains(out, "not everything can be cached") {
					t.Errorf("status does not say what is wrong: %v\n%s", err, out)
				}
			})
		}
	}
}
