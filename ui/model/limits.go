package model

import (
	"time"

	"pulley/internal/control"
)

// LimitOf is what a registry said last of the pulls that are left; false where it said nothing, or so long ago that its limit has
// begun anew.
func LimitOf(limits []control.Limit, registry string, now time.Time) (last control.Limit, holds bool) {
	for _, l := range limits {
		if l.Registry == registry && l.Remaining >= 0 && (!holds || l.At.After(last.At)) {
			last, holds = l, true
		}
	}
	if last.Again != nil {
		return last, holds && last.Again.After(now)
	}
	return last, holds && (last.Window <= 0 || now.Sub(last.At) < last.Window)
}

// Limits are the pull limits that hold now, in the order of registries.
func Limits(s control.State, now time.Time) []control.Limit {
	var limits []control.Limit
	for _, r := range s.Registries {
		if l, holds := LimitOf(s.Limits, r.Name, now); holds && l.Limit > 0 {
			limits = append(limits, l)
		}
	}
	return limits
}
