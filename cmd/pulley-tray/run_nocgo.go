//go:build !cgo

package main

import "errors"

// run says what is missing: Fyne draws through cgo.
func run([]string) error {
	return errors.New("this build has no desktop in it (built without cgo); the daemon alone runs with: pulley up")
}
