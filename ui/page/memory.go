package page

import (
	"slices"
	"strings"

	"pulley/ui/part"
)

// Memory is what a person chose on pages, from run to run: how a list is sorted, how much a chart shows. It is a file that others may
// write too: a page checks what it gets.
type Memory interface {
	Choice(key string) string // "": none was made. Keys begin with the page's name: "images.sort"
	Choose(key, value string)
}

// falling stands after the column by which a list is sorted with the largest first.
const falling = " down"

// KeepOrder remembers how a list is sorted.
func KeepOrder(m Memory, key, column string, down bool) {
	if down {
		column += falling
	}
	m.Choose(key, column)
}

// KeptOrder is how it was sorted last; known is false where it was not, or by a column that it has no more.
func KeptOrder(m Memory, key string, columns []part.Column) (column string, down, known bool) {
	column, down = strings.CutSuffix(m.Choice(key), falling)
	known = slices.ContainsFunc(columns, func(c part.Column) bool { return c.Key == column && !c.NoSort })
	return column, down, known
}
