package ui

import (
	"image/color"
	"runtime"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// digits are the keys of the pages.
var digits = []fyne.KeyName{fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4, fyne.Key5, fyne.Key6}

// listen takes the window's keys. Ctrl is Cmd on a Mac.
func (w *Window) listen() {
	c := w.Canvas()
	take := func(s fyne.Shortcut, do func()) {
		w.keys.AddShortcut(s, func(fyne.Shortcut) { do() })
		c.AddShortcut(s, w.TypedShortcut)
	}
	on := func(key fyne.KeyName, do func()) {
		take(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault}, do)
	}
	for i, key := range digits {
		on(key, func() { w.typedPage(order[i]) })
	}
	on(fyne.KeyComma, func() { w.typedPage(page.SettingsPage) })
	on(fyne.KeySlash, w.explainKeys)
	on(fyne.KeyW, w.options.Close)
	on(fyne.KeyF, func() {
		if seeker, ok := w.front.(page.Seeker); ok && w.free() {
			seeker.Seek()
		}
	})
	take(&fyne.ShortcutUndo{}, func() { w.toasts.Undo() })
	c.SetOnTypedKey(func(e *fyne.KeyEvent) {
		switch e.Name {
		case fyne.KeyEscape:
			w.escape()
		case fyne.KeyF1:
			w.explainKeys()
		}
	})
}

// TypedShortcut does what the keys of a shortcut do.
func (w *Window) TypedShortcut(s fyne.Shortcut) { w.keys.TypedShortcut(s) }

// free tells whether nothing lies over the page that has to be answered first.
func (w *Window) free() bool { return w.Canvas().Overlays().Top() == nil }

func (w *Window) typedPage(name page.Name) {
	if w.free() {
		w.Visit(name, "")
	}
}

// escape closes what lies on top: a dialog, a menu, the first steps, what a page has open at its side, and then the window.
func (w *Window) escape() {
	if top := w.Canvas().Overlays().Top(); top != nil {
		top.Hide()
		w.Canvas().Overlays().Remove(top)
		return
	}
	if front, ok := w.front.(page.Layered); ok && front.Escape() {
		return
	}
	w.options.Close()
}

// keyLabel is how a key together with Ctrl, or Cmd, is written.
func keyLabel(key string) string {
	if runtime.GOOS == "darwin" {
		return "⌘" + key
	}
	return "Ctrl+" + key
}

// keys are what the list of shortcuts says, each with the key of its text.
func keys() [][2]string {
	last := strconv.Itoa(len(order))
	return [][2]string{
		{keyLabel("1") + " … " + keyLabel(last), "pages"},
		{keyLabel(","), "settings"},
		{keyLabel("F"), "search"},
		{keyLabel("Z"), "undo"},
		{"Tab / Shift+Tab", "next"},
		{"Space / Enter", "press"},
		{"Esc / " + keyLabel("W"), "close"},
		{"F1 / " + keyLabel("/"), "help"},
	}
}

// explainKeys shows the list of shortcuts.
func (w *Window) explainKeys() {
	if !w.free() {
		return
	}
	title := part.NewText(lang.Say("shell.keys.title")).Bold()
	title.Scale = fynetheme.SizeNameSubHeadingText
	lines := container.New(layout.NewGridLayoutWithColumns(1))
	for _, k := range keys() {
		caps := row(6)
		for _, combination := range strings.Split(k[0], " ") {
			switch combination {
			case "/", "…":
				caps.Add(middle(part.NewMuted(combination)))
			default:
				caps.Add(cap(combination))
			}
		}
		lines.Add(container.NewBorder(nil, nil, part.NewText(lang.Say("shell.keys."+k[1])), caps))
	}
	var shown *widget.PopUp
	done := part.NewButton(lang.Say("shell.keys.done"), func() { shown.Hide() })
	body := column(14, title, lines, row(0, layout.NewSpacer(), done))
	frame := container.NewStack(spacer(fyne.NewSize(440, 0)), inset(14, 16, body))
	shown = widget.NewModalPopUp(frame, w.Canvas())
	shown.Show()
}

// cap is a key as it looks.
func cap(name string) fyne.CanvasObject {
	ground := canvas.NewRectangle(hue(fynetheme.ColorNameInputBackground))
	ground.StrokeColor, ground.StrokeWidth, ground.CornerRadius = hue(fynetheme.ColorNameInputBorder), 1, 4
	text := part.NewText(name)
	text.Scale = theme.SizeSmall
	return middle(container.NewStack(ground, inset(2, 7, text)))
}

// spacer is nothing, of a size.
func spacer(size fyne.Size) fyne.CanvasObject {
	r := canvas.NewRectangle(color.Transparent)
	r.SetMinSize(size)
	return r
}
