package trust

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pulley/proxy/ca"
)

// system is a root directory with a fake update-ca-certificates that
// concatenates as the real one does.
type system struct {
	Store
	t     *testing.T
	calls [][]string
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{t: t}
	s.Root = t.TempDir()
	if err := os.MkdirAll(filepath.Join(s.Root, "etc/ssl/certs"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.Run = func(_ context.Context, name string, args ...string) error {
		s.calls = append(s.calls, append([]string{name}, args...))
		s.rebuild()
		return nil
	}
	return s
}

func (s *system) rebuild() {
	s.t.Helper()
	var bundle bytes.Buffer
	files, _ := filepath.Glob(filepath.Join(s.dir(), "*.crt"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			s.t.Fatal(err)
		}
		bundle.Write(data)
	}
	if err := os.WriteFile(filepath.Join(s.Root, "etc/ssl/certs/ca-certificates.crt"), bundle.Bytes(), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) names() []string {
	files, err := s.files()
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	return files
}

// pemFile returns the bundle of a new CA for hosts.
func pemFile(t *testing.T, hosts ...string) string {
	t.Helper()
	s, err := ca.Open(ca.Options{Dir: filepath.Join(t.TempDir(), "it's a ca")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Cover(hosts); err != nil {
		t.Fatal(err)
	}
	return s.File()
}

func TestInstallAndUninstall(t *testing.T) {
	s := newSystem(t)
	foreign := filepath.Join(s.dir(), "pulley-corp.crt")
	if err := os.MkdirAll(s.dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, []byte("somebody else's"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := pemFile(t, "docker.io", "10.0.0.1")
	if st, err := s.Status(file); err != nil || st.Installed || st.Current {
		t.Errorf("before: %+v, %v", st, err)
	}
	for range 2 {
		if err := s.Install(t.Context(), file); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.calls) != 1 {
		t.Errorf("the second time ran %v", s.calls)
	}
	if got := s.names(); !slices.Equal(got, []string{"pulley-2.crt", "pulley-3.crt", "pulley.crt"}) {
		t.Errorf("files: %v", got)
	}
	if st, err := s.Status(file); err != nil || !st.Current {
		t.Errorf("after: %+v, %v", st, err)
	}
	// Fewer certificates than before leave nothing behind.
	fewer := pemFile(t, "docker.io")
	if st, err := s.Status(fewer); err != nil || !st.Installed || st.Current {
		t.Errorf("with another file: %+v, %v", st, err)
	}
	if err := s.Install(t.Context(), fewer); err != nil {
		t.Fatal(err)
	}
	if got := s.names(); !slices.Equal(got, []string{"pulley-2.crt", "pulley.crt"}) {
		t.Errorf("files: %v", got)
	}
	for range 2 {
		if err := s.Uninstall(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.names(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	if data, err := os.ReadFile(foreign); err != nil || string(data) != "somebody else's" {
		t.Errorf("a foreign file was touched: %q, %v", data, err)
	}
	if got := s.calls[len(s.calls)-1]; !slices.Equal(got, []string{update, "--fresh"}) {
		t.Errorf("last call: %v", got)
	}
}

// Other users verify by these files: root's umask must not take them away.
func TestWhatIsInstalledIsForAllUsers(t *testing.T) {
	s := newSystem(t)
	file := pemFile(t, "docker.io")
	before := syscall.Umask(0o077)
	err := s.Install(t.Context(), file)
	syscall.Umask(before)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{s.dir(), filepath.Join(s.dir(), fileName(0))} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

// The command that a person is told must do what Install does.
func TestTheCommandForRootWorks(t *testing.T) {
	s := newSystem(t)
	file := pemFile(t, "docker.io")
	if err := os.MkdirAll(s.dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	err := s.explain(os.ErrPermission, installCommand(s.dir(), file))
	var need *NeedRootError
	if !errors.As(err, &need) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%v", err)
	}
	line := strings.NewReplacer("sudo ", "", update, "true").Replace(need.Command)
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	s.rebuild()
	if st, err := s.Status(file); err != nil || !st.Current {
		t.Errorf("after the command: %+v, %v", st, err)
	}
}

func TestOtherFamiliesAreToldWhatToDo(t *testing.T) {
	s := newSystem(t)
	if err := os.MkdirAll(filepath.Join(s.Root, "etc/pki/ca-trust/source/anchors"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := s.Install(t.Context(), pemFile(t, "docker.io"))
	var hand *ByHandError
	if !errors.As(err, &hand) || !strings.Contains(err.Error(), "update-ca-trust") {
		t.Errorf("Install: %v", err)
	}
}

func TestBadPEMIsNamed(t *testing.T) {
	s := newSystem(t)
	bad := filepath.Join(t.TempDir(), "ca.crt")
	if err := s.Install(t.Context(), bad); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(bad, []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Install(t.Context(), bad); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("nonsense: %v", err)
	}
}

func TestAFailingUpdateIsReported(t *testing.T) {
	s := newSystem(t)
	s.Run = func(context.Context, string, ...string) error {
		return errors.New("update-ca-certificates: exit status 1")
	}
	if err := s.Install(t.Context(), pemFile(t, "docker.io")); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("%v", err)
	}
}
