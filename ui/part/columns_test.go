package part

import (
	"testing"
)

func TestColumnsDivideTheirRoom(t *testing.T) {
	all := []Column{{Key: "name", Grow: true, Width: 200}, {Key: "size", Right: true, Width: 100}, {Key: "used", Width: 120}}
	for _, c := range []struct {
		room float32
		want []float32
	}{
		{600, []float32{380, 100, 120}}, // what is left over grows
		{420, []float32{200, 100, 120}}, // as they like it
		{340, []float32{120, 100, 120}}, // the growing one gives first
		{280, []float32{110, 88, 82}},   // then the others, by what they have above the least
		{230, []float32{110, 76, 44}},   // all at their least
		{200, []float32{80, 76, 44}},    // at last the growing one again
		{100, []float32{0, 76, 44}},
	} {
		columns := newColumns(all)
		columns.fit(c.room)
		for i := range c.want {
			if off := columns.wide[i] - c.want[i]; off > 1 || off < -1 {
				t.Errorf("in %v they are %v, want %v", c.room, columns.wide, c.want)
				break
			}
		}
	}
	all[2].Whole = true
	columns := newColumns(all)
	columns.fit(200)
	if columns.wide[2] != 120 {
		t.Errorf("a column that is of no use when it is cut is %v wide", columns.wide[2])
	}
	two := newColumns([]Column{{Key: "a", Grow: true}, {Key: "b", Grow: true}, {Key: "c", Grow: true}})
	two.fit(600)
	for range 3 { // the edge stays under the pointer
		at := two.left[1]
		two.drag(0, 20)
		two.fit(600)
		if off := two.left[1] - at - 20; off > 0.1 || off < -0.1 {
			t.Errorf("dragged by 20, the edge went from %v to %v", at, two.left[1])
		}
	}
	two.drag(0, 5000)
	two.fit(600)
	if two.wide[1] < leastGrowing-0.1 {
		t.Errorf("a column is %v wide after the one beside it took all", two.wide[1])
	}
}
