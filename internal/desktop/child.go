package desktop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Child is a program that we started. It outlives us if we die, so its output
// goes to a file and not to a pipe that would break.
type Child struct {
	command *exec.Cmd
	output  string
	done    chan struct{}
	err     error // of Wait; valid after done
}

// StartChild runs a program with the given arguments and our environment. What
// it prints replaces the file output, which is made with its folder.
func StartChild(output, program string, args ...string) (*Child, error) {
	if err := os.MkdirAll(filepath.Dir(output), 0o700); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	file, err := os.OpenFile(output, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	defer func() { _ = file.Close() }() // the child has its own
	c := &Child{output: output, done: make(chan struct{})}
	c.command = exec.Command(program, args...) //nolint:noctx // it outlives us if we die, and Stop ends it
	c.command.Stdout, c.command.Stderr = file, file
	apart(c.command)
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		c.err = c.command.Wait()
		close(c.done)
	}()
	return c, nil
}

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Pid is its process id.
func (c *Child) Pid() int { return c.command.Process.Pid }

// Reason says why it ended: the error that it printed last, or how it exited.
// To be called after Done.
func (c *Child) Reason() string {
	if c.err == nil {
		return "it ended by itself"
	}
	if said, ok := strings.CutPrefix(lastLine(c.output), errorPrefix); ok {
		return said
	}
	return "it ended by itself (" + c.err.Error() + ")"
}

// errorPrefix begins the line with which a program of ours ends in error;
// before that it may have printed anything.
const errorPrefix = "pulley: "

// Stop asks the child to end and waits for it. When ctx ends first, it is
// killed.
func (c *Child) Stop(ctx context.Context) error {
	if err := askToEnd(c.command.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_ = c.command.Process.Kill()
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	}
	_ = c.command.Process.Kill()
	<-c.done
	return fmt.Errorf("stop %s: it did not end when asked to and was killed", filepath.Base(c.command.Path))
}

// lastLine is the last line of a file that says something.
func lastLine(path string) string {
	const enough = 4 << 10
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	if size, err := file.Seek(0, io.SeekEnd); err != nil || size == 0 {
		return ""
	} else if _, err := file.Seek(max(0, size-enough), io.SeekStart); err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(file, enough))
	if err != nil {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return strings.TrimSpace(string(lines[len(lines)-1]))
}
