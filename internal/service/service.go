package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	kardianos "github.com/kardianos/service"

	"pulley/internal/control"
	"pulley/internal/docker/machine"
	"pulley/internal/sudo"
)

// Kinds of service managers, as Status names them.
const (
	SystemdUser    = "systemd-user"
	Systemd        = "systemd"
	Launchd        = "launchd"
	SysV           = "sysv"
	OpenRC         = "openrc"
	WindowsTask    = "windows-task"
	WindowsService = "windows-service"
	None           = "none" // nothing here keeps a program running
)

// Options of a Service. The zero value is the person's own service on this machine.
type Options struct {
	System   bool     // the whole system's, under a user of its own
	Binary   string   // absolute path of the program `pulley`; "" finds it
	Environ  []string // in the form of os.Environ, which nil means
	KeepData bool     // Uninstall leaves the system service's settings, cache and user
	Say      func(string)
	Machine  machine.Machine // nil is this machine
}

// Service is the daemon as the platform's service. Its methods are not to be called concurrently. They end when ctx ends.
type Service struct {
	opt     Options
	m       machine.Machine
	manager manager
	answers func(ctx context.Context) (control.Version, time.Time, error)
	retire  func(ctx context.Context) error // asks a daemon of Windows to finish and end
	await   time.Duration                   // how long a daemon may take until it answers
}

// Status is how a service is.
type Status struct {
	Kind      string     `json:"kind"`
	Installed bool       `json:"installed"`
	Running   bool       `json:"running"`
	PID       int        `json:"pid,omitempty"`   // of the daemon
	Since     *time.Time `json:"since,omitempty"` // when the daemon started
	Unit      string     `json:"unit,omitempty"`  // the file, or the name, that the manager has
	Log       string     `json:"log,omitempty"`   // the command that shows what it logs
	Detail    string     `json:"detail"`          // for people: one line
	Hints     []string   `json:"hints,omitempty"` // what a person may want to do next

	masked bool
}

// manager is a platform's way to keep a program running. Where something is not there, an error Is errNotInstalled.
type manager interface {
	// install writes and registers what is needed. Told tells whether anything changed.
	install(ctx context.Context) (changed bool, err error)
	uninstall(ctx context.Context) error
	start(ctx context.Context) error
	stop(ctx context.Context) error
	// renew replaces the running daemon by one of the program that is there now, by a hand-over where the platform can. Changed
	// tells whether what is installed is other than what the manager runs.
	renew(ctx context.Context, changed bool) error
	status(ctx context.Context) (Status, error)
	// said is the last error that the service logged, or "".
	said(ctx context.Context) string
}

var errNotInstalled = errors.New("service: it is not installed; next: pulley service install")

// New finds out which service manager there is. It changes nothing.
func New(o Options) (*Service, error) {
	return newOn(kardianos.Platform(), o)
}

func newOn(platform string, o Options) (*Service, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Machine == nil {
		o.Machine = &machine.Local{Environ: o.Environ}
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	s := &Service{opt: o, m: o.Machine, await: 30 * time.Second}
	s.answers, s.retire = s.ask, s.askToEnd
	var err error
	s.manager, err = s.choose(platform)
	if d, ok := s.manager.(*systemd); ok {
		s.opt.Environ = slices.Concat(s.opt.Environ, d.session()) // the daemon's socket is in that folder
	}
	return s, err
}

// choose takes a name that kardianos/service gives a platform.
func (s *Service) choose(platform string) (manager, error) {
	facts := s.m.Facts()
	switch {
	case platform == "linux-systemd":
		return &systemd{Service: s, user: !s.opt.System}, nil
	case platform == "darwin-launchd":
		return &launchd{Service: s}, nil
	case platform == "windows-service" && s.opt.System:
		return newControlled(s)
	case platform == "windows-service":
		return &task{Service: s}, nil
	case s.opt.System && platform == "linux-openrc":
		return newOpenRC(s), nil
	case s.opt.System && platform == "unix-systemv" && s.has("/etc/init.d"):
		return newSysV(s), nil
	}
	return &nothing{Service: s, os: facts.OS}, nil
}

func (s *Service) has(path string) bool {
	_, err := s.m.Stat(path)
	return err == nil
}

// Install installs the service, or brings it up to date, and has it start with the system or when the person logs in.
// With start it is started; one that runs and is out of date hands over to a new one.
func (s *Service) Install(ctx context.Context, start bool) error {
	if none, ok := s.manager.(*nothing); ok {
		return none.explain()
	}
	if err := s.allowed("install"); err != nil {
		return err
	}
	if s.opt.Binary == "" {
		binary, err := FindBinary()
		if err != nil {
			return err
		}
		s.opt.Binary = binary
	}
	if err := s.usable(s.opt.Binary); err != nil {
		return err
	}
	changed, err := s.manager.install(ctx)
	if err != nil || !start {
		return err
	}
	if d, ok := s.manager.(*systemd); ok && d.offline() {
		s.opt.Say(isOffline + ": it starts with the next boot")
		return nil
	}
	return s.bringUp(ctx, changed)
}

// Start starts the service. One that runs stays, unless its program was replaced since: then it hands over to a new one.
func (s *Service) Start(ctx context.Context) error {
	if err := s.allowed("start"); err != nil {
		return err
	}
	status, err := s.manager.status(ctx)
	if err != nil {
		return err
	}
	if !status.Installed {
		return s.notInstalled()
	}
	if s.gone(status) {
		return fmt.Errorf("service: its program %s is gone; next: pulley service install%s", s.program(status), s.flag())
	}
	return s.bringUp(ctx, false)
}

func (s *Service) bringUp(ctx context.Context, changed bool) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	old, said := 0, ""
	switch {
	case !status.Running:
		err = s.manager.start(ctx)
	case status.PID == 0: // it waits to start again what failed
		err = s.manager.renew(ctx, changed)
	case changed || s.outdated(status):
		s.opt.Say("it runs; a new daemon takes over")
		old, said = status.PID, s.manager.said(ctx)
		err = s.manager.renew(ctx, changed)
	}
	if err != nil {
		return s.because(ctx, err)
	}
	return s.awaitAnswer(ctx, old, said)
}

