package daemon

import (
	"slices"
	"strings"

	"pulley/internal/control"
)

// Addresses implements server.Sources, as the methods that follow. Several tables for one host count together.
func (d *Daemon) Addresses() []control.Address {
	list := []control.Address{}
	for _, a := range d.settings.Current().Addresses {
		host := strings.ToLower(strings.TrimSuffix(a.Host, "."))
		i := slices.IndexFunc(list, func(have control.Address) bool { return have.Host == host })
		if i < 0 {
			i = len(list)
			list = append(list, control.Address{Host: host})
		}
		list[i].Use = append(list[i].Use, a.Use...)
	}
	for i := range list {
		list[i].Bad = d.egress.Failing(list[i].Use)
	}
	return list
}

func (d *Daemon) SetAddress(host string, use []string) error {
	return refused(d.settings.SetAddress(host, use))
}

func (d *Daemon) RemoveAddress(host string) error { return refused(d.settings.RemoveAddress(host)) }
