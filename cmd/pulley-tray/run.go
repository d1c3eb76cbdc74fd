//go:build cgo

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"pulley/internal/config"
	"pulley/internal/desktop"
)

// instead is the next step for somebody who cannot have a tray here.
const instead = "the daemon alone runs with: pulley up"

// run is the whole program. It returns when a person quit.
func run(args []string) (err error) {
	flags := flag.NewFlagSet("pulley-tray", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	window := flags.Bool("window", false, "open the window at once")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Println("pulley-tray [--window]   the desktop app; --window opens its window at once")
		return nil
	} else if err != nil || flags.NArg() > 0 {
		return errUsage
	}
	if err := desktop.Display(os.Getenv); err != nil {
		return fmt.Errorf("%w; %s", err, instead)
	}
	places, err := config.FindPlaces(os.Environ())
	if err != nil {
		return err
	}
	p := newProgram(places, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	instance, err := desktop.Claim(places.StateDir, p.reveal)
	if errors.Is(err, desktop.ErrRunning) {
		fmt.Println("pulley-tray: it runs already and was asked to show its window")
		return nil
	}
	if err != nil {
		return err
	}
	p.release = sync.OnceFunc(func() { _ = instance.Close() })
	defer p.release()
	defer func() {
		// The driver panics where it cannot open a display.
		if problem := recover(); problem != nil {
			err = fmt.Errorf("the desktop cannot be drawn on: %v; %s", problem, instead)
		}
	}()
	return p.run(*window)
}
