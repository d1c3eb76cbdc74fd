package part

import (
	"strings"

	"fyne.io/fyne/v2"
)

// AccessibilityLabel is the rows in their order.
func (r *Reorder) AccessibilityLabel() string {
	var rows []string
	for _, row := range r.rows {
		rows = append(rows, row.AccessibilityLabel())
	}
	return strings.Join(rows, "; ")
}

// AccessibilityRole is text: a container would be passed over.
func (r *Reorder) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// AccessibilityLabel is all that stands in the row, or what it is about where that says nothing.
func (row *reorderRow) AccessibilityLabel() string {
	if said := reading(row.item.Content); said != "" {
		return said
	}
	return row.item.Name
}

// AccessibilityRole is text: a container would be passed over.
func (row *reorderRow) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }
