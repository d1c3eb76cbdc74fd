package part

import (
	"fmt"
	"slices"
	"testing"
)

func TestSelectionFollowsItsRows(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	s := newSelection(func() int { return len(names) }, func(i int) string { return names[i] })
	want := func(step string, ids ...string) {
		t.Helper()
		if got := s.ids(); !slices.Equal(got, ids) {
			t.Errorf("%s: %v are selected, want %v", step, got, ids)
		}
	}
	s.reach(1, false)
	want("without an anchor from the top", "a", "b")
	s.only(3)
	s.reach(1, false)
	want("up", "b", "c", "d")
	s.reach(4, false)
	want("and down from where it began", "d", "e")
	slices.Reverse(names)
	if s.follow() {
		t.Error("another order is said to be another selection")
	}
	want("in their new order", "e", "d")
	if s.cursor.row != 0 || s.anchor.row != 1 {
		t.Errorf("the keyboard is at %v, the range began at %v", s.cursor, s.anchor)
	}
	names = []string{"x", "d"}
	if !s.follow() {
		t.Error("nobody heard that one is gone")
	}
	want("without those that are gone", "d")
	if s.cursor.id != "x" {
		t.Errorf("the keyboard is at %v, not at what took its place", s.cursor)
	}
	names = nil
	s.follow()
	want("of nothing")
	if s.cursor.row != -1 {
		t.Errorf("the keyboard is at %v of nothing", s.cursor)
	}
}

// Whatever happens to the rows, what is selected is there, and Shift selects as if nothing had happened.
func FuzzSelection(f *testing.F) {
	f.Add([]byte{0, 3, 1, 2, 2, 5, 3, 0, 4, 2, 5, 1})
	f.Fuzz(func(t *testing.T, deeds []byte) {
		var names []string
		for i := range 12 {
			names = append(names, fmt.Sprint(i))
		}
		s := newSelection(func() int { return len(names) }, func(i int) string { return names[i] })
		for i := 0; i+1 < len(deeds); i += 2 {
			if len(names) == 0 {
				return
			}
			row := int(deeds[i+1]) % len(names)
			switch deeds[i] % 6 {
			case 0:
				s.only(row)
			case 1:
				s.toggle(row)
			case 2:
				s.reach(row, deeds[i] > 100)
			case 3:
				names = slices.Delete(slices.Clone(names), row, row+1)
				s.follow()
			case 4:
				names = slices.Insert(slices.Clone(names), row, fmt.Sprint("new", i))
				s.follow()
			case 5:
				slices.Reverse(names)
				s.follow()
			}
			ids := s.ids()
			last := -1
			for _, id := range ids {
				at := slices.Index(names, id)
				if at <= last || s.rows[id] != at {
					t.Fatalf("%v of %v, remembered as %v", ids, names, s.rows)
				}
				last = at
			}
			for _, p := range []place{s.cursor, s.anchor} {
				if p.row >= len(names) || p.row >= 0 && names[p.row] != p.id {
					t.Fatalf("a place %v in %v", p, names)
				}
			}
		}
	})
}
