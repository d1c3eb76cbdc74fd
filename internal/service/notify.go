package service

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// What a daemon says to its manager, after sd_notify(3).
const (
	Ready    = "READY=1"    // it serves
	Stopping = "STOPPING=1" // it was asked to end; not for one that handed over: the service goes on
)

// MainPID makes a process the service's main one. It is said together with Ready by the daemon that took over, before
// the one that it took over from ends.
func MainPID(pid int) string { return "MAINPID=" + strconv.Itoa(pid) }

// Notify tells the service manager, if there is one that wants to know (NOTIFY_SOCKET); else it does nothing. States are
// lines of the form NAME=value. Nobody needs to stop for its error: it is for the log.
func Notify(states ...string) error {
	return notify(os.Getenv("NOTIFY_SOCKET"), states...)
}

func notify(socket string, states ...string) error {
	if socket == "" {
		return nil
	}
	// "@name" is an abstract socket, to package net as to systemd.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	_, err = conn.Write([]byte(strings.Join(states, "\n")))
	if cerr := conn.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	return nil
}
