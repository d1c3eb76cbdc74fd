package pagetest

type TerminalError struct{}

func (TerminalError) Error() string {
	return "nobody can be asked; in a terminal: sudo pulley connect docker"
}

func (TerminalError) Command() string { return "sudo pulley connect docker" }
