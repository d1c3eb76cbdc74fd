package desktop

import (
	"context"

	"github.com/godbus/dbus/v5"
)

// watcher is the name on the session bus behind which status icons are shown:
// the StatusNotifierItem protocol. Bare GNOME and bare window managers have no
// such thing.
const watcher = "org.kde.StatusNotifierWatcher"

// WatchStatusArea calls changed with whether something on this desktop shows
// status icons, at once and whenever that changes, until ctx ends. Without a
// session bus it says no and returns.
func WatchStatusArea(ctx context.Context, changed func(there bool)) {
	conn, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		changed(false)
		return
	}
	defer func() { _ = conn.Close() }()
	owners := make(chan *dbus.Signal, 16)
	conn.Signal(owners)
	if err := conn.AddMatchSignalContext(ctx,
		dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"),
		dbus.WithMatchArg(0, watcher)); err != nil {
		changed(false)
		return
	}
	var there bool
	err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, watcher).Store(&there)
	changed(err == nil && there)
	for {
		select {
		case <-ctx.Done():
			return
		case signal, open := <-owners:
			if !open {
				return
			}
			if len(signal.Body) == 3 && signal.Body[0] == watcher {
				changed(signal.Body[2] != "") // name, old owner, new owner
			}
		}
	}
}
