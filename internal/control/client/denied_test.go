package client

import (
	"runtime"
	"strings"
	"testing"

	"pulley/internal/config"
)

// TestDeniedSaysHow: who may not ask the system's service is told how to be let in.
func TestDeniedSaysHow(t *testing.T) {
	said := deniedError(config.SystemPlaces().ControlSocket).Error()
	if runtime.GOOS == "linux" && !strings.Contains(said, `next: sudo usermod -aG pulley "$USER"`) {
		t.Error(said)
	}
	if said := deniedError("/home/other/control.sock").Error(); strings.Contains(said, "usermod") {
		t.Error(said)
	}
}
