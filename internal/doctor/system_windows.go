package doctor

// Commands of this system.
const (
	proxyOff  = `reg add "HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings" /v ProxyEnable /t REG_DWORD /d 0 /f`
	setClock  = "w32tm /resync"
	endPulley = "taskkill /F /IM pulley.exe"
)
