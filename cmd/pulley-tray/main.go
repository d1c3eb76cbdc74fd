// Command pulley-tray is the face of Pulley on a desktop: an icon in the status
// area, its menu, and a window. It attaches to the daemon that runs or starts
// one, and must not know what a daemon does: it imports neither the daemon, nor
// proxy, nor cache. It is the one place that imports Fyne's app driver.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pulley-tray:", err)
		os.Exit(1)
	}
}
