package pagetest

import (
	"time"

	"fyne.io/fyne/v2"
)

var Size = fyne.NewSize(900, 660)

var Afternoon = time.Date(2026, 5, 4, 14, 20, 0, 0, time.UTC)
