package config_test

import (
	"testing"

	"pulley/internal/config"
)

// Registries are looked up several times in every request.
func TestLookingARegistryUpAllocatesNothing(t *testing.T) {
	c := config.Default()
	n := testing.AllocsPerRun(100, func() {
		r, known := c.RegistryByHost("registry-1.docker.io")
		if !known || !r.Spells("docker.io") || r.Spells("ghcr.io") {
			t.Error("not Docker Hub")
		}
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}
