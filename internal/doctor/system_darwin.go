package doctor

// Commands of this system.
const (
	proxyOff  = `networksetup -setsecurewebproxystate "Wi-Fi" off`
	setClock  = "sudo sntp -sS time.apple.com"
	endPulley = "killall -9 pulley"
)
