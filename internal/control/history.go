package control

import "time"

// History is what was served over time, oldest first. Times without a request have no point.
type History struct {
	Minutes []Point `json:"minutes"` // of the last day
	Days    []Point `json:"days"`    // of the last year
}

// Point is what was served in the minute or day that began at At.
type Point struct {
	At time.Time `json:"at"`
	Bytes
}
