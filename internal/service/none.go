package service

import (
	"context"
	"errors"
	"fmt"

	"pulley/internal/docker/machine"
	"pulley/internal/sudo"
)

// nothing is for machines without a service manager that we know, and for a person's own service where managers only
// know the system's.
type nothing struct {
	*Service
	os string
}

func (n *nothing) explain() error {
	if n.opt.System {
		return errors.New("service: no service manager here that Pulley knows (systemd, SysV init, OpenRC); what works: have whatever starts your machine run: pulley service run")
	}
	system := sudo.Command("service", "install", "--system")
	if n.m.Facts().Root && n.m.Facts().UID == 0 {
		system = "pulley service install --system"
	}
	line := "@reboot pulley service run"
	if binary := n.opt.Binary; binary != "" {
		line = fmt.Sprintf("@reboot '%s' service run", binary)
	} else if binary, err := FindBinary(); err == nil {
		line = fmt.Sprintf("@reboot '%s' service run", binary)
	}
	return fmt.Errorf("service: only systemd keeps a person's own services, and this machine was not started by it; what works: the system's service (%s), or the tray at login (pulley-tray starts the daemon), or this line in `crontab -e`: %s", system, line)
}

func (n *nothing) install(context.Context) (bool, error) { return false, n.explain() }
func (n *nothing) uninstall(context.Context) error       { return n.explain() }
func (n *nothing) start(context.Context) error           { return n.explain() }
func (n *nothing) stop(context.Context) error            { return n.explain() }
func (n *nothing) renew(context.Context, bool) error     { return n.explain() }
func (n *nothing) said(context.Context) string           { return "" }

func (n *nothing) status(context.Context) (Status, error) {
	detail := "no service manager here that Pulley knows"
	if n.os == machine.Linux && !n.opt.System {
		detail = "no systemd here, which alone keeps a person's own services; see: pulley service install"
	}
	return Status{Kind: None, Detail: detail}, nil
}
