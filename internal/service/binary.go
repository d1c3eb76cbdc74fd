package service

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"pulley/internal/docker/machine"
)

// programName is the daemon's. The desktop app is never a service: services have no desktop.
const programName = "pulley"

// FindBinary is the daemon's program: this one, or the one beside it where this is another of ours. Symbolic links are
// resolved, but for a package manager's stable one: its target goes with the next upgrade.
func FindBinary() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("service: which program this is cannot be found out: %w", err)
	}
	real, err := filepath.EvalSymlinks(self)
	if err != nil {
		return "", fmt.Errorf("service: %w", err)
	}
	if !isProgram(real) && !isProgram(self) {
		beside := filepath.Join(filepath.Dir(real), programName)
		if runtime.GOOS == machine.Windows {
			beside += ".exe"
		}
		if real, err = filepath.EvalSymlinks(beside); err != nil {
			return "", fmt.Errorf("service: %s is not beside %s; next: install it there", filepath.Base(beside), self)
		}
	}
	return stable(real, self, filepath.SplitList(os.Getenv("PATH"))), nil
}

func isProgram(path string) bool {
	return strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".exe") == programName
}

// versioned are places of package managers that a new version changes: Homebrew, Nix, Guix, Scoop, asdf and mise.
var versioned = regexp.MustCompile(`(?i)[/\\](Cellar[/\\]pulley[/\\]|nix[/\\]store[/\\]|gnu[/\\]store[/\\]|scoop[/\\]apps[/\\]pulley[/\\]|installs[/\\]pulley[/\\])`)

// stable is a link to real that the package manager keeps, if real is in one of its versioned places.
func stable(real, self string, path []string) string {
	at := versioned.FindStringIndex(real)
	if at == nil {
		return real
	}
	base := filepath.Base(real)
	prefix := real[:at[0]]
	candidates := []string{
		filepath.Join(prefix, "opt", programName, "bin", base),                // Homebrew
		filepath.Join(prefix, "scoop", "apps", programName, "current", base),  // Scoop
		filepath.Join(prefix, "installs", programName, "latest", "bin", base), // mise
		self, // as it was called
		filepath.Join("/run/current-system/sw/bin", base),        // NixOS
		filepath.Join("/nix/var/nix/profiles/default/bin", base), // Nix
	}
	for _, dir := range path {
		candidates = append(candidates, filepath.Join(dir, base))
	}
	for _, candidate := range candidates {
		if candidate == real || !filepath.IsAbs(candidate) {
			continue
		}
		if to, err := filepath.EvalSymlinks(candidate); err == nil && to == real {
			return candidate
		}
	}
	return real
}

// usable says why a program cannot be the service's.
func (s *Service) usable(binary string) error {
	const next = "; next: put pulley where it stays, such as /usr/local/bin, and call it there"
	facts := s.m.Facts()
	slashed := strings.ReplaceAll(binary, `\`, "/")
	if !isProgram(slashed[strings.LastIndexByte(slashed, '/')+1:]) {
		return fmt.Errorf("service: %s is not the program pulley", binary)
	}
	if where := transient(slashed, s.m.Getenv); where != "" {
		return fmt.Errorf("service: %s is in %s, which does not last%s", binary, where, next)
	}
	if _, err := s.m.Stat(binary); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	if facts.OS == machine.Windows || !s.opt.System {
		return nil
	}
	if facts.OS == machine.Linux {
		for _, home := range []string{"/home/", "/root/", "/run/user/"} {
			if strings.HasPrefix(slashed, home) {
				return fmt.Errorf("service: %s is in a home folder, which the system's service does not see; next: sudo install -m 755 '%s' /usr/local/bin/pulley && sudo /usr/local/bin/pulley service install --system", binary, binary)
			}
		}
	}
	// Its user is nobody in particular: everybody must be able to run it, and only root to replace it.
	for dir := binary; ; dir = filepath.Dir(dir) {
		info, err := s.m.Stat(dir)
		if err != nil {
			return fmt.Errorf("service: %w", err)
		}
		switch mode := info.Mode(); {
		case mode.Perm()&0o001 == 0:
			return fmt.Errorf("service: %s may not be used by everybody, so not by the service's user; next: chmod o+rx '%s'", dir, dir)
		case mode.Perm()&0o002 != 0 && mode&os.ModeSticky == 0:
			return fmt.Errorf("service: %s may be written by everybody, who could then replace the system's service; next: chmod o-w '%s'", dir, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// transient names the kind of folder that a path is in, if that does not last. Paths have slashes.
func transient(path string, getenv func(string) string) string {
	for _, name := range []string{"GOTMPDIR", "TMPDIR", "TEMP", "TMP"} {
		if dir := strings.TrimSuffix(strings.ReplaceAll(getenv(name), `\`, "/"), "/"); dir != "" && strings.HasPrefix(path, dir+"/") {
			return "a temporary folder"
		}
	}
	for part, what := range map[string]string{
		"/go-build":          "a folder of `go run`",
		"/AppTranslocation/": "a folder that macOS shows quarantined programs in",
	} {
		if strings.Contains(path, part) {
			return what
		}
	}
	for prefix, what := range map[string]string{
		"/tmp/": "a temporary folder", "/var/tmp/": "a temporary folder", "/private/tmp/": "a temporary folder",
		"/var/folders/": "a temporary folder", "/private/var/folders/": "a temporary folder", "/dev/shm/": "a temporary folder",
		"/Volumes/": "a disk that may be taken out",
	} {
		if strings.HasPrefix(path, prefix) {
			return what
		}
	}
	return ""
}

// missing tells whether an error of Run is about a program that is not there.
func missing(err error) bool { return errors.Is(err, exec.ErrNotFound) }
