package doctor

// writable cannot be asked without writing.
func writable(string) bool { return true }
