package desktop

import (
	"context"

	"github.com/godbus/dbus/v5"
)

// HasStatusArea tells whether something on this desktop shows status icons: a
// host of the StatusNotifierItem protocol, org.kde.StatusNotifierWatcher on the
// session bus. Bare GNOME and bare window managers have none.
func HasStatusArea(ctx context.Context) bool {
	conn, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	var owned bool
	err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, "org.kde.StatusNotifierWatcher").Store(&owned)
	return err == nil && owned
}
