package shared

import (
	"os"
	"strings"
)

// onAmazon says that this is a machine of EC2, by what its firmware says.
func onAmazon() bool {
	for _, name := range []string{"/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/bios_vendor", "/sys/hypervisor/uuid"} {
		b, err := os.ReadFile(name)
		text := strings.ToLower(strings.TrimSpace(string(b)))
		if err == nil && (strings.Contains(text, "amazon") || strings.HasSuffix(name, "uuid") && strings.HasPrefix(text, "ec2")) {
			return true
		}
	}
	return false
}
