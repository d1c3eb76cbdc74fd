package login

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// file is the entry's: an agent of launchd (launchd.plist(5)). It does not keep the app running: who quits it means that.
func (e Entry) file() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("start at login: %w", err)
	}
	return filepath.Join(home, "Library", "LaunchAgents", e.ID+".plist"), nil
}

// Enabled says whether the app starts at login.
func (e Entry) Enabled() (bool, error) {
	name, err := e.file()
	if err != nil {
		return false, err
	}
	return has(name, "<key>RunAtLoad</key>")
}

// Set has the app start at login, or not any more. launchd reads it at the next one.
func (e Entry) Set(on bool) error {
	name, err := e.file()
	if err != nil {
		return err
	}
	if !on {
		return remove(name)
	}
	var id, program strings.Builder
	if err := xml.EscapeText(&id, []byte(e.ID)); err != nil {
		return err
	}
	if err := xml.EscapeText(&program, []byte(e.Program)); err != nil {
		return err
	}
	return write(name, []byte(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key><string>`+id.String()+`</string>
	<key>ProgramArguments</key><array><string>`+program.String()+`</string></array>
	<key>RunAtLoad</key><true/>
	<key>LimitLoadToSessionType</key><string>Aqua</string>
	<key>ProcessType</key><string>Interactive</string>
</dict>
</plist>
`))
}
