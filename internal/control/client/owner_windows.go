package client

import (
	"strings"

	"golang.org/x/sys/windows"
)

// services are the accounts of services (NT SERVICE\Name), ours among them: nobody logs on as one.
const services = "S-1-5-80-"

// isSystems reports whether the socket of the system service is the system's own. Everybody may make files below
// C:\ProgramData: somebody else who listens there would be given a person's logins, and asked for the authority to trust.
func isSystems(socket string) bool {
	name, err := windows.UTF16PtrFromString(socket)
	if err != nil {
		return false
	}
	// A socket is a reparse point, which is not to be followed.
	file, err := windows.CreateFile(name, windows.READ_CONTROL, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return false
	}
	defer func() { _ = windows.CloseHandle(file) }()
	about, err := windows.GetSecurityInfo(file, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return false
	}
	owner, _, err := about.Owner()
	return err == nil && (owner.IsWellKnown(windows.WinLocalSystemSid) || owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) ||
		strings.HasPrefix(owner.String(), services))
}
