package page

import "pulley/internal/control"

// PlaceOf is the page on which a problem can be seen to.
func PlaceOf(p control.Problem) Name {
	switch p.Kind {
	case control.ProblemMirror, control.ProblemLimit:
		return MirrorsPage
	case control.ProblemRejected:
		return DockerPage
	case control.ProblemDisk:
		return ImagesPage
	case control.ProblemConfig, control.ProblemCache, control.ProblemNetwork, control.ProblemEgress:
		return SettingsPage
	default:
		return OverviewPage
	}
}
