//go:build e2e

package e2e

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// notOurs are what of a machine changes with the time, or by dpkg's, apt's, systemd's and dockerd's own books: a path, and all
// below it.
var notOurs = []string{
	"/proc", "/sys", "/dev", "/tmp", "/srv/debs",
	"/var/lib/dpkg/status", "/var/lib/dpkg/status-old", "/var/lib/dpkg/available", "/var/lib/dpkg/triggers", "/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend",
	"/var/log/dpkg.log", "/var/log/apt", "/var/cache/apt", "/var/lib/apt", "/var/cache/debconf", "/var/log/journal", "/run/log", "/run/systemd", "/var/lib/systemd",
	"/var/lib/docker", "/var/lib/containerd", "/var/log/docker.log", "/run/docker", "/run/docker.pid", "/run/docker-ssd.pid", "/run/containerd", "/run/lock",
	"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-", "/etc/.pwd.lock",
	"/var/cache/ldconfig", "/var/log/lastlog", "/var/log/faillog", "/run/utmp",
}

// leftByRemove is what stays for the next installation when the package is removed and not purged.
var leftByRemove = []string{"/etc/pulley", "/var/lib/pulley", "/var/cache/pulley", "/var/log/pulley", "/var/lib/pulley.made", "/var/lib/dpkg/info/pulley.list", "/var/lib/dpkg/info/pulley.postrm",
	"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"}

func below(path string, list []string) bool {
	return slices.ContainsFunc(list, func(one string) bool { return path == one || strings.HasPrefix(path, one+"/") })
}

// all are all files of the machine: kinds, modes, owners, sizes, links, and what is in those outside /usr.
func (d *debian) all() map[string]string {
	d.t.Helper()
	root := d.inside("/")
	all := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		name := "/" + strings.TrimPrefix(path, root)
		if below(name, notOurs) {
			if e != nil && e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err != nil {
			return err
		}
		all[name], err = described(path, name)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

func described(path, name string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	owner := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%s %d:%d", info.Mode(), owner.Uid, owner.Gid)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		return text + " -> " + to, err
	case !info.Mode().IsRegular():
		return text, nil
	}
	text += fmt.Sprintf(" %d bytes", info.Size())
	if strings.HasPrefix(name, "/usr/") && !strings.HasPrefix(name, "/usr/local/") {
		return text + " of " + info.ModTime().String(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %.16x", text, sum.Sum(nil)), nil
}

// compare wants all files to be as they were, but for those that may differ.
func (d *debian) compare(before map[string]string, but []string) {
	d.t.Helper()
	after := d.all()
	names := slices.Collect(maps.Keys(before))
	for name := range after {
		if _, ok := before[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if before[name] != after[name] && !below(name, but) {
			d.t.Errorf("%s: %q, was %q", name, after[name], before[name])
		}
	}
}
