package pagetest

import (
	"time"

	"fyne.io/fyne/v2"
)

// Size is what a window of 1100×720 leaves a page.
var Size = fyne.NewSize(900, 660)

// Afternoon is another time of day.
var Afternoon = time.Date(2026, 5, 4, 14, 20, 0, 0, time.UTC)
