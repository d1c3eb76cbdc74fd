package machine

import (
	"fmt"
	"path/filepath"
	"strings"
)

// ExitError says that a program ended with a status other than 0.
type ExitError struct {
	Program string
	Status  int // -1: it was killed
	Stderr  string
}

// Error is one line: the last that the program wrote says most.
func (e *ExitError) Error() string {
	name := filepath.Base(e.Program)
	lines := strings.Split(strings.TrimSpace(e.Stderr), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return fmt.Sprintf("%s: %s", name, last)
	}
	return fmt.Sprintf("%s: ended with status %d", name, e.Status)
}
