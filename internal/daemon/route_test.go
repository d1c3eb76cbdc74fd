package daemon_test

import (
	"slices"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/control"
)

// A person is offered the routes that lead somewhere, and told what to do for one that does not yet.
func TestRoutesThatAreOffered(t *testing.T) {
	r := start(t, nil)
	fixed := []string{config.RouteAuto, config.RouteDirect, config.RouteOffline}
	offered := func() control.Registry {
		t.Helper()
		for _, one := range r.State().Registries {
			if one.Name == "docker.io" {
				return one
			}
		}
		t.Fatal("no docker.io")
		return control.Registry{}
	}
	if got := offered().Routes; !slices.Equal(got, fixed) {
		t.Errorf("with every mirror off: %q", got)
	}
	err := r.SetRoute("docker.io", "daocloud")
	if err == nil || !strings.Contains(err.Error(), "daocloud: the mirror is switched off; try: pulley mirror on daocloud") {
		t.Errorf("%v", err)
	}
	if got := offered().Route; got != config.RouteAuto {
		t.Errorf("switched all the same: %s", got)
	}
	list, err := r.Sources("docker.io")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Closed != "" || s.Needs != "" && strings.Contains(s.URL, "{") {
			if err := r.SetRoute("docker.io", s.Name); err == nil || strings.Contains(err.Error(), "switched off") {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
	}
	if err := r.SwitchMirror("docker.io", "daocloud", true); err != nil {
		t.Fatal(err)
	}
	if got := offered().Routes; !slices.Equal(got, append(slices.Clone(fixed), "daocloud")) {
		t.Errorf("with one on: %q", got)
	}
	if err := r.SetRoute("docker.io", "daocloud"); err != nil {
		t.Error(err)
	}
	if err := r.SwitchMirror("docker.io", "daocloud", false); err != nil {
		t.Fatal(err)
	}
	if got := offered(); got.Route == "daocloud" && !slices.Contains(got.Routes, "daocloud") {
		t.Errorf("the present route is not offered: %+v", got)
	}
}
