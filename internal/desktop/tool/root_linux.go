package tool

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func elevated() bool { return os.Geteuid() == 0 }

// rootPath is root's own: the person's may lead to programs that root must not run.
const rootPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// asRoot goes through polkit (pkexec(1)), which clears the environment: what matters of it goes as arguments.
func (t *Tool) asRoot(ctx context.Context, into any, program string, args []string) error {
	asker, err := exec.LookPath("pkexec")
	if err != nil {
		return &TerminalError{"there is no pkexec here to ask for an administrator's password", sudoLine(t.environ(), program, args)}
	}
	before := slices.Concat([]string{"--disable-internal-agent", "/usr/bin/env", rootPath}, carried(t.environ()), person(), []string{program, "--json"})
	err = ask(ctx, into, args, t.command(ctx, asker, append(before, args...)...))
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	// pkexec ends with 126 where the person closed its dialog, with 127 where they may not or nobody could ask them. `pulley`
	// ends with neither.
	switch {
	case f.code == 126 && strings.Contains(f.said, "dismissed"):
		return ErrDeclined
	case f.code == 127 && strings.Contains(strings.ToLower(f.said), "authentication agent"):
		return &TerminalError{"no program on this desktop asks for an administrator's password (a polkit agent)", sudoLine(t.environ(), program, args)}
	case f.code == 127 && strings.Contains(f.said, "Not authorized"):
		return ErrDeclined
	}
	return err
}
