//go:build xvfb

package main_test

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// statusIcon is the tray's icon as a panel sees it: org.kde.StatusNotifierItem
// and com.canonical.dbusmenu.
type statusIcon struct {
	t          *testing.T
	item, menu dbus.BusObject
}

// line is an item of the menu. Hidden ones are not read.
type line struct {
	id               int32
	label            string
	enabled, checked bool
	children         []line
}

// layout is an item as com.canonical.dbusmenu sends it.
type layout struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

// lines reads the whole menu. The first answer after a start is shallow.
func (s *statusIcon) lines() []line {
	s.t.Helper()
	var revision uint32
	var root layout
	if err := s.menu.Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root); err != nil {
		return nil // the program is ending, or not there yet
	}
	return read(s.t, root.Children)
}

func read(t *testing.T, children []dbus.Variant) []line {
	t.Helper()
	var lines []line
	for _, child := range children {
		var item layout
		if err := dbus.Store([]any{child.Value()}, &item); err != nil {
			t.Fatal(err)
		}
		if visible, ok := item.Properties["visible"].Value().(bool); ok && !visible {
			continue
		}
		label, _ := item.Properties["label"].Value().(string)
		if label == "" {
			continue // a separator
		}
		enabled, known := item.Properties["enabled"].Value().(bool)
		state, _ := item.Properties["toggle-state"].Value().(int32)
		lines = append(lines, line{
			id: item.ID, label: label, enabled: enabled || !known, checked: state == 1,
			children: read(t, item.Children),
		})
	}
	return lines
}

// text is the menu as a person reads it.
func (s *statusIcon) text() string {
	s.t.Helper()
	var out strings.Builder
	var write func([]line, string)
	write = func(lines []line, indent string) {
		for _, l := range lines {
			mark := ""
			if l.checked {
				mark = " *"
			}
			out.WriteString(indent + l.label + mark + "\n")
			write(l.children, indent+"  ")
		}
	}
	write(s.lines(), "")
	return out.String()
}

// find waits for an item: the labels on the way to it, or how they begin,
// parted by " > ".
func (s *statusIcon) find(path string) line {
	s.t.Helper()
	var found line
	names := strings.Split(path, " > ")
	eventually(s.t, "the menu had "+path+"; it was:\n"+s.text(), func() bool {
		lines := s.lines()
		for i, name := range names {
			at := -1
			for j, l := range lines {
				if strings.HasPrefix(l.label, name) {
					at = j
					break
				}
			}
			if at < 0 {
				return false
			}
			if i == len(names)-1 {
				found = lines[at]
			}
			lines = lines[at].children
		}
		return true
	})
	return found
}

// click clicks on an item, whether the menu still shows it or not.
func (s *statusIcon) click(l line) {
	s.t.Helper()
	if err := s.menu.Call("com.canonical.dbusmenu.Event", 0, l.id, "clicked", dbus.MakeVariant(int32(0)), uint32(0)).Err; err != nil {
		s.t.Fatal(err)
	}
}

// pixels is the icon's picture: its first size, as bytes.
func (s *statusIcon) pixels() string {
	s.t.Helper()
	value, err := s.item.GetProperty("org.kde.StatusNotifierItem.IconPixmap")
	if err != nil {
		s.t.Fatal(err)
	}
	var pictures []struct {
		Width, Height int32
		Pixels        []byte
	}
	if err := value.Store(&pictures); err != nil || len(pictures) == 0 {
		s.t.Fatalf("the icon has no picture: %v", err)
	}
	return string(pictures[0].Pixels)
}
