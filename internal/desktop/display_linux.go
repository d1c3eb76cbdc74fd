package desktop

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Display returns an error when there is no display to draw on. getenv is
// os.Getenv, or a test's. A toolkit that finds out by itself ends the process.
func Display(getenv func(string) string) error {
	x11, wayland := getenv("DISPLAY"), getenv("WAYLAND_DISPLAY")
	switch {
	case x11 == "" && wayland == "":
		return errors.New("no display here (DISPLAY and WAYLAND_DISPLAY are empty)")
	case wayland != "" && answers("unix", waylandSocket(wayland, getenv("XDG_RUNTIME_DIR"))):
		return nil
	case x11 == "":
		return fmt.Errorf("the display WAYLAND_DISPLAY=%s does not answer", wayland)
	case !x11Answers(x11):
		return fmt.Errorf("the display DISPLAY=%s does not answer", x11)
	}
	return nil
}

// waylandSocket is where wl_display_connect(3) looks.
func waylandSocket(name, runtimeDir string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(runtimeDir, name)
}

// x11Answers tries the places of X(7): [host]:number[.screen].
func x11Answers(display string) bool {
	colon := strings.LastIndexByte(display, ':')
	if colon < 0 {
		return false
	}
	host, rest := display[:colon], display[colon+1:]
	rest, _, _ = strings.Cut(rest, ".")
	number, err := strconv.ParseUint(rest, 10, 15)
	if err != nil {
		return false
	}
	if strings.HasPrefix(host, "/") { // macOS-style, also understood by libxcb: the socket itself
		return answers("unix", display) || answers("unix", host)
	}
	if host == "" || host == "unix" {
		path := fmt.Sprintf("/tmp/.X11-unix/X%d", number)
		return answers("unix", path) || answers("unix", "@"+path) || answers("tcp", fmt.Sprintf("127.0.0.1:%d", 6000+number))
	}
	return answers("tcp", net.JoinHostPort(strings.Trim(host, "[]"), strconv.FormatUint(6000+number, 10)))
}

func answers(network, address string) bool {
	conn, err := net.DialTimeout(network, address, 2*time.Second) //nolint:noctx // before there is anything to cancel
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
