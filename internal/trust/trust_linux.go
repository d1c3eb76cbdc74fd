package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	localDir = "/usr/local/share/ca-certificates"
	update   = "update-ca-certificates"
)

// fileName is the name of the n-th certificate, from 0. Each has its own file:
// update-ca-certificates gives only such a file a name by hash, which is where
// OpenSSL looks.
func fileName(n int) string {
	if n == 0 {
		return "pulley.crt"
	}
	return fmt.Sprintf("pulley-%d.crt", n+1)
}

// isOurs reports whether name is one that fileName makes.
func isOurs(name string) bool {
	if name == fileName(0) {
		return true
	}
	mid, ok := strings.CutPrefix(name, "pulley-")
	mid, ok2 := strings.CutSuffix(mid, ".crt")
	n, err := strconv.Atoi(mid)
	return ok && ok2 && err == nil && n > 1 && name == fileName(n-1)
}

func (s Store) dir() string { return filepath.Join("/", s.Root, localDir) }

func (s Store) install(ctx context.Context, pemFile string, certs [][]byte) error {
	if err := s.checkFamily(pemFile); err != nil {
		return err
	}
	if st, err := s.status(certs); err == nil && st.Current {
		return nil // needs no root either
	}
	abs, err := filepath.Abs(pemFile)
	if err != nil {
		return fmt.Errorf("system trust store: %w", err)
	}
	need := func(err error) error {
		return s.explain(err, installCommand(s.dir(), abs))
	}
	if err := makeDir(s.dir()); err != nil {
		return need(err)
	}
	files, err := s.files()
	if err != nil {
		return need(err)
	}
	for i, cert := range certs {
		name := filepath.Join(s.dir(), fileName(i))
		if err := writeFile(name, cert); err != nil {
			return need(err)
		}
		files = slices.DeleteFunc(files, func(f string) bool { return f == name })
	}
	for _, f := range files { // of more certificates than there are now
		if err := os.Remove(f); err != nil {
			return need(err)
		}
	}
	return s.run(ctx)
}

func (s Store) uninstall(ctx context.Context) error {
	files, err := s.files()
	if err != nil {
		return fmt.Errorf("system trust store: %w", err)
	}
	if len(files) == 0 {
		return nil
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.explain(err, "sudo rm "+quoteAll(files)+" && sudo "+update)
		}
	}
	return s.run(ctx, "--fresh") // drops the links to what is gone
}

func (s Store) status(certs [][]byte) (Status, error) {
	files, err := s.files()
	if err != nil {
		return Status{}, fmt.Errorf("system trust store: %w", err)
	}
	st := Status{Installed: len(files) > 0, Files: files, Detail: "not trusted by the system; run: pulley ca trust"}
	if !st.Installed {
		return st, nil
	}
	st.Detail = "the system trusts another state of the local CAs; run: pulley ca trust"
	if len(files) != len(certs) {
		return st, nil
	}
	bundle, err := os.ReadFile(filepath.Join("/", s.Root, "/etc/ssl/certs/ca-certificates.crt"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return st, fmt.Errorf("system trust store: %w", err)
	}
	for i, cert := range certs {
		data, err := os.ReadFile(filepath.Join(s.dir(), fileName(i)))
		if err != nil || !bytes.Equal(data, cert) || !bytes.Contains(bundle, bytes.TrimSpace(cert)) {
			return st, nil //nolint:nilerr // a file that is missing is just not current
		}
	}
	st.Current, st.Detail = true, "trusted by the system"
	return st, nil
}

// files lists what is ours in the store.
func (s Store) files() ([]string, error) {
	entries, err := os.ReadDir(s.dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if isOurs(e.Name()) {
			files = append(files, filepath.Join(s.dir(), e.Name()))
		}
	}
	return files, nil
}

// checkFamily refuses distributions whose store works in another way.
func (s Store) checkFamily(pemFile string) error {
	for _, family := range []struct{ name, dir, do string }{
		{"Fedora and its family", "/etc/pki/ca-trust/source/anchors", "sudo cp %s /etc/pki/ca-trust/source/anchors/pulley.pem && sudo update-ca-trust"},
		{"Arch and its family", "/etc/ca-certificates/trust-source/anchors", "sudo trust anchor --store %s"},
		{"SUSE and its family", "/etc/pki/trust/anchors", "sudo cp %s /etc/pki/trust/anchors/pulley.pem && sudo update-ca-certificates"},
	} {
		if st, err := os.Stat(filepath.Join("/", s.Root, family.dir)); err == nil && st.IsDir() {
			return &ByHandError{Platform: family.name, Do: fmt.Sprintf(family.do, quote(pemFile))}
		}
	}
	return nil
}

func (s Store) run(ctx context.Context, args ...string) error {
	run := s.Run
	if run == nil {
		run = runProgram
	}
	if err := run(ctx, update, args...); err != nil {
		return fmt.Errorf("system trust store: %w", err)
	}
	return nil
}

func runProgram(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is missing; run: sudo apt-get install ca-certificates", name)
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s: %w: %s", name, err, lines[len(lines)-1])
	}
	return nil
}

func (s Store) explain(err error, command string) error {
	if errors.Is(err, fs.ErrPermission) {
		return &NeedRootError{Path: s.dir(), Command: command}
	}
	return fmt.Errorf("system trust store: %w", err)
}

// installCommand does what install does, for a shell: it splits pemFile into
// one file per certificate.
func installCommand(dir, pemFile string) string {
	return `sudo awk '/-----BEGIN/{f="` + dir + `/pulley" (n++ ? "-" n : "") ".crt"; printf "" > f} {print > f}' ` +
		quote(pemFile) + ` && sudo ` + update
}

func quoteAll(files []string) string {
	quoted := make([]string, len(files))
	for i, f := range files {
		quoted[i] = quote(f)
	}
	return strings.Join(quoted, " ")
}

// quote makes s one word for a POSIX shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// writeFile replaces name in one step.
func writeFile(name string, data []byte) error {
	tmp := name + ".new"                      // not *.crt: a crash leaves nothing that is trusted
	err := os.WriteFile(tmp, data, readByAll) //nolint:gosec // all users read the system's trust store
	if err == nil {
		err = os.Chmod(tmp, readByAll) // whatever root's umask is
	}
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

// makeDir makes a folder that all users can look into. One that is there stays as it is.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, lookedInto); err != nil { //nolint:gosec // all users read the system's trust store
		return err
	}
	return os.Chmod(dir, lookedInto) //nolint:gosec // the same
}

const (
	readByAll  = 0o644
	lookedInto = 0o755
)
