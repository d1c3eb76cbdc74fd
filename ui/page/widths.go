package page

// Widths are those of columns that a person has drawn, for the window to remember.
func (p *Images) Widths() map[string]float32 { return p.table.Widths() }

// SetWidths puts remembered ones in force.
func (p *Images) SetWidths(widths map[string]float32) { p.table.SetWidths(widths) }

// Widths are those of columns that a person has drawn, for the window to remember.
func (p *Activity) Widths() map[string]float32 { return p.table.Widths() }

// SetWidths puts remembered ones in force.
func (p *Activity) SetWidths(widths map[string]float32) { p.table.SetWidths(widths) }
