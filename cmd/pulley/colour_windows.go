package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// takesSequences has the console take them, which those of before Windows 10 1511 do not: see
// https://learn.microsoft.com/windows/console/console-virtual-terminal-sequences.
func takesSequences(f *os.File) bool {
	var mode uint32
	console := windows.Handle(f.Fd())
	if windows.GetConsoleMode(console, &mode) != nil {
		return false
	}
	const wanted = windows.ENABLE_PROCESSED_OUTPUT | windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING
	return mode&wanted == wanted || windows.SetConsoleMode(console, mode|wanted) == nil
}
