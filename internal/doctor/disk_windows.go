package doctor

// writable cannot be asked without writing.
func writable(string) bool { return true }

// ownFolder is the command that lets its owner write to a folder again.
func ownFolder(dir string) string { return `icacls "` + dir + `" /reset /T` }
