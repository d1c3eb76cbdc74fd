//go:build unix && !darwin

package login

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// file is the entry's (Desktop Application Autostart Specification 0.5).
func (e Entry) file() (string, error) {
	config, err := os.UserConfigDir() // $XDG_CONFIG_HOME
	if err != nil {
		return "", fmt.Errorf("start at login: %w", err)
	}
	return filepath.Join(config, "autostart", e.ID+".desktop"), nil
}

// Enabled says whether the app starts at login. An entry that a desktop's settings have switched off does not count: GNOME
// and KDE write Hidden or X-GNOME-Autostart-enabled into it.
func (e Entry) Enabled() (bool, error) {
	name, err := e.file()
	if err != nil {
		return false, err
	}
	there, err := has(name, "[Desktop Entry]")
	if err != nil || !there {
		return false, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return false, fmt.Errorf("start at login: %w", err)
	}
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		switch strings.TrimSpace(key) + "=" + strings.TrimSpace(value) {
		case "Hidden=true", "X-GNOME-Autostart-enabled=false":
			return false, nil
		}
	}
	return true, nil
}

// Set has the app start at login, or not any more.
func (e Entry) Set(on bool) error {
	name, err := e.file()
	if err != nil {
		return err
	}
	if !on {
		return remove(name)
	}
	return write(name, []byte("[Desktop Entry]\nType=Application\nName="+e.Name+"\nIcon="+e.ID+"\nExec="+word(e.Program)+
		"\nTerminal=false\nX-GNOME-Autostart-enabled=true\n"))
}

// word is a program as the first word of an Exec key: quoted, and what quoting does not cover escaped twice (Desktop Entry
// Specification 1.5, "The Exec key").
func word(program string) string {
	inside := strings.NewReplacer(`\`, `\\\\`, `"`, `\\"`, "`", "\\\\`", "$", `\\$`, "%", "%%").Replace(program)
	return `"` + inside + `"`
}
