//go:build linux

package waytest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// versitygw is the S3 server: it serves a folder.
const versitygw = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// An ObjectStore is an S3 server with one bucket, which is a folder.
type ObjectStore struct {
	Server
	Bucket         string
	Dir            string // its objects, each a file under its key
	Access, Secret string
	Cert           string // a PEM file; "" it speaks plain HTTP
}

// unfinished is where the server has the parts of what is being uploaded.
const unfinished = ".sgwtmp"

// Objects starts one with an empty bucket; with a certificate and its key, PEM
// files, it speaks TLS. The first time on a machine it is built from the module
// proxy, which takes a minute.
func Objects(t T, cert, key string) *ObjectStore {
	t.Helper()
	s := &ObjectStore{
		Server: Server{t: t, Addr: FreeAddr(t)}, Bucket: "layers", Cert: cert,
		Access: "AKIATESTPULLEY000001", Secret: "s3cr3t/of+the/store+wJalrXUtnFEMIK7MDENG",
	}
	root, meta := t.TempDir(), t.TempDir() // not every file system has extended attributes
	s.Dir = filepath.Join(root, s.Bucket)
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.args = []string{objectServer(t), "--port", s.Addr, "--access", s.Access, "--secret", s.Secret, "--quiet", "--keep-alive"}
	if cert != "" {
		s.args = append(s.args, "--cert", cert, "--key", key)
	}
	s.args = append(s.args, "posix", "--sidecar", meta, root)
	s.run()
	return s
}

// URL is the store as cache.shared has it.
func (s *ObjectStore) URL(prefix string) string {
	scheme := "http"
	if s.Cert != "" {
		scheme = "https"
	}
	return s.URLAt(prefix, scheme+"://"+s.Addr)
}

// URLAt is URL for a store that is reached at another endpoint.
func (s *ObjectStore) URLAt(prefix, endpoint string) string {
	return "s3://" + s.Bucket + "/" + prefix + "?endpoint=" + endpoint
}

// Environ is what makes somebody the store's owner, and nobody else.
func (s *ObjectStore) Environ() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + s.Access, "AWS_SECRET_ACCESS_KEY=" + s.Secret, "AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_REGION=",
		"AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true",
	}
}

// Keys are those of all objects, whole ones alone; it may be asked while the store is written to.
func (s *ObjectStore) Keys() []string {
	s.t.Helper()
	var keys []string
	err := filepath.WalkDir(s.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone since its folder was read
			}
			return err
		}
		if e.IsDir() && e.Name() == unfinished {
			return filepath.SkipDir
		}
		if e.Type().IsRegular() {
			key, err := filepath.Rel(s.Dir, path)
			if err != nil {
				return err
			}
			keys = append(keys, filepath.ToSlash(key))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

// objectServer is the program, built once and kept for the next run.
func objectServer(t T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "pulley-test", filepath.Base(versitygw)+"-"+runtime.Version())
	program := filepath.Join(dir, "versitygw")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// Tests of several packages run at once: one of them builds.
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil { //nolint:gosec // a descriptor is small
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err == nil {
		return program
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	fresh := filepath.Join(dir, "new")
	build := exec.CommandContext(ctx, "go", "install", versitygw)
	build.Env = append(os.Environ(), "GOBIN="+fresh, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", versitygw, err, out)
	}
	if err := os.Rename(filepath.Join(fresh, "versitygw"), program); err != nil {
		t.Fatal(err)
	}
	return program
}
