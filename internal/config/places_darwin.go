package config

import (
	"errors"
	"path/filepath"
)

// platformPlaces follows Apple's file system guide: settings and keys in Application Support, what can be fetched
// again in Caches.
func platformPlaces(env func(string) (string, bool)) (Places, error) {
	home, _ := env("HOME")
	if !filepath.IsAbs(home) {
		return Places{}, errors.New("neither HOME nor PULLEY_HOME is set: no place for files; set PULLEY_HOME to a folder")
	}
	p := PlacesIn(filepath.Join(home, "Library", "Application Support", "Pulley"))
	p.CacheDir = filepath.Join(home, "Library", "Caches", "Pulley", "oci")
	p.LogDir = filepath.Join(home, "Library", "Logs", "Pulley")
	return p, nil
}

// SystemSocket is where the system service listens. /var/run is emptied at boot, and only root makes folders there.
const SystemSocket = "/Library/Application Support/Pulley/control.sock"
