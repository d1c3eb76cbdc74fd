package desktop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// FindBinary looks for a program of ours: beside the one that runs, symbolic
// links resolved, and then on PATH.
func FindBinary(name string) (string, error) {
	if self, err := os.Executable(); err == nil {
		places := []string{self}
		if real, err := filepath.EvalSymlinks(self); err == nil && real != self {
			places = append(places, real)
		}
		for _, place := range places {
			// LookPath knows what the platform calls a program.
			if found, err := exec.LookPath(filepath.Join(filepath.Dir(place), name)); err == nil {
				return found, nil
			}
		}
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s: not found beside this program, nor on PATH", name)
	}
	return found, nil
}
