package config

import "testing"

// TestSystemPlaces holds what clients rely on: the system service listens where they look for it.
func TestSystemPlaces(t *testing.T) {
	if got := SystemPlaces().ControlSocket; got != SystemSocket {
		t.Errorf("the system service listens at %s, clients look at %s", got, SystemSocket)
	}
}
