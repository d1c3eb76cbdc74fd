//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"pulley/internal/hubtest"
)

// snapshot is every file and folder below some folders, with modes and contents.
type snapshot map[string]string

func takeSnapshot(t *testing.T, dirs ...string) snapshot {
	t.Helper()
	all := snapshot{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			entry := info.Mode().String()
			switch {
			case d.Type()&fs.ModeSymlink != 0:
				to, err := os.Readlink(path)
				if err != nil {
					return err
				}
				entry += " -> " + to
			case d.Type().IsRegular():
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				entry += "\n" + string(data)
			}
			all[path] = entry
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// same expects two snapshots to be the same byte for byte.
func (s snapshot) same(t *testing.T, now snapshot) {
	t.Helper()
	names := slices.Sorted(maps.Keys(s))
	for name := range now {
		if _, ok := s[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if s[name] != now[name] {
			t.Errorf("%s was\n%q\nand is\n%q", name, s[name], now[name])
		}
	}
}

// changed are the files that are not as they were.
func (s snapshot) changed(now snapshot) (names []string) {
	for name, entry := range now {
		if s[name] != entry && !strings.HasPrefix(entry, "d") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// lead has whoever connects to l talk to the Hub, until the test ends.
func lead(t *testing.T, l net.Listener, hub *hubtest.Hub) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				wg.Go(func() { forward(conn, hub.Addr()) })
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		hub.Close()
		wg.Wait()
	})
}

// origin lets a sandbox reach the Hub by its real names at its real port, without Pulley: what an engine falls back to.
func (r *rig) origin(t *testing.T, s *sandbox) {
	t.Helper()
	ip, l := ownAddress(t)
	lead(t, l, r.hub)
	s.etc(t, "hosts", fmt.Sprintf("127.0.0.1 localhost\n%s %s\n", ip, strings.Join(r.hub.Hosts(), " ")))
	s.trust(t, r.hub.RootsPEM())
}

// ownAddress listens at the port of https on an address of loopback that is nobody's yet.
func ownAddress(t *testing.T) (ip string, l net.Listener) {
	t.Helper()
	var err error
	for n := 2; n < 250; n++ {
		ip = fmt.Sprintf("127.55.%d.%d", os.Getpid()%250, n)
		if l, err = net.Listen("tcp", ip+":443"); err == nil {
			return ip, l
		}
	}
	t.Fatal(err)
	return "", nil
}

func forward(conn net.Conn, to string) {
	defer conn.Close()
	up, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer up.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(up, conn)
		_ = up.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(conn, up)
	_ = conn.Close()
	wg.Wait()
}

// stock pushes what `pulley connect` pulls to see that it works, and images for the steps of a test, which share nothing.
func (r *rig) stock(t *testing.T, names ...string) map[string]hubtest.Image {
	t.Helper()
	images := map[string]hubtest.Image{}
	r.hub.Push("library/hello-world", "latest", another("hello-world"))
	for i, name := range names {
		images[name] = layered(t, name, uint64(900+i))
		r.hub.Push("library/"+name, "1", images[name])
	}
	return images
}

// layered is an image that engines unpack, of layers that no other has.
func layered(t *testing.T, name string, seed uint64) hubtest.Image {
	t.Helper()
	image, err := hubtest.FromTar(
		hubtest.Tar(map[string]string{"etc/": "", "etc/name": name + "\n"}),
		hubtest.Tar(map[string]string{"etc/": "", "etc/seed": fmt.Sprint(seed)}))
	if err != nil {
		t.Fatal(err)
	}
	return image.WithPlatform("linux/" + runtime.GOARCH)
}

// pulleyIn runs a command of pulley's in a sandbox, with the rig's own places.
func (r *rig) pulleyIn(t *testing.T, run func(t *testing.T, args ...string) (string, error), args ...string) string {
	t.Helper()
	out, err := run(t, append([]string{"env", "PULLEY_HOME=" + r.home, pulleyBin}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pulled expects that an engine pulled an image, through Pulley or by it.
func (r *rig) went(t *testing.T, name string, through bool) {
	t.Helper()
	if r.hub.Count("GET", "/v2/library/"+name+"/blobs/*") == 0 {
		t.Errorf("the Hub was not asked for the blobs of %s", name)
	}
	if seen := len(r.log(t, "library/"+name)) > 0; seen != through {
		t.Errorf("%s went through Pulley: %t, want %t", name, seen, through)
	}
}
