package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// SSHOptions say how to come to a machine, and as whom.
type SSHOptions struct {
	// URL is ssh://[user@]host[:port]; host may be a Host of the person's ssh configuration. A path, which docker takes for
	// the engine's socket, says nothing here.
	URL  string
	Name string // for people; "" is the host
	// Environ is the environment that ssh runs in, in os.Environ's form; nil is the process's own.
	Environ []string
	// Sudo says that what the person there may not do is tried again by `sudo -n`. Whether that works is asked once, and
	// is part of Facts.Root.
	Sudo bool
	// Separate has each command make a connection of its own, as is always so on Windows, whose ssh cannot share one.
	Separate bool
	// Reverse opens a port there that leads here, for as long as the connection lasts. nil: none.
	Reverse *Reverse
}

// Reverse is a port on the far machine's loopback.
type Reverse struct {
	Port int    // there; 0 has the machine choose one
	To   string // host:port as seen from here
}

// SSH is a Linux machine that is reached by the person's own ssh program, with their configuration, keys, agent and
// known_hosts. It asks nothing: a key that would have to be typed for, or a host that is not known, is an error.
//
// One connection is made and kept, and everything goes over that. When it breaks, Done says so and everything else fails: make a new SSH. Close it in the end.
type SSH struct {
	o       SSHOptions
	program string
	env     []string
	where   []string // ssh's arguments that name the machine
	login   string   // SSHLogin's
	dir     string   // of the control socket; "" without one
	facts   Facts
	vars    map[string]string
	far     End
	port    int // of Reverse

	slots chan struct{} // scripts under way

	processes commandLines

	first *exec.Cmd
	hold  io.Closer // ends the connection
	said  *tail
	done  chan struct{}
	once  sync.Once
}

var _ Machine = (*SSH)(nil)

// maxScripts run at once: sshd takes 10 sessions of one connection (MaxSessions), and there are streams as well.
const maxScripts = 6

// closeTimeout is how long a connection may take to end by itself.
const closeTimeout = 3 * time.Second

// ConnectSSH makes the connection; ctx bounds that alone. An error is one line that names the machine, the cause and what
// helps; a port of Reverse that cannot be had is a *PortError.
func ConnectSSH(ctx context.Context, o SSHOptions) (*SSH, error) {
	s, err := newSSH(o)
	if err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	if o.Reverse != nil {
		if err := s.reverse(ctx); err != nil {
			_ = s.Close()
			return nil, err
		}
	}
	return s, nil
}

func newSSH(o SSHOptions) (*SSH, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "ssh" || !plain(u.Hostname()) || u.User.Username() != "" && !plain(u.User.Username()) {
		return nil, errors.New("the address is no ssh://user@host")
	}
	s := &SSH{o: o, env: o.Environ, said: &tail{}, done: make(chan struct{}), slots: make(chan struct{}, maxScripts)}
	if s.env == nil {
		s.env = os.Environ()
	}
	s.o.Separate = s.o.Separate || !canShare
	s.login = SSHLogin(u)
	if name := u.User.Username(); name != "" {
		s.where = append(s.where, "-l", name)
	}
	if port := u.Port(); port != "" {
		s.where = append(s.where, "-p", port)
	}
	s.where = append(s.where, "--", u.Hostname())
	s.facts.Name = o.Name
	if s.facts.Name == "" {
		s.facts.Name = u.Hostname()
	}
	if s.program = s.find(); s.program == "" {
		return nil, fmt.Errorf("%s: there is no ssh command here; install OpenSSH's client", s.facts.Name)
	}
	return s, nil
}

// plain reports whether ssh can take a word for nothing but a name.
func plain(word string) bool {
	return word != "" && word[0] != '-' && !strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("'`\"$\\;&<>|(){}", r) })
}

// find is the path of the ssh program, or "".
func (s *SSH) find() string {
	for _, dir := range filepath.SplitList(lookup(s.env, "PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, "ssh")); err == nil {
			return path
		}
	}
	return ""
}

