package page

import "pulley/internal/control"

// PlaceOf is the page on which a problem can be seen to.
func PlaceOf(p control.Problem) Name {
	switch p.Kind {
	case control.ProblemMirror, control.ProblemLimit:
		return MirrorsPage
	case control.ProblemDisk:
		return ImagesPage
	case control.ProblemConfig, control.ProblemCache, control.ProblemNetwork, control.ProblemEgress, control.ProblemRejected:
		return SettingsPage
	default:
		return OverviewPage
	}
}

// ThingOf is what that page is led to (see Taker); "" is the page as such.
func ThingOf(p control.Problem) string {
	switch {
	case p.Kind == control.ProblemRejected:
		return "ca"
	case p.Kind == control.ProblemDisk:
		return "" // whichever image a person can do without
	case p.Key == control.KeyHostPoisoned:
		return "fetch.doh"
	default:
		return p.Thing
	}
}
