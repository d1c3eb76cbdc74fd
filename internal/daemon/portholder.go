package daemon

// PortHolder names the program that listens at an address of this machine, as far as this user may see it; "" if not.
func PortHolder(address string) string { return holder(address) }
