// Package desktop is what a desktop app needs from the machine it runs on: to
// know whether there is a display and a status area, to be the only one of its
// kind, to find the daemon's program and to run it as a child.
//
// It must not know Fyne, nor what the app is about.
package desktop
