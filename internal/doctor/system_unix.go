//go:build !darwin && !windows

package doctor

// Commands of this system.
const (
	proxyOff  = "gsettings set org.gnome.system.proxy mode none"
	setClock  = "sudo timedatectl set-ntp true"
	endPulley = "pkill -9 -x pulley"
)
