// Package sudo writes commands of Pulley's for a person to run as root. sudo looks for programs in places of its own
// (secure_path, sudoers(5)), not in the person's PATH: a program that lies elsewhere has to be called by its path there, and
// so has one of which another copy lies in those places.
package sudo

import (
	"os"
	"path/filepath"
	"strings"
)

// name is how a person calls the program.
const name = "pulley"

// places is Debian's secure_path, which others have too or less of.
var places = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Command is the line that has root run this program with these words, which need no quotes.
func Command(words ...string) string {
	return strings.Join(append([]string{"sudo", Program()}, words...), " ")
}

// Program is what the program that runs is called behind sudo: its name where sudo finds this very file by it, else its path,
// quoted for a shell. A program that is none of ours, as a test is, is taken for an installed one.
func Program() string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return called(self, places)
}

func called(self string, places []string) string {
	if !strings.HasPrefix(filepath.Base(self), name) {
		return name
	}
	own, err := os.Stat(self)
	if err != nil {
		return name
	}
	for _, dir := range places {
		there, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err != nil || there.IsDir() || there.Mode()&0o111 == 0:
			continue
		case os.SameFile(own, there):
			return name
		}
		break
	}
	return quoted(self)
}

// quoted is a path as a shell reads it.
func quoted(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+@%=,", r)
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
