// Command pulley is the command line and the daemon. It asks a running daemon over the control socket; only `pulley up`
// is one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"pulley/internal/cause"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does what it does anywhere
	status := exit(run(ctx, os.Args[1:]))
	stop()
	os.Exit(status)
}

// run is one invocation with its arguments.
func run(ctx context.Context, args []string) error {
	root := newRoot() //nolint:contextcheck // ExecuteContext hands it to each command
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if owned, _ := root.PersistentFlags().GetBool("until-eof"); owned && err != nil {
		return programError{err}
	}
	return err
}

// programError is an error that a program of ours is told, which may say it to a person in another language.
type programError struct{ error }

func (e programError) Unwrap() error { return e.error }

// usageError is wrong usage: exit status 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// failures are several things that went wrong side by side.
type failures []error

func (f failures) orNil() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

func (f failures) Unwrap() []error { return f }

func (f failures) Error() string {
	lines := make([]string, len(f))
	for i, err := range f {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "; ")
}

// exit says what went wrong, each thing in one line, and returns the exit status: 0 done, 1 failed, 2 wrong usage.
func exit(err error) int {
	if err == nil {
		return 0
	}
	var several failures
	if !errors.As(err, &several) {
		several = failures{err}
	}
	for _, err := range several {
		line := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
		fmt.Fprintln(os.Stderr, "pulley: "+line)
	}
	var program programError
	if kind := cause.Of(err); kind != "" && errors.As(err, &program) {
		fmt.Fprintln(os.Stderr, cause.Mark+kind)
	}
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}
