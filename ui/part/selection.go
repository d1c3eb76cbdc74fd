package part

import (
	"maps"
	"slices"
)

// selection is which rows are selected, by their IDs, and where the keyboard is. It has no pixels.
//
// A row is remembered beside its ID as a hint where to look first: most refreshes move nothing.
type selection struct {
	rows     map[string]int // the selected ones
	cursor   place          // where the keyboard is
	anchor   place          // where a range begins
	length   func() int
	identify func(row int) string
}

// place is a row that stays with its ID. None has the row -1.
type place struct {
	id  string
	row int
}

var nowhere = place{row: -1}

func newSelection(length func() int, identify func(row int) string) *selection {
	return &selection{rows: map[string]int{}, cursor: nowhere, anchor: nowhere, length: length, identify: identify}
}

func (s *selection) has(id string) bool {
	_, selected := s.rows[id]
	return selected
}

// ids are the selected ones from the top.
func (s *selection) ids() []string {
	return slices.SortedFunc(maps.Keys(s.rows), func(a, b string) int { return s.rows[a] - s.rows[b] })
}

func (s *selection) at(row int) place {
	if row < 0 || row >= s.length() {
		return nowhere
	}
	return place{s.identify(row), row}
}

// only selects one row: a click.
func (s *selection) only(row int) {
	clear(s.rows)
	s.add(row)
	s.cursor, s.anchor = s.at(row), s.at(row)
}

// toggle selects a row too, or no longer: a click with Ctrl.
func (s *selection) toggle(row int) {
	if id := s.identify(row); s.has(id) {
		delete(s.rows, id)
	} else {
		s.rows[id] = row
	}
	s.cursor, s.anchor = s.at(row), s.at(row)
}

// reach selects all between the anchor and a row: a click with Shift. What else was selected stays so if also.
func (s *selection) reach(row int, also bool) {
	if s.anchor.row < 0 {
		s.anchor = s.at(0)
	}
	if !also {
		clear(s.rows)
	}
	for i := min(s.anchor.row, row); i <= max(s.anchor.row, row); i++ {
		s.add(i)
	}
	s.cursor = s.at(row)
}

// all selects every row.
func (s *selection) all() {
	for i := range s.length() {
		s.add(i)
	}
}

func (s *selection) add(row int) {
	if row >= 0 && row < s.length() {
		s.rows[s.identify(row)] = row
	}
}

// these selects rows by their IDs and no others, and returns the first of them; -1 if there is none.
func (s *selection) these(ids []string) int {
	clear(s.rows)
	if len(ids) == 0 {
		return -1
	}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	first := -1
	for i := 0; i < s.length() && len(s.rows) < len(wanted); i++ {
		if wanted[s.identify(i)] {
			s.add(i)
			if first < 0 {
				first = i
			}
		}
	}
	s.cursor, s.anchor = s.at(first), s.at(first)
	return first
}

// follow takes the rows as they are now. Who is gone is selected no longer: what cannot be seen must not be deleted. It reports
// whether that changed what is selected.
func (s *selection) follow() bool {
	n := s.length()
	s.cursor, s.anchor = s.found(s.cursor), s.found(s.anchor)
	moved := 0
	for id, row := range s.rows {
		if row >= n || s.identify(row) != id {
			moved++
		}
	}
	if moved == 0 {
		return false
	}
	before := len(s.rows)
	still := make(map[string]int, before)
	for i := 0; i < n && len(still) < before; i++ {
		if id := s.identify(i); s.has(id) {
			still[id] = i
		}
	}
	s.rows = still
	return len(still) != before
}

// found is where a place is now: where its ID is, or if that is gone, the row that took its place.
func (s *selection) found(p place) place {
	if p.row < 0 {
		return nowhere
	}
	if row := find(p, s.length(), s.identify); row >= 0 {
		return place{p.id, row}
	}
	return s.at(min(p.row, s.length()-1))
}

// find looks for an ID from where it was outwards; -1: it is gone.
func find(p place, length int, identify func(int) string) int {
	for off := range max(length, p.row+1) {
		below, above := p.row+off, p.row-off
		if below < length && below >= 0 && identify(below) == p.id {
			return below
		}
		if above >= 0 && above < length && identify(above) == p.id {
			return above
		}
	}
	return -1
}
