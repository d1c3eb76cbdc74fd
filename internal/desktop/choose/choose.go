// Package choose has a person choose files and folders in the desktop's own dialogs: the portal's on Linux, the ones of AppleScript
// on macOS and of Windows Forms on Windows.
//
// It must not know Fyne, nor what the files are for.
package choose

import (
	"context"
	"errors"
)

// ErrNone is in the error where this desktop has no dialogs of its own.
var ErrNone = errors.New("no dialogs for files on this desktop")

// what a dialog is for.
type what int

const (
	open what = iota
	save
	folder
)

// question is one dialog.
type question struct {
	what       what
	title      string
	parent     string   // of the window that it belongs to, as the portal wants it: "x11:1a2b"; "" none
	extensions []string // with a dot: ".tar"; none: any file
	name       string   // proposed for a file to save
}

// Open has an existing file chosen, and returns its path; "" if the person changed their mind. extensions have a dot, as
// ".tar"; none are all. parent is the window that the dialog belongs to, as the portal writes it ("x11:1a2b"), or "". It blocks until
// the person has answered, or ctx ends.
func Open(ctx context.Context, parent, title string, extensions []string) (string, error) {
	return ask(ctx, question{what: open, title: title, parent: parent, extensions: extensions})
}

// Save is the same for a file that need not exist yet; name is proposed. Whether to write over one that does has been asked.
func Save(ctx context.Context, parent, title, name string) (string, error) {
	return ask(ctx, question{what: save, title: title, parent: parent, name: name})
}

// Folder is the same for a folder.
func Folder(ctx context.Context, parent, title string) (string, error) {
	return ask(ctx, question{what: folder, title: title, parent: parent})
}