func lookup(environ []string, name string) string {
	for _, kv := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// options are ssh's, whatever it is for. What the person's configuration has for a login that they sit at is switched off.
func (s *SSH) options() []string {
	return []string{"-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=2",
		"-o", "LogLevel=ERROR", "-o", "RemoteCommand=none", "-o", "ForwardAgent=no", "-o", "ForwardX11=no"}
}

// ssh is a call of the program that goes over the connection there is.
func (s *SSH) ssh(ctx context.Context, more ...string) *exec.Cmd {
	args := append(s.options(), "-o", "ClearAllForwardings=yes", "-o", "ControlMaster=no")
	return s.command(ctx, append(args, "-o", s.control()), more)
}

func (s *SSH) command(ctx context.Context, args, more []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, slices.Concat(args, s.where, more)...)
	cmd.Env = s.env
	cmd.WaitDelay = time.Second
	apart(cmd)
	return cmd
}

// control is ssh's option for the connection that is shared.
func (s *SSH) control() string {
	if s.dir == "" {
		return "ControlPath=none"
	}
	return `ControlPath="` + filepath.Join(s.dir, "s") + `"`
}

// ask is what the first command prints: a NUL after each thing that is found out. It stays until its input ends, and with
// it the connection.
const ask = `root=no
[ "$(id -u)" = 0 ] && root=yes
if [ $root = no ] && [ SUDO = yes ] && sudo -n true </dev/null >/dev/null 2>&1; then root=yes; fi
printf '%s\0' "$(uname -s)" "$(uname -m)" "$(id -u)" "$(id -un)" "$HOME" $root "$PPID $(cut -d ' ' -f 22 /proc/$PPID/stat 2>/dev/null)"
env -0 2>/dev/null || env
printf '\0\001\001'
printf '\001\001' >&2
exec cat >/dev/null
`

// connect runs the first command and reads what it finds out.
func (s *SSH) connect(ctx context.Context) (err error) {
	args, err := s.firstOptions()
	if err != nil {
		return fmt.Errorf("%s: no place for ssh's control socket: %w", s.facts.Name, err)
	}
	script := strings.Replace(ask, "SUDO", map[bool]string{true: "yes", false: "no"}[s.o.Sudo], 1)
	cmd := s.command(context.WithoutCancel(ctx), args, []string{wrap(start + script)})
	hold, err := cmd.StdinPipe()
	var out, outEnd, errs, errsEnd *os.File
	if err == nil {
		out, outEnd, err = os.Pipe()
	}
	if err == nil {
		errs, errsEnd, err = os.Pipe()
	}
	if err == nil {
		cmd.Stdout, cmd.Stderr = outEnd, errsEnd
		err = cmd.Start()
	}
	_ = outEnd.Close()
	_ = errsEnd.Close()
	if err != nil {
		_ = out.Close()
		_ = errs.Close()
		s.removeDir()
		return fmt.Errorf("%s: ssh: %w", s.facts.Name, err)
	}
	s.first, s.hold = cmd, hold
	answer, warned := make(chan []byte, 1), make(chan struct{})
	var heard sync.WaitGroup
	heard.Go(func() {
		said := s.readUpTo(out, begin, "\001\001")
		<-warned
		answer <- said
		_, _ = io.Copy(s.said, out)
	})
	heard.Go(func() { // its end is told too: what ssh says of a port comes before that
		s.readUpTo(errs, "", "\001\001")
		close(warned)
		_, _ = io.Copy(s.said, errs)
	})
	go func() {
		_ = cmd.Wait()
		// A ProxyCommand of the person's that goes on has them open too.
		late := time.AfterFunc(afterEnd, func() { _, _ = out.Close(), errs.Close() })
		heard.Wait()
		late.Stop()
		_, _ = out.Close(), errs.Close()
		s.removeDir()
		close(s.done)
	}()
	select {
	case <-ctx.Done():
		err = fmt.Errorf("%s: no answer in time; try: ssh %s", s.facts.Name, s.login)
	case said := <-answer:
		err = s.learn(said)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		<-s.done
	}
	return err
}

