//go:build cgo

package main

import (
	"context"
	"errors"

	"fyne.io/fyne/v2"

	"pulley/internal/desktop/choose"
	"pulley/ui"
	"pulley/ui/page"
)

// files has files chosen in the desktop's own dialogs; where it has none, in Fyne's.
type files struct {
	*program
	instead page.Files
}

func (p *program) files() *files {
	return &files{program: p, instead: ui.Dialogs(func() fyne.Window { return p.window.Window })}
}

// Open implements page.Files.
func (f *files) Open(title string, extensions []string, then func(path string)) {
	f.choose(then, func(ctx context.Context, parent string) (string, error) {
		return choose.Open(ctx, parent, title, extensions)
	}, func() { f.instead.Open(title, extensions, then) })
}

// Save implements page.Files.
func (f *files) Save(title, name string, then func(path string)) {
	f.choose(then, func(ctx context.Context, parent string) (string, error) {
		return choose.Save(ctx, parent, title, name)
	}, func() { f.instead.Save(title, name, then) })
}

// Folder implements page.Files.
func (f *files) Folder(title string, then func(path string)) {
	f.choose(then, func(ctx context.Context, parent string) (string, error) {
		return choose.Folder(ctx, parent, title)
	}, func() { f.instead.Folder(title, then) })
}

// choose asks beside the UI goroutine, for as long as the person takes.
func (f *files) choose(then func(path string), ask func(ctx context.Context, parent string) (string, error), instead func()) {
	parent := parentOf(f.window.Window)
	f.beside(func(ctx context.Context) func() {
		path, err := ask(ctx, parent)
		switch {
		case errors.Is(err, choose.ErrNone):
			return instead
		case err != nil:
			f.log.Warn("choosing a file", "error", err)
			return instead
		case path == "":
			return nil
		default:
			return func() { then(path) }
		}
	})
}
