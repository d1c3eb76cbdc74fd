package theme

import (
	"encoding/json"

	"fyne.io/fyne/v2"
	fynelang "fyne.io/fyne/v2/lang"

	"pulley/ui/lang"
)

// toolkit is what Fyne says by itself, by its own keys: in menus of text fields and in its file dialogs.
var toolkit = map[string]string{
	"Advanced": "toolkit.advanced", "Cancel": "toolkit.cancel", "Confirm": "toolkit.confirm", "Copy": "toolkit.copy",
	"Create Folder": "toolkit.create_folder", "Cut": "toolkit.cut", "Enter filename": "toolkit.enter_filename",
	"Error": "toolkit.error", "Favourites": "toolkit.favourites", "File": "toolkit.file", "Folder": "toolkit.folder",
	"Home": "toolkit.home", "New Folder": "toolkit.new_folder", "No": "toolkit.no", "OK": "toolkit.ok", "Open": "toolkit.open",
	"Paste": "toolkit.paste", "Quit": "toolkit.quit", "Redo": "toolkit.redo", "Save": "toolkit.save",
	"Select all": "toolkit.select_all", "Show Hidden Files": "toolkit.show_hidden", "Undo": "toolkit.undo", "Yes": "toolkit.yes",
	"file.name": "toolkit.name", "file.parent": "toolkit.parent",
}

// spoken is the language that Fyne speaks; "" its own choice.
var spoken string

// speak has Fyne say its own words in the language in force. Fyne 2.8 follows the system's language and cannot be told another,
// so those words are put in the place of the system's language's. For the UI goroutine.
func speak() {
	if spoken == lang.Tag() {
		return
	}
	words := map[string]any{}
	for theirs, ours := range toolkit {
		words[theirs] = map[string]string{"other": lang.Say(ours)}
	}
	text, err := json.Marshal(words)
	if err == nil {
		err = fynelang.AddTranslationsForLocale(text, fyne.Locale(fynelang.SystemLocale().LanguageString()))
	}
	if err != nil {
		fyne.LogError("Fyne keeps its own words", err)
		return
	}
	spoken = lang.Tag()
}
