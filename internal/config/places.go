package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Places are the folders and files of one Pulley. All paths are absolute. FindPlaces creates nothing.
type Places struct {
	Home          string // what PULLEY_HOME names, or the platform's data folder
	ConfigFile    string
	CADir         string
	CacheDir      string // cache.dir of the settings goes before it
	StateDir      string
	ControlSocket string
	LogDir        string
}

// FindPlaces reads PULLEY_HOME, or takes the platform's own places (XDG, ~/Library, %AppData%).
// environ has the form of os.Environ.
func FindPlaces(environ []string) (Places, error) {
	env := lookuper(environ)
	if home, ok := env("PULLEY_HOME"); ok && home != "" {
		abs, err := filepath.Abs(home)
		if err != nil {
			return Places{}, fmt.Errorf("PULLEY_HOME: %w", err)
		}
		return PlacesIn(abs), nil
	}
	return platformPlaces(env)
}

// SystemPlaces are those of the system service, which runs with SystemEnviron.
func SystemPlaces() Places {
	places, err := FindPlaces(SystemEnviron())
	if err != nil {
		panic(err) // a constant is wrong
	}
	return places
}

// PlacesIn puts everything under one folder, as PULLEY_HOME does.
func PlacesIn(home string) Places {
	return Places{
		Home:          home,
		ConfigFile:    filepath.Join(home, "config.toml"),
		CADir:         filepath.Join(home, "ca"),
		CacheDir:      filepath.Join(home, "cache"),
		StateDir:      filepath.Join(home, "state"),
		ControlSocket: filepath.Join(home, "control.sock"),
		LogDir:        filepath.Join(home, "log"),
	}
}

// lookuper reads environ as os.LookupEnv does; the last entry of a name wins.
func lookuper(environ []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := len(environ) - 1; i >= 0; i-- {
			if key, value, ok := strings.Cut(environ[i], "="); ok && key == name {
				return value, true
			}
		}
		return "", false
	}
}