// firstOptions are those of the ssh that has the connection.
func (s *SSH) firstOptions() (args []string, err error) {
	args = s.options()
	if !s.o.Separate {
		if s.dir, err = socketDir(); err != nil {
			return nil, err
		}
		return append(args, "-o", "ClearAllForwardings=yes", "-o", "ControlMaster=yes", "-o", "ControlPersist=no", "-o", s.control()), nil
	}
	args = append(args, "-o", "ControlMaster=no", "-o", "ControlPath=none")
	if r := s.o.Reverse; r != nil {
		// It cannot be told to leave out what else the person's configuration forwards, but that may fail.
		args = append(args, "-o", "ExitOnForwardFailure=no", "-R", fmt.Sprintf("127.0.0.1:%d:%s", r.Port, r.To))
		args[slices.Index(args, "LogLevel=ERROR")] = "LogLevel=INFO" // it says which port it was given
	}
	return args, nil
}

// readUpTo reads what is between two marks; nil if that does not come. What comes before and after is kept as said.
func (s *SSH) readUpTo(r io.Reader, from, to string) []byte {
	var all []byte
	buf := make([]byte, 4096)
	for len(all) < 1<<20 {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		before, rest, began := bytes.Cut(all, []byte(from))
		if between, after, ok := bytes.Cut(rest, []byte(to)); began && ok {
			if from == "" {
				before = between
			}
			_, _ = s.said.Write(before)
			_, _ = s.said.Write(after)
			return between
		}
		if err != nil {
			break
		}
	}
	_, _ = s.said.Write(all)
	return nil
}

// learn takes what the first command has printed.
func (s *SSH) learn(said []byte) error {
	if said == nil {
		return s.explain(s.said.String())
	}
	parts := strings.SplitN(string(said), "\x00", 8)
	if len(parts) < 8 {
		return fmt.Errorf("%s: its shell answers what nobody asked; try: ssh %s true", s.facts.Name, s.login)
	}
	if parts[0] != "Linux" {
		return fmt.Errorf("%s: it runs %s; only Linux is wired from elsewhere", s.facts.Name, parts[0])
	}
	s.facts.OS, s.facts.Arch = Linux, goarch(parts[1])
	s.facts.User, s.facts.Home, s.facts.Root, s.far = parts[3], parts[4], parts[5] == "yes", End(parts[6])
	var err error
	if s.facts.UID, err = strconv.Atoi(parts[2]); err != nil {
		s.facts.UID = -1
	}
	s.vars = map[string]string{}
	split := "\x00"
	if !strings.Contains(strings.TrimRight(parts[7], "\x00"), split) {
		split = "\n"
	}
	for kv := range strings.SplitSeq(parts[7], split) {
		if name, value, ok := strings.Cut(kv, "="); ok {
			s.vars[name] = value
		}
	}
	return nil
}

// goarch is Go's word for what `uname -m` says.
func goarch(machine string) string {
	known := map[string]string{"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "i386": "386", "armv7l": "arm", "armv6l": "arm", "loongarch64": "loong64"}
	if arch, ok := known[machine]; ok {
		return arch
	}
	return machine
}

// Facts implements Machine.
func (s *SSH) Facts() Facts { return s.facts }

// Getenv implements Machine: what a command over ssh sees there.
func (s *SSH) Getenv(name string) string { return s.vars[name] }

// Port is that of SSHOptions.Reverse, once connected.
func (s *SSH) Port() int { return s.port }

// Done is closed when the connection has ended, by Close or by itself; Err says why.
func (s *SSH) Done() <-chan struct{} { return s.done }

// Err is why the connection has ended; it is for after Done.
func (s *SSH) Err() error { return s.explain(s.said.String()) }

// Close ends the connection, and waits for that.
func (s *SSH) Close() error {
	s.once.Do(func() {
		_ = s.hold.Close()
		timer := time.NewTimer(closeTimeout)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
			_ = s.first.Process.Kill()
			<-s.done
		}
	})
	return nil
}

func (s *SSH) removeDir() {
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// tail keeps the last of what a program says.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	t.buf = t.buf[max(0, len(t.buf)-8192):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
