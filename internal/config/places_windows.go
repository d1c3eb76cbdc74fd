package config

import (
	"errors"
	"path/filepath"
)

// platformPlaces puts settings in the roaming folder and everything else in the local one.
func platformPlaces(env func(string) (string, bool)) (Places, error) {
	roaming, _ := env("AppData")
	if roaming == "" {
		roaming, _ = env("APPDATA")
	}
	local, _ := env("LocalAppData")
	if local == "" {
		local, _ = env("LOCALAPPDATA")
	}
	if !filepath.IsAbs(roaming) || !filepath.IsAbs(local) {
		return Places{}, errors.New("neither AppData nor PULLEY_HOME is set: no place for files; set PULLEY_HOME to a folder")
	}
	p := PlacesIn(filepath.Join(local, "Pulley"))
	p.ConfigFile = filepath.Join(roaming, "Pulley", "config.toml")
	return p, nil
}

// SystemSocket is where the system service listens.
const SystemSocket = `C:\ProgramData\Pulley\control.sock`
