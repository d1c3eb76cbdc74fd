package part

import (
	"strings"

	"fyne.io/fyne/v2"
)

// AccessibilityLabel is the rows in their order.
func (r *Reorder) AccessibilityLabel() string {
	var names []string
	for _, row := range r.rows {
		names = append(names, row.item.Name)
	}
	return strings.Join(names, ", ")
}

// AccessibilityRole is a container.
func (r *Reorder) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleContainer }

// AccessibilityLabel is what the row is about.
func (row *reorderRow) AccessibilityLabel() string { return row.item.Name }

// AccessibilityRole is a container.
func (row *reorderRow) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleContainer }
