package source

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// router is the hardware address of the machine that a device's default route for
// IPv4 leads to, as far as the kernel knows it now; nil if it does not, or if there
// is none, as behind a tunnel. Source: proc_pid_net(5).
func router(device string) net.HardwareAddr {
	table, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return nil
	}
	gateway, ok := gatewayIn(table, device)
	if !ok {
		return nil
	}
	if table, err = os.ReadFile("/proc/net/arp"); err != nil {
		return nil
	}
	return neighbourIn(table, gateway, device)
}

// gatewayIn finds where a device's default route leads, the one of the least
// metric: of the columns Iface, Destination, Gateway, Flags, RefCnt, Use, Metric
// and Mask. Addresses are numbers of the machine's byte order.
func gatewayIn(table []byte, device string) (gateway netip.Addr, ok bool) {
	const usable = 0x1 | 0x2 // RTF_UP, RTF_GATEWAY
	var least uint64
	for lines := bufio.NewScanner(bytes.NewReader(table)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 8 || f[0] != device || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		to, err := strconv.ParseUint(f[2], 16, 32)
		if err != nil {
			continue
		}
		flags, err := strconv.ParseUint(f[3], 16, 16)
		if err != nil || flags&usable != usable {
			continue
		}
		metric, err := strconv.ParseUint(f[6], 10, 32)
		if err != nil || ok && metric >= least {
			continue
		}
		var raw [4]byte
		binary.NativeEndian.PutUint32(raw[:], uint32(to))
		gateway, least, ok = netip.AddrFrom4(raw), metric, true
	}
	return gateway, ok
}

// neighbourIn finds an address's hardware address behind a device: of the columns
// IP address, HW type, Flags, HW address, Mask and Device.
func neighbourIn(table []byte, addr netip.Addr, device string) net.HardwareAddr {
	const complete = 0x2 // ATF_COM: the neighbour has answered
	for lines := bufio.NewScanner(bytes.NewReader(table)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[0] != addr.String() || f[5] != device {
			continue
		}
		if flags, err := strconv.ParseUint(f[2], 0, 16); err != nil || flags&complete == 0 {
			continue
		}
		if mac, err := net.ParseMAC(f[3]); err == nil {
			return mac
		}
	}
	return nil
}
