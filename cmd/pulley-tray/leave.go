//go:build cgo

package main

import (
	"context"
	"os"
	"slices"
	"time"

	"pulley/internal/desktop/login"
	"pulley/ui/model"
	"pulley/ui/page/settings"
)

// startAtLogin has the app start when the person logs in; nil where it cannot tell which program it is.
func startAtLogin() settings.Login {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	return login.Entry{ID: id, Name: name, Program: program}
}

// lookAround is how long quitting may wait for the list of engines.
const lookAround = 3 * time.Second

// leave is what a person wants who quits: at once where the daemon goes on, or nothing is wired to it; else they are asked
// first. Any goroutine.
func (p *program) leave() {
	if v := p.model.View(); !v.Owned || v.Phase != model.Running {
		p.quit()
		return
	}
	p.beside(func(ctx context.Context) func() {
		wired := p.wired(ctx)
		if len(wired) == 0 {
			return p.quit
		}
		return func() { //nolint:contextcheck // what pages begin goes on until the program ends
			p.window.Reveal()
			p.window.Part(wired, p.quit)
		}
	})
}

// wired are the engines that connect did something to. Without an answer in time there are none: quitting goes before.
func (p *program) wired(ctx context.Context) []model.Engine {
	ctx, cancel := context.WithTimeout(ctx, lookAround)
	defer cancel()
	var engines []model.Engine
	if err := p.tool.Run(ctx, &engines, "connect"); err != nil {
		return nil
	}
	return slices.DeleteFunc(engines, func(e model.Engine) bool { return e.Standing() != model.Connected })
}
