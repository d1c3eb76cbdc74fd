package login

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows/registry"
)

// Where programs are that start at login, and which of them the Task Manager has switched off: the first byte of a value
// there is odd then.
const (
	run      = `Software\Microsoft\Windows\CurrentVersion\Run`
	approved = `Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run`
)

// Enabled says whether the app starts at login.
func (e Entry) Enabled() (bool, error) {
	k, err := registry.OpenKey(registry.CURRENT_USER, run, registry.QUERY_VALUE)
	if err != nil {
		return false, absent(err)
	}
	defer func() { _ = k.Close() }()
	if _, _, err := k.GetStringValue(e.Name); err != nil {
		return false, absent(err)
	}
	a, err := registry.OpenKey(registry.CURRENT_USER, approved, registry.QUERY_VALUE)
	if err != nil {
		return true, absent(err)
	}
	defer func() { _ = a.Close() }()
	state, _, err := a.GetBinaryValue(e.Name)
	return len(state) == 0 || state[0]%2 == 0, absent(err)
}

// Set has the app start at login, or not any more.
func (e Entry) Set(on bool) error {
	k, _, err := registry.CreateKey(registry.CURRENT_USER, run, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	defer func() { _ = k.Close() }()
	if !on {
		return absent(k.DeleteValue(e.Name))
	}
	if a, err := registry.OpenKey(registry.CURRENT_USER, approved, registry.SET_VALUE); err == nil {
		_ = a.DeleteValue(e.Name) // it was switched off there once
		_ = a.Close()
	}
	if err := k.SetStringValue(e.Name, `"`+e.Program+`"`); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

// absent takes "there is none" for no error.
func absent(err error) error {
	if err == nil || errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("start at login: %w", err)
}
