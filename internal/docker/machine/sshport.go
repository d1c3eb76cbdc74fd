package machine

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// PortError says that a machine's port cannot be had for a tunnel.
type PortError struct {
	Machine string
	Port    int
	By      string // the program that has it, "" if nobody says; "sshd" may be an older tunnel
	Free    bool   // nobody has it: sshd does not allow it
}

// Error says what helps.
func (e *PortError) Error() string {
	switch {
	case e.Free:
		return fmt.Sprintf("%s: its sshd opens no port for a tunnel; allow it there, AllowTcpForwarding and PermitListen in sshd_config", e.Machine)
	case e.By != "":
		return fmt.Sprintf("%s: port %d there is taken by %s; take another: --port %d", e.Machine, e.Port, e.By, e.Port+1)
	}
	return fmt.Sprintf("%s: port %d there is taken; take another: --port %d", e.Machine, e.Port, e.Port+1)
}

// reverse opens the port of Reverse, on loopback and nowhere else.
func (s *SSH) reverse(ctx context.Context) error {
	s.port = s.o.Reverse.Port
	if s.o.Separate { // it came with the connection, or not
		said := s.said.String()
		if strings.Contains(said, fmt.Sprintf("forwarding failed for listen port %d", s.port)) {
			return s.taken(ctx)
		}
		if m := allocated.FindStringSubmatch(said); m != nil && s.port == 0 {
			s.port, _ = strconv.Atoi(m[1])
		}
		return nil
	}
	// Nothing of the person's configuration is needed for a word with our own ssh; ports that it lists are theirs.
	cmd := s.command(ctx, []string{"-F", "none", "-o", s.control(), "-O", "forward", "-R", fmt.Sprintf("127.0.0.1:%d:%s", s.port, s.o.Reverse.To)}, nil)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", s.facts.Name, context.Cause(ctx))
	}
	if err != nil {
		select {
		case <-s.done:
			return s.Err()
		default:
		}
		if !strings.Contains(string(out), "forward") {
			return s.explain(string(out))
		}
		return s.taken(ctx)
	}
	if s.port == 0 {
		if s.port, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
			return fmt.Errorf("%s: ssh does not say which port it has", s.facts.Name)
		}
	}
	return nil
}

var allocated = regexp.MustCompile(`Allocated port ([0-9]+) for remote forward`)

// who prints the line of `ss` for a port, if there is one, and the line of the kernel.
const who = `ss -H -l -t -n -p "sport = :$port" 2>/dev/null | head -n 1
hex=$(printf ':%04X' "$port")
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r n here there state rest; do
  case $here in *$hex) [ "$state" != 0A ] || echo taken ;; esac
done
`

var program = regexp.MustCompile(`users:\(\("([^"]+)",pid=([0-9]+)`)

// taken finds out who has the port.
func (s *SSH) taken(ctx context.Context) error {
	e := &PortError{Machine: s.facts.Name, Port: s.port}
	r, err := s.shell(ctx, s.maySudo(), fmt.Sprintf("port=%d\n%s", s.port, who), nil)
	if err != nil {
		return err
	}
	e.Free = len(strings.TrimSpace(string(r.stdout))) == 0
	if m := program.FindSubmatch(r.stdout); m != nil {
		e.By = fmt.Sprintf("%s (process %s)", m[1], m[2])
	}
	return e
}

// End is the far end of a connection: the process that sshd has there for it, and when that began. It may be kept over the
// life of this process.
type End string

// FarEnd is that of this connection.
func (s *SSH) FarEnd() End { return s.far }

// EndOld ends what an older connection has left there: sshd notices late that a link has broken, and keeps its ports until
// then. It does nothing if that has gone.
func (s *SSH) EndOld(ctx context.Context, old End) {
	pid, born, _ := strings.Cut(string(old), " ")
	if _, err := strconv.Atoi(pid); err != nil || born == "" || old == s.far {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	_, _ = s.shell(ctx, false, fmt.Sprintf(`[ "$(cut -d ' ' -f 22 /proc/%[1]s/stat 2>/dev/null)" = %[2]s ] || exit 0
case $(cat /proc/%[1]s/comm) in sshd*) kill %[1]s ;; esac
for i in 1 2 3 4 5; do [ -d /proc/%[1]s ] || exit 0; sleep 1; done`, pid, quote(born)), nil)
}