// program is the one that the installed service runs, "" where nothing says so.
func (s *Service) program(status Status) string {
	text, _ := s.old(status.Unit)
	return readMade(text).Program
}

// gone tells whether the installed service's program was moved or removed.
func (s *Service) gone(status Status) bool {
	program := s.program(status)
	if program == "" {
		return false
	}
	_, err := s.m.Stat(program)
	return errors.Is(err, fs.ErrNotExist)
}

// outdated tells whether the program was replaced after the daemon had started.
func (s *Service) outdated(status Status) bool {
	binary := cmp.Or(s.program(status), s.opt.Binary)
	if binary == "" {
		var err error
		if binary, err = FindBinary(); err != nil {
			return false
		}
	}
	info, err := s.m.Stat(binary)
	return err == nil && status.Since != nil && placed(info).After(*status.Since)
}

// Stop stops the service until the next login or boot, or Start.
func (s *Service) Stop(ctx context.Context) error {
	if err := s.allowed("stop"); err != nil {
		return err
	}
	status, err := s.manager.status(ctx)
	if err != nil {
		return err
	}
	if !status.Installed {
		return s.notInstalled()
	}
	return s.manager.stop(ctx)
}

// Uninstall stops the service and removes what Install made, the system service's user and data included unless they are
// to be kept. Of a service that is not there it removes what may have been left.
func (s *Service) Uninstall(ctx context.Context) error {
	if none, ok := s.manager.(*nothing); ok {
		return none.explain()
	}
	if err := s.allowed("uninstall"); err != nil {
		return err
	}
	return s.manager.uninstall(ctx)
}

// Status asks the manager, and the daemon itself.
func (s *Service) Status(ctx context.Context) (Status, error) {
	status, err := s.manager.status(ctx)
	if err != nil {
		return status, err
	}
	if status.Running {
		if v, since, err := s.answers(ctx); err == nil {
			status.PID = v.PID
			if !since.IsZero() {
				status.Since = &since
			}
		}
	}
	if status.Installed && s.gone(status) {
		status.Detail = "its program " + s.program(status) + " is gone; next: pulley service install" + s.flag()
	}
	if status.Detail == "" {
		switch {
		case status.Running:
			status.Detail = "running"
		case status.Installed:
			status.Detail = "installed, not running; next: pulley service start" + s.flag()
		default:
			status.Detail = "not installed; next: pulley service install" + s.flag()
		}
	}
	return status, nil
}

func (s *Service) notInstalled() error {
	return fmt.Errorf("%w%s", errNotInstalled, s.flag())
}

// flag is what a command of ours needs to mean this service.
func (s *Service) flag() string {
	if s.opt.System {
		return " --system"
	}
	return ""
}

// allowed says early and plainly what a manager says late and in riddles.
func (s *Service) allowed(what string) error {
	facts := s.m.Facts()
	if facts.OS == machine.Windows {
		return nil // who is an administrator, Windows itself says
	}
	switch {
	case s.opt.System && !facts.Root:
		return fmt.Errorf("service: the system's service is root's; next: %s", sudo.Command("service", what, "--system"))
	case !s.opt.System && facts.Root && facts.UID != 0:
		return fmt.Errorf("service: behind sudo this would be root's own service; for yours: pulley service %s; for the whole system: %s", what, sudo.Command("service", what, "--system"))
	}
	return nil
}

// because adds what the daemon itself said, and where the rest stands.
func (s *Service) because(ctx context.Context, err error) error {
	status, _ := s.manager.status(ctx)
	see := ""
	if status.Log != "" {
		see = "; see: " + status.Log
	}
	if said := s.manager.said(ctx); said != "" {
		return fmt.Errorf("service: it did not start: %s%s", said, see)
	}
	return fmt.Errorf("service: it did not start: %w%s", err, see)
}

// command runs a program of the machine.
func (s *Service) command(ctx context.Context, args ...string) (string, error) {
	out, err := s.m.Run(ctx, machine.Command{Args: args})
	return string(out), err
}
