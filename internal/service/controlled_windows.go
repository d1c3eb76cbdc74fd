package service

import (
	"context"
	"errors"
	"fmt"
	"strings"

	kardianos "github.com/kardianos/service"
	"golang.org/x/sys/windows"

	"pulley/internal/config"
	"pulley/internal/docker/machine"
)

// controlled is a service of Windows's service control manager, under the virtual account that Windows makes for each
// service and removes with it.
type controlled struct {
	*Service
	s kardianos.Service
}

const virtualAccount = `NT SERVICE\` + serviceName

func newControlled(s *Service) (manager, error) {
	c := &controlled{Service: s}
	return c, c.describe()
}

// describe is the service as it should be.
func (c *controlled) describe() (err error) {
	env := make(map[string]string)
	for _, variable := range config.SystemEnviron(machine.Windows) {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	c.s, err = kardianos.New(inert{}, &kardianos.Config{
		Name: serviceName, DisplayName: serviceName,
		Description: "A local proxy and registry mirror for container engines",
		UserName:    virtualAccount, Executable: c.opt.Binary, Arguments: []string{"up", "--take-over"}, EnvVars: env,
		Option: kardianos.KeyValue{"OnFailure": "restart", "OnFailureDelayDuration": "2s", "OnFailureResetPeriod": 60},
	})
	return err
}

// inert is for those who do not run the service but speak of it.
type inert struct{}

func (inert) Start(kardianos.Service) error { return nil }
func (inert) Stop(kardianos.Service) error  { return nil }

// install replaces one that is there: kardianos/service only makes new ones.
func (c *controlled) install(ctx context.Context) (changed bool, err error) {
	if err := c.describe(); err != nil {
		return false, err
	}
	if status, err := c.s.Status(); err == nil {
		if status == kardianos.StatusRunning {
			if err := c.stop(ctx); err != nil {
				return false, err
			}
		}
		if err := c.s.Uninstall(); err != nil {
			return false, elevated(err)
		}
	}
	if err := c.s.Install(); err != nil {
		return false, elevated(err)
	}
	home := config.SystemPlaces().Home
	if !c.has(home) {
		if _, err := c.command(ctx, "cmd.exe", "/d", "/c", "mkdir", home); err != nil {
			return true, fmt.Errorf("service: %w", err)
		}
	}
	// *S-1-5-18 is the system, *S-1-5-32-544 the administrators, whatever the language.
	_, err = c.command(ctx, "icacls.exe", home, "/inheritance:r", "/grant:r", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F", virtualAccount+":(OI)(CI)M")
	if err != nil {
		return true, fmt.Errorf("service: %w", err)
	}
	return true, nil
}

func (c *controlled) uninstall(ctx context.Context) error {
	if status, err := c.s.Status(); !errors.Is(err, kardianos.ErrNotInstalled) {
		if status == kardianos.StatusRunning {
			if err := c.stop(ctx); err != nil {
				return err
			}
		}
		if err := c.s.Uninstall(); err != nil {
			return elevated(err)
		}
	}
	if home := config.SystemPlaces().Home; !c.opt.KeepData && c.has(home) {
		if _, err := c.command(ctx, "cmd.exe", "/d", "/c", "rmdir", "/s", "/q", home); err != nil {
			return fmt.Errorf("service: %w", err)
		}
	}
	return nil
}

func (c *controlled) start(context.Context) error { return elevated(c.s.Start()) }
func (c *controlled) stop(context.Context) error  { return elevated(c.s.Stop()) }

// renew drains and starts again: on Windows a port is not handed over.
func (c *controlled) renew(context.Context, bool) error { return elevated(c.s.Restart()) }

func (c *controlled) status(context.Context) (Status, error) {
	status := Status{Kind: WindowsService, Log: `powershell Get-WinEvent -MaxEvents 20 -ProviderName ` + serviceName}
	is, err := c.s.Status()
	if errors.Is(err, kardianos.ErrNotInstalled) {
		return status, nil
	}
	if err != nil {
		return status, elevated(err)
	}
	status.Installed, status.Unit, status.Running = true, serviceName, is == kardianos.StatusRunning
	return status, nil
}

func (c *controlled) said(context.Context) string { return "" }

// elevated says what helps against "Access is denied".
func elevated(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return errors.New("service: the system's service is the administrators'; next: run it in a terminal that was started as administrator")
	}
	return fmt.Errorf("service: %w", err)
}
