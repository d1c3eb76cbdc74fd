//go:build unix && !darwin

package config

import (
	"errors"
	"path/filepath"
)

// platformPlaces follows the XDG base directory specification. The socket lies in the runtime folder, which is the
// user's own, short, and gone with the session; without one it lies in the state folder.
func platformPlaces(env func(string) (string, bool)) (Places, error) {
	home, _ := env("HOME")
	dir := func(name, fallback string) (string, error) {
		if v, ok := env(name); ok && filepath.IsAbs(v) { // relative ones are to be ignored, says the specification
			return filepath.Join(v, "pulley"), nil
		}
		if !filepath.IsAbs(home) {
			return "", errors.New("neither HOME nor PULLEY_HOME is set: no place for files; set PULLEY_HOME to a folder")
		}
		return filepath.Join(home, fallback, "pulley"), nil
	}
	data, err1 := dir("XDG_DATA_HOME", ".local/share")
	conf, err2 := dir("XDG_CONFIG_HOME", ".config")
	cache, err3 := dir("XDG_CACHE_HOME", ".cache")
	state, err4 := dir("XDG_STATE_HOME", ".local/state")
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return Places{}, err
		}
	}
	socket := filepath.Join(state, "control.sock")
	if v, ok := env("XDG_RUNTIME_DIR"); ok && filepath.IsAbs(v) {
		socket = filepath.Join(v, "pulley", "control.sock")
	}
	return Places{
		Home:          data,
		ConfigFile:    filepath.Join(conf, "config.toml"),
		CADir:         filepath.Join(data, "ca"),
		CacheDir:      filepath.Join(cache, "oci"),
		StateDir:      state,
		ControlSocket: socket,
		LogDir:        filepath.Join(state, "log"),
	}, nil
}

// SystemSocket is where the system service listens.
const SystemSocket = "/run/pulley/control.sock"
