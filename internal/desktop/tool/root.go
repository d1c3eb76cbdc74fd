package tool

import (
	"context"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"pulley/internal/cause"
)

// ErrDeclined is in the error when the person did not give their password, or closed the dialog. Nothing was done.
var ErrDeclined error = declined{}

type declined struct{}

func (declined) Error() string {
	return "an administrator's rights were not given; nothing was changed"
}

// Cause is of which kind it is, for whoever says it in another language.
func (declined) Cause() string { return cause.Declined }

// TerminalError says that nothing on this desktop can ask for an administrator's rights, and which command does in a terminal
// what was asked for.
type TerminalError struct {
	Why  string
	Line string
}

// Error implements error.
func (e *TerminalError) Error() string { return e.Why + "; in a terminal: " + e.Line }

// Cause is of which kind it is, for whoever says it in another language.
func (e *TerminalError) Cause() string { return cause.NoAgent }

// Command is the command.
func (e *TerminalError) Command() string { return e.Line }

// AsRoot is Run with the rights of an administrator, for which the desktop asks the person. What it began as root it ends as
// root: when ctx ends after the person has agreed, it is waited for. The error Is ErrDeclined, or As a *TerminalError, where
// nothing was begun.
func (t *Tool) AsRoot(ctx context.Context, into any, args ...string) error {
	program, err := t.program()
	if err != nil {
		return err
	}
	if elevated() {
		return t.Run(ctx, into, args...)
	}
	return t.asRoot(ctx, into, program, args)
}

// kept are the variables that say where the person's own things are. Root's own would be others. None has a secret: they are
// seen in the list of processes.
var kept = []string{
	"HOME", "PULLEY_HOME", "PULLEY_LISTEN",
	"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR",
	"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG",
	"USERPROFILE", "APPDATA", "LOCALAPPDATA", "ProgramData",
}

// carried are those of them that are set, NAME=VALUE.
func carried(environ []string) (list []string) {
	for _, name := range kept {
		for _, kv := range slices.Backward(environ) {
			if key, value, ok := strings.Cut(kv, "="); ok && key == name {
				if value != "" {
					list = append(list, kv)
				}
				break
			}
		}
	}
	return list
}

// person says whose things root works on, as sudo does: files that it makes are theirs.
func person() []string {
	list := []string{"SUDO_UID=" + strconv.Itoa(os.Getuid()), "SUDO_GID=" + strconv.Itoa(os.Getgid())}
	if me, err := user.Current(); err == nil {
		list = append(list, "SUDO_USER="+me.Username)
	}
	return list
}

// sudoLine is what does it in a terminal, to be copied.
func sudoLine(environ []string, program string, args []string) string {
	words := append([]string{"sudo", "env"}, carried(environ)...)
	words = append(append(words, program), args...)
	for i, word := range words {
		words[i] = shellWord(word)
	}
	return strings.Join(words, " ")
}
