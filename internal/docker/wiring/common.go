package wiring

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"pulley/internal/docker/machine"
	"pulley/internal/sudo"
)

// noProxy is what an engine does not ask a proxy for: itself, private ranges and names that only its own network knows, so
// that an engine under Kubernetes keeps that. What is there already stays in front.
func noProxy(there ...string) []string {
	list := slices.Clone(there)
	for _, host := range []string{
		"localhost", "127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7",
		".local", ".svc", ".cluster.local",
	} {
		if !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	return list
}

// mirrorURL is Docker Hub's mirror at host:port, or at the URL of a Pulley elsewhere.
func mirrorURL(reach string) string {
	if strings.Contains(reach, "://") {
		return reach
	}
	return "http://" + reach
}

// RootError says that only root, or an administrator, may do something, and the line that has them do it.
type RootError struct {
	Err error
	Run string
}

// Error implements error.
func (e *RootError) Error() string { return e.Err.Error() + "; run: " + e.Run }

// Unwrap is the cause.
func (e *RootError) Unwrap() error { return e.Err }

// rootCommand is the line that has root do what a person may not, with the person's own settings and ledger.
func rootCommand(m machine.Machine, words ...string) string {
	if name := m.Facts().Name; name != "" { // there, Pulley need not be installed
		return "pulley context update " + name + " --host ssh://root@HOST, or have sudo there ask no password"
	}
	if m.Facts().OS == machine.Windows {
		return "as an administrator: pulley " + strings.Join(words, " ")
	}
	line := []string{"sudo", "env", `HOME="$HOME"`}
	for _, name := range []string{"PULLEY_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST"} {
		if m.Getenv(name) != "" {
			line = append(line, name+`="$`+name+`"`)
		}
	}
	return strings.Join(append(append(line, sudo.Program()), words...), " ")
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}
