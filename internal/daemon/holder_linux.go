package daemon

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// holder names the process that listens at address, as far as this user may see it: "dockerd (pid 12)"; "" if not.
// Source: proc_pid_net(5), proc_pid_fd(5).
func holder(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return ""
	}
	inode := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if inode == "" {
			inode = listeningInode(table, number)
		}
	}
	if inode == "" {
		return ""
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

// listeningInode finds the socket that listens on port in a table of the kernel's.
func listeningInode(table string, port int) string {
	const listen = "0A" // TCP_LISTEN
	f, err := os.Open(table)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listen {
			continue
		}
		_, hexPort, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(hexPort, 16, 16); err == nil && int(n) == port && local(fields[1]) {
			return fields[9]
		}
	}
	return ""
}

// local accepts loopback and "any", which are in the way of a listener on loopback.
func local(address string) bool {
	text, _, _ := strings.Cut(address, ":")
	raw, err := hex.DecodeString(text)
	if err != nil {
		return false
	}
	for word := range slices.Chunk(raw, 4) { // each in the host's order, which is little-endian wherever we run
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(raw)
	return ok && (ip.Unmap().IsLoopback() || ip.Unmap().IsUnspecified())
}
