package config

import (
	"fmt"
	"path/filepath"
	"runtime"
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

// SystemEnviron are the variables that the system service of an operating system (a GOOS value) runs with; they say where
// its files are. On Linux that is where the file system hierarchy standard has them: /etc/pulley, /var/lib/pulley,
// /var/cache/pulley and /run/pulley; elsewhere it is one folder.
func SystemEnviron(goos string) []string {
	switch goos {
	case "darwin":
		const home = "/Library/Application Support/Pulley"
		return []string{"HOME=" + home, "PULLEY_HOME=" + home}
	case "windows":
		return []string{`PULLEY_HOME=C:\ProgramData\Pulley`}
	}
	return []string{
		"HOME=/var/lib/pulley", "XDG_CONFIG_HOME=/etc", "XDG_DATA_HOME=/var/lib", "XDG_STATE_HOME=/var/lib",
		"XDG_CACHE_HOME=/var/cache", "XDG_RUNTIME_DIR=/run",
	}
}

// SystemPlaces are those of the system service, which runs with SystemEnviron.
func SystemPlaces() Places {
	places, err := FindPlaces(SystemEnviron(runtime.GOOS))
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
