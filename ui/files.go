package ui

import (
	"io"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"

	"pulley/ui/page"
)

// Dialogs are Fyne's own dialogs for files, for desktops that have none. window is asked each time.
func Dialogs(window func() fyne.Window) page.Files { return dialogs{window} }

type dialogs struct{ window func() fyne.Window }

// Open has an existing file chosen.
func (d dialogs) Open(_ string, extensions []string, then func(path string)) {
	chosen := dialog.NewFileOpen(func(file fyne.URIReadCloser, err error) { settle(file, err, then) }, d.window())
	if len(extensions) > 0 {
		chosen.SetFilter(storage.NewExtensionFileFilter(extensions))
	}
	chosen.Show()
}

// Save has a place for a file chosen. Fyne makes the file, empty.
func (d dialogs) Save(_, name string, then func(path string)) {
	chosen := dialog.NewFileSave(func(file fyne.URIWriteCloser, err error) { settle(file, err, then) }, d.window())
	chosen.SetFileName(name)
	chosen.Show()
}

// Folder has a folder chosen.
func (d dialogs) Folder(_ string, then func(path string)) {
	dialog.ShowFolderOpen(func(folder fyne.ListableURI, err error) {
		if err == nil && folder != nil {
			then(folder.Path())
		}
	}, d.window())
}

// settle hands over where a file is, and closes what Fyne opened.
func settle(file interface {
	io.Closer
	URI() fyne.URI
}, err error, then func(path string)) {
	if err != nil || file == nil {
		return
	}
	path := file.URI().Path()
	_ = file.Close()
	then(path)
}
