// Command pulley-tray is the face of Pulley on a desktop: an icon in the status
// area, its menu, and a window. It attaches to the daemon that runs or starts
// one, and must not know what a daemon does: it imports neither the daemon, nor
// proxy, nor cache. It is the one place that imports Fyne's app driver.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	err := run(os.Args[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "pulley-tray:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

// errUsage is wrong usage: exit status 2.
var errUsage = errors.New("unknown arguments; try: pulley-tray --help")
