package source

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// inTable writes an address as /proc/net/route does.
func inTable(addr string) string {
	raw := netip.MustParseAddr(addr).As4()
	return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(raw[:]))
}

func TestGatewayInTheRoutingTable(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	route := func(device, to, via, flags, metric, mask string) string {
		return strings.Join([]string{device, inTable(to), inTable(via), flags, "0", "0", metric, inTable(mask), "0", "0", "0"}, "\t") + "\n"
	}
	const all, none = "0.0.0.0", "0.0.0.0"
	for name, tt := range map[string]struct{ table, want string }{
		"one": {route("wlan0", all, "192.168.1.1", "0003", "600", none) + route("wlan0", "192.168.1.0", none, "0001", "600", "255.255.255.0"), "192.168.1.1"},
		"least metric": {route("wlan0", all, "192.168.1.9", "0003", "700", none) + route("wlan0", all, "192.168.1.1", "0003", "600", none) +
			route("wlan0", all, "192.168.1.8", "0003", "600", none), "192.168.1.1"},
		"another device":   {route("eth0", all, "192.168.1.1", "0003", "100", none), ""},
		"down":             {route("wlan0", all, "192.168.1.1", "0002", "100", none), ""},
		"a tunnel's":       {route("wlan0", all, none, "0001", "100", none), ""},
		"not default":      {route("wlan0", "10.0.0.0", "192.168.1.1", "0003", "100", "255.0.0.0"), ""},
		"half of them all": {route("wlan0", all, "192.168.1.1", "0003", "100", "128.0.0.0"), ""},
		"nothing":          {"", ""},
		"nonsense":         {"wlan0\t00000000\tx\ty\nwlan0 00000000 zz 0003 0 0 0 00000000\nwlan0 00000000 0101A8C0 zz 0 0 0 00000000\nwlan0 00000000 0101A8C0 0003 0 0 z 00000000\n", ""},
	} {
		got, ok := gatewayIn([]byte(head+tt.table), "wlan0")
		if ok != (tt.want != "") || ok && got.String() != tt.want {
			t.Errorf("%s: %v, %v; want %q", name, got, ok, tt.want)
		}
	}
}

func TestNeighbourInTheTable(t *testing.T) {
	table := []byte(`IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         02:00:00:00:00:07     *        eth0
192.168.1.1      0x1         0x2         02:00:00:00:00:01     *        wlan0
192.168.1.10     0x1         0x2         02:00:00:00:00:02     *        wlan0
192.168.1.3      0x1         0x0         00:00:00:00:00:00     *        wlan0
192.168.1.4      0x1         0x6         02:00:00:00:00:04     *        wlan0
192.168.1.5      0x1         0x2         nonsense              *        wlan0
192.168.1.6      0x1
`)
	for addr, want := range map[string]string{
		"192.168.1.1": "02:00:00:00:00:01", "192.168.1.10": "02:00:00:00:00:02", "192.168.1.4": "02:00:00:00:00:04",
		"192.168.1.3": "", "192.168.1.5": "", "192.168.1.6": "", "192.168.1.7": "",
	} {
		if got := neighbourIn(table, netip.MustParseAddr(addr), "wlan0").String(); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}
