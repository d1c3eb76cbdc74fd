package choose

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/godbus/dbus/v5"
)

// What xdg-desktop-portal calls its things (org.freedesktop.portal.FileChooser, org.freedesktop.portal.Request).
const (
	portal  = "org.freedesktop.portal.Desktop"
	path    = dbus.ObjectPath("/org/freedesktop/portal/desktop")
	chooser = "org.freedesktop.portal.FileChooser"
	request = "org.freedesktop.portal.Request"
)

// ask puts the question to the portal. Its answer is a signal of an object whose name is known before, so that it cannot be missed.
func ask(ctx context.Context, q question) (string, error) {
	conn, err := dbus.ConnectSessionBus() // not with ctx: the dialog is closed when that ends
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNone, err)
	}
	defer func() { _ = conn.Close() }()
	desktop := conn.Object(portal, path)
	if _, err := desktop.GetProperty(chooser + ".version"); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNone, err)
	}
	token := "pulley" + rand.Text()
	sender := strings.ReplaceAll(strings.TrimPrefix(conn.Names()[0], ":"), ".", "_")
	handle := dbus.ObjectPath(fmt.Sprintf("%s/request/%s/%s", path, sender, token))
	answers := make(chan *dbus.Signal, 1)
	conn.Signal(answers)
	if err := conn.AddMatchSignalContext(ctx, dbus.WithMatchObjectPath(handle), dbus.WithMatchInterface(request), dbus.WithMatchMember("Response")); err != nil {
		return "", fmt.Errorf("dialog for files: %w", err)
	}
	method, options := q.portal()
	options["handle_token"] = dbus.MakeVariant(token)
	if err := desktop.CallWithContext(ctx, chooser+"."+method, 0, q.parent, q.title, options).Err; err != nil && ctx.Err() == nil {
		return "", fmt.Errorf("%w: %w", ErrNone, err)
	}
	select {
	case <-ctx.Done():
		_ = conn.Object(portal, handle).Call(request+".Close", dbus.FlagNoReplyExpected).Err
		return "", context.Cause(ctx)
	case answer, alive := <-answers:
		if !alive {
			return "", errors.New("dialog for files: the session bus is gone")
		}
		return chosen(answer.Body)
	}
}

// portal is the method that asks, and how.
func (q question) portal() (method string, options map[string]dbus.Variant) {
	options = map[string]dbus.Variant{}
	switch q.what {
	case save:
		options["current_name"] = dbus.MakeVariant(q.name)
		return "SaveFile", options
	case folder:
		options["directory"] = dbus.MakeVariant(true)
		return "OpenFile", options
	}
	if len(q.extensions) > 0 {
		type pattern struct {
			Kind uint32 // 0: a glob
			Text string
		}
		type filter struct {
			Name     string
			Patterns []pattern
		}
		f := filter{Name: "*" + strings.Join(q.extensions, ", *")}
		for _, e := range q.extensions {
			f.Patterns = append(f.Patterns, pattern{0, "*" + e})
		}
		options["filters"] = dbus.MakeVariant([]filter{f})
	}
	return "OpenFile", options
}

// chosen reads a Response: 0 and the URIs, or another number if nothing was chosen.
func chosen(body []any) (string, error) {
	var status uint32
	var results map[string]dbus.Variant
	if err := dbus.Store(body, &status, &results); err != nil {
		return "", fmt.Errorf("dialog for files: %w", err)
	}
	uris, _ := results["uris"].Value().([]string)
	if status != 0 || len(uris) == 0 {
		return "", nil
	}
	u, err := url.Parse(uris[0])
	if err != nil || u.Scheme != "file" {
		return "", fmt.Errorf("dialog for files: %s is not a file", uris[0])
	}
	return u.Path, nil
}
