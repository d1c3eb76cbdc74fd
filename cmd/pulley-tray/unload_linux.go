//go:build cgo

package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// compiler begins the name of the library with which Mesa compiles shaders, in the software renderer and in some drivers: 60 MiB of
// code, which is only run when a window is drawn for the first time.
const compiler = "/libLLVM"

// unload gives the memory of that library's code back. It is a private mapping of a file that nobody writes to, so what is
// wanted again is read from the page cache, madvise(2). Other libraries are left alone: some change their own code while they run.
func unload() {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = maps.Close() }()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// 7f12a0000000-7f12a0c00000 r-xp 00a00000 fe:00 1234   /usr/lib/…/libLLVM-15.so.1, proc_pid_maps(5)
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] != "r-xp" || !strings.Contains(fields[5], compiler) {
			continue
		}
		var from, to uintptr
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err == nil {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
}
