package part

import "slices"

// columns divide the width of a table. They have no pixels of their own.
type columns struct {
	all  []Column
	set  map[string]float32 // what a person made of them
	wide []float32          // as fitted
	left []float32          // where each begins
}

const (
	leastColumn  = 44  // a text
	leastAmount  = 76  // a number with its unit: cut, it would say something else
	leastGrowing = 110 // a growing column while others can still give
	growingWidth = 160 // one of which nothing is said
	usualWidth   = 100 // another of which nothing is said
)

func newColumns(all []Column) *columns {
	return &columns{all: all, set: map[string]float32{}, wide: make([]float32, len(all)), left: make([]float32, len(all))}
}

func (c *columns) index(key string) int {
	return slices.IndexFunc(c.all, func(column Column) bool { return column.Key == key })
}

// wanted is how wide a column would be if there were room; of growing ones, what they are to each other.
func (c *columns) wanted(i int) float32 {
	column := c.all[i]
	switch width, said := c.set[column.Key]; {
	case said:
		return max(width, c.least(i))
	case column.Width > 0:
		return column.Width
	case column.Grow:
		return growingWidth
	default:
		return usualWidth
	}
}

// fit divides room. Growing columns take what is left over, and give first where there is too little; then the others give, each by
// the same part of what it has above the least; and at last the growing ones again.
func (c *columns) fit(room float32) {
	var fixed, slack, growing, least float32
	for i, column := range c.all {
		wanted := c.wanted(i)
		if column.Grow {
			growing += wanted
			least += min(wanted, c.least(i))
		} else {
			fixed += wanted
			slack += max(wanted-c.least(i), 0)
		}
	}
	short := min(max(fixed+least-room, 0), slack)
	forGrowing := max(room-fixed+short, 0)
	var left float32
	for i, column := range c.all {
		width := c.wanted(i)
		switch {
		case column.Grow:
			width = forGrowing * width / growing
		case short > 0:
			width -= short * max(width-c.least(i), 0) / slack
		}
		c.left[i], c.wide[i] = left, width
		left += width
	}
}

// drag moves the edge between column i and the next: what the one gains the other loses, so that the edge stays under the pointer.
func (c *columns) drag(i int, by float32) {
	if i < 0 || i+1 >= len(c.all) {
		return
	}
	by = max(by, min(c.least(i)-c.wide[i], 0))
	by = min(by, max(c.wide[i+1]-c.least(i+1), 0))
	c.wide[i] += by
	c.wide[i+1] -= by
	for k, column := range c.all {
		if k == i || k == i+1 || column.Grow {
			c.set[column.Key] = c.wide[k]
		}
	}
}

// least is how narrow a person or a window can make a column.
func (c *columns) least(i int) float32 {
	switch column := c.all[i]; {
	case column.Grow:
		return leastGrowing
	case column.Whole:
		return column.Width
	case column.Right && column.Width > 0:
		return min(column.Width, leastAmount)
	case column.Right:
		return leastAmount
	default:
		return leastColumn
	}
}

// edge is the column whose right edge is at x; -1: none is near.
func (c *columns) edge(x float32) int {
	const near = 5
	for i := range len(c.all) - 1 {
		if right := c.left[i+1]; x >= right-near && x <= right+near {
			return i
		}
	}
	return -1
}

// under is the column at x; -1: none.
func (c *columns) under(x float32) int {
	for i, left := range c.left {
		if x >= left && x < left+c.wide[i] {
			return i
		}
	}
	return -1
}
