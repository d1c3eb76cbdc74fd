package overview

import (
	"fyne.io/fyne/v2"

	"pulley/ui/part"
)

// shelf stacks objects over each other. Those among them that are rows get as many as there is room for, in turn.
type shelf struct{ gap float32 }

// rows stacks what stands over a list, the first of its objects, and as many of the others as its shelf has room for; the rest are hidden.
type rows struct {
	gap    float32
	bare   bool // what stands over the list is not shown
	wanted int  // how many rows have something to say
	least  int  // how many of them are there however little room there is
	given  int  // by the shelf
}

// tall is the height with n rows.
func (r *rows) tall(objects []fyne.CanvasObject, n int) (tall float32) {
	if n == 0 && (r.bare || r.least == 0) {
		return 0
	}
	if !r.bare {
		tall = objects[0].MinSize().Height
	}
	for i, row := range objects[1 : 1+n] {
		if i > 0 || !r.bare {
			tall += r.gap
		}
		tall += row.MinSize().Height
	}
	return tall
}

// MinSize implements fyne.Layout.
func (r *rows) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(120, r.tall(objects, min(r.least, r.wanted)))
}

// Layout implements fyne.Layout.
func (r *rows) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var y float32
	for i, o := range objects {
		shown := i <= r.given && (i > 0 || !r.bare && (r.given > 0 || r.least > 0))
		if part.Show(o, shown); !shown {
			continue
		}
		if y > 0 {
			y += r.gap
		}
		tall := o.MinSize().Height
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(size.Width, tall))
		y += tall
	}
}

// MinSize implements fyne.Layout.
func (s *shelf) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(120, s.tall(objects, func(r *rows) int { return min(r.least, r.wanted) }))
}

// full is the height in which all rows are there.
func (s *shelf) full(objects []fyne.CanvasObject) float32 {
	return s.tall(objects, func(r *rows) int { return r.wanted })
}

func (s *shelf) tall(objects []fyne.CanvasObject, count func(*rows) int) (tall float32) {
	for _, o := range objects {
		one := s.one(o, count)
		if one > 0 && tall > 0 {
			tall += s.gap
		}
		tall += one
	}
	return tall
}

// one is the height of one object; 0: it takes no room.
func (s *shelf) one(o fyne.CanvasObject, count func(*rows) int) float32 {
	if !o.Visible() {
		return 0
	}
	if list, r := rowsIn(o); r != nil {
		return r.tall(list.Objects, count(r))
	}
	return o.MinSize().Height
}

func rowsIn(o fyne.CanvasObject) (*fyne.Container, *rows) {
	list, ok := o.(*fyne.Container)
	if !ok {
		return nil, nil
	}
	r, ok := list.Layout.(*rows)
	if !ok {
		return nil, nil
	}
	return list, r
}

// Layout implements fyne.Layout.
func (s *shelf) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	given := func(r *rows) int { return r.given }
	var lists []*rows
	for _, o := range objects {
		if _, r := rowsIn(o); r != nil && o.Visible() {
			r.given = min(r.least, r.wanted)
			lists = append(lists, r)
		}
	}
	for grew := true; grew; { // a row each, until none has room or something to say
		grew = false
		for _, r := range lists {
			if r.given == r.wanted {
				continue
			}
			if r.given++; s.tall(objects, given) > size.Height+0.5 {
				r.given--
			} else {
				grew = true
			}
		}
	}
	var y float32
	for _, o := range objects {
		tall := s.one(o, given)
		if tall > 0 && y > 0 {
			y += s.gap
		}
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(size.Width, tall))
		if list, r := rowsIn(o); r != nil { // a container that keeps its size would keep its rows too
			r.Layout(list.Objects, list.Size())
		}
		y += tall
	}
}
