package settings

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
)

// knob shows a value and lets a person change it.
type knob struct {
	object fyne.CanvasObject
	show   func(value string, held bool)
	check  func() bool // whether what is typed fits; nil: nothing can be typed
}

// newSettingControl makes the control for a setting. change is called with a value that fits; wrong hears whether what is
// typed does.
func (s *Page) newSettingControl(d model.SettingDef, change func(string), wrong func(bool)) *knob {
	switch d.Kind {
	case model.Toggle:
		w := part.NewSwitch(func(on bool) { change(map[bool]string{true: "true", false: "false"}[on]) })
		w.Label = label(d.Key)
		return &knob{object: w, show: func(value string, held bool) { w.Set(value == "true"); w.Allow(!held) }}
	case model.OneOf:
		return newOptions(d, change)
	case model.Folder:
		c := newField(d, wide, change, wrong)
		pick := part.NewIconButton(fynetheme.FolderOpenIcon(), lang.Say("settings.choose_folder"), func() {
			s.desk.Files.Folder(label(d.Key), change)
		})
		field := c.show
		c.show = func(value string, held bool) { field(value, held); part.Enable(pick, !held) }
		c.object = part.HBox(4, part.Middle(pick), c.object)
		return c
	default:
		width := float32(narrow)
		if d.Kind == model.WebURL || d.Kind == model.Store || d.Kind == model.List {
			width = wide
		}
		return newField(d, width, change, wrong)
	}
}

// Widths of fields.
const (
	narrow = 150
	wide   = 250
)

// newOptions is a choice among a few words side by side.
func newOptions(d model.SettingDef, change func(string)) *knob {
	var words []string
	for _, option := range d.Options {
		words = append(words, optionWord(d.Key, option))
	}
	var w *part.Segments
	held := false
	last := 0
	w = part.NewSegments(words, 0, func(i int) {
		if held {
			w.Set(last)
			return
		}
		change(d.Options[i])
	})
	w.Label = label(d.Key)
	return &knob{object: w, show: func(value string, by bool) {
		held = by
		for i, option := range d.Options {
			if option == value {
				last = i
				w.Set(i)
			}
		}
	}}
}

// newField is a line to type into: Enter and leaving it say that the value is meant, Escape takes back what was typed.
func newField(d model.SettingDef, width float32, change func(string), wrong func(bool)) *knob {
	e := part.NewInput(example(d))
	e.Label = label(d.Key)
	value, typing := "", false
	check := func() bool {
		fits := !typing || d.Fits(e.Text)
		e.Mark(!fits)
		wrong(!fits)
		return fits
	}
	done := func() {
		if !typing {
			return
		}
		if !check() {
			return
		}
		typing = false
		change(e.Text)
	}
	e.OnChanged = func(text string) { typing = text != value; check() }
	e.Entered, e.Left = done, done
	back := func() {
		typing = false
		e.Propose(value)
		check()
	}
	e.Escaped = func() {
		if typing {
			back()
			return
		}
		part.PassKey(e, &fyne.KeyEvent{Name: fyne.KeyEscape})
	}
	return &knob{
		object: container.New(part.FixedWidth(width), e), check: check,
		show: func(now string, held bool) {
			part.Enable(e, !held)
			if typing && now == value {
				return // somebody is at it
			}
			typing = false
			if value = now; e.Text != now {
				e.Propose(now)
			}
			e.Mark(false)
		},
	}
}

// sizeControl is a slider over round sizes with a field beside it, which takes any.
func newSizeControl(d model.SettingDef, change func(string), wrong func(bool)) (c *knob, room func(bytes int64)) {
	field := newField(d, 96, change, wrong)
	steps := model.SizeSteps(0)
	value, moving := "", false
	slider := part.NewSlider(label(d.Key), float64(len(steps)-1), func() string { return value })
	entry := field.object.(*fyne.Container).Objects[0].(*part.Input)
	slider.OnChanged = func(at float64) {
		moving = true
		entry.Propose(model.SizeText(steps[int(at)]))
	}
	slider.OnChangeEnded = func(at float64) {
		moving = false
		change(model.SizeText(steps[int(at)]))
	}
	place := func() {
		if moving {
			return
		}
		told := slider.OnChanged
		slider.OnChanged = nil
		slider.Value = float64(model.NearestStep(steps, model.ParseSize(value)))
		slider.Refresh()
		slider.OnChanged = told
	}
	c = &knob{object: part.HBox(8, part.Middle(container.New(part.FixedWidth(150), slider.Shown())), field.object), check: field.check,
		show: func(now string, held bool) {
			value = now
			if !moving {
				field.show(now, held)
			}
			part.Enable(slider, !held)
			place()
		}}
	return c, func(bytes int64) {
		if fresh := model.SizeSteps(bytes); len(fresh) != len(steps) {
			steps = fresh
			slider.Max = float64(len(steps) - 1)
			place()
		}
	}
}
