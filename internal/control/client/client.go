// Package client asks a running daemon over its control socket. It is all that the tray and the command line know of a
// daemon.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"pulley/internal/config"
	"pulley/internal/control"
)

// ErrNotRunning is for a socket that nobody answers at.
var ErrNotRunning = errors.New("not running")

// Error is the daemon's own one-line answer to what it did not do.
type Error struct {
	Status int
	Text   string
	Kind   string // the kind of what it is due to, one of cause.Kinds; "" none of them
}

func (e *Error) Error() string { return e.Text }

// Cause is the kind of what it is due to, for whoever says it in another language.
func (e *Error) Cause() string { return e.Kind }

const (
	dialTimeout = 3 * time.Second
	maxAnswer   = 64 << 20 // a long log
	maxLine     = 16 << 20 // one state
)

// Client asks one daemon. Its methods may be called concurrently.
type Client struct {
	socket string // "" with a transport of the caller's
	http   *http.Client
}

// New is a client of the daemon that listens at socket. Nothing is dialled yet.
func New(socket string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialer := net.Dialer{Timeout: dialTimeout}
			return dialer.DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
	}
	return &Client{socket: socket, http: &http.Client{Transport: transport}}
}

// NewWith is a client over any transport, as tests in memory have it.
func NewWith(t http.RoundTripper) *Client { return &Client{http: &http.Client{Transport: t}} }

// Socket is where the daemon is looked for.
func (c *Client) Socket() string { return c.socket }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Version asks who is there. It fails if the daemon speaks another major version.
func (c *Client) Version(ctx context.Context) (control.Version, error) {
	var v control.Version
	if err := c.do(ctx, http.MethodGet, "version", nil, &v); err != nil {
		return v, err
	}
	switch {
	case v.Major > control.Major:
		return v, fmt.Errorf("the daemon (%s) is newer than this program; update this program", v.Program)
	case v.Major < control.Major:
		return v, fmt.Errorf("the daemon (%s) is older than this program; update and restart the daemon", v.Program)
	}
	return v, nil
}

// State is the daemon's state now.
func (c *Client) State(ctx context.Context) (control.State, error) {
	var s control.State
	return s, c.do(ctx, http.MethodGet, "state", nil, &s)
}

// Watch calls f for each message of the event stream, the whole state first, until ctx ends or the stream breaks; the
// error says why, and the caller may watch again. With requests, answered requests come too.
func (c *Client) Watch(ctx context.Context, requests bool, f func(control.Message)) error {
	path := "events"
	if requests {
		path += "?requests=1"
	}
	response, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := json.NewDecoder(response.Body)
	for {
		var m control.Message
		if err := lines.Decode(&m); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("the daemon ended the connection: %w", err)
		}
		f(m)
	}
}

// SetEnabled flips the one big switch.
func (c *Client) SetEnabled(ctx context.Context, on bool) error {
	return c.do(ctx, http.MethodPut, "enabled", control.Enabled{Enabled: on}, nil)
}

// Pause switches off, and on again after d.
func (c *Client) Pause(ctx context.Context, d time.Duration) error {
	return c.do(ctx, http.MethodPost, "pause", control.Pause{For: d}, nil)
}

// SetRoute says where a registry's bytes come from.
func (c *Client) SetRoute(ctx context.Context, registry, route string) error {
	return c.do(ctx, http.MethodPut, "route", control.Route{Registry: registry, Route: route}, nil)
}

// Setting is the value in force of one key of config.toml.
func (c *Client) Setting(ctx context.Context, key string) (string, error) {
	var s control.Setting
	return s.Value, c.do(ctx, http.MethodGet, "config/"+url.PathEscape(key), nil, &s)
}

// SetSetting changes one key.
func (c *Client) SetSetting(ctx context.Context, key, value string) error {
	return c.do(ctx, http.MethodPut, "config", control.Setting{Key: key, Value: value}, nil)
}

// CAs lists the local certificate authorities.
func (c *Client) CAs(ctx context.Context) (list []control.CA, err error) {
	return list, c.do(ctx, http.MethodGet, "ca", nil, &list)
}

// RotateCA makes new ones beside the old.
func (c *Client) RotateCA(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "ca/rotate", struct{}{}, nil)
}

// CATrusted says that a trust store has just been given them.
func (c *Client) CATrusted(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "ca/trusted", struct{}{}, nil)
}

// History is what was served over time.
func (c *Client) History(ctx context.Context) (h control.History, err error) {
	return h, c.do(ctx, http.MethodGet, "history", nil, &h)
}

// Events are the last n answered requests, oldest first.
func (c *Client) Events(ctx context.Context, n int) (list []control.Event, err error) {
	return list, c.do(ctx, http.MethodGet, "log?n="+strconv.Itoa(n), nil, &list)
}

func (c *Client) do(ctx context.Context, method, path string, body, into any) error {
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("the daemon's answer cannot be read: %w", err)
	}
	return nil
}

// send returns an answer that is 2xx; the caller closes its body.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	return c.transmit(ctx, method, path, content)
}

// transmit is send with a body as it is.
func (c *Client) transmit(ctx context.Context, method, path string, content io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+control.Host+"/v"+strconv.Itoa(control.Major)+"/"+path, content)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	var said control.Error
	if err := json.NewDecoder(io.LimitReader(response.Body, maxLine)).Decode(&said); err != nil || said.Text == "" {
		said.Text = "the daemon answered " + strings.ToLower(response.Status)
	}
	return nil, &Error{Status: response.StatusCode, Text: said.Text, Kind: said.Cause}
}

// deniedError is the socket of a daemon that runs and is not this user's to ask. It Is fs.ErrPermission.
type deniedError string

func (e deniedError) Error() string {
	if string(e) == config.SystemPlaces().ControlSocket && runtime.GOOS == "linux" {
		return fmt.Sprintf("not allowed to ask the daemon at %s: the system's service answers root and the group pulley; "+
			`next: sudo usermod -aG pulley "$USER", then log out and in`, string(e))
	}
	return fmt.Sprintf("not allowed to ask the daemon at %s: it runs for another user; ask as that one", string(e))
}

func (deniedError) Unwrap() error { return fs.ErrPermission }

// unreachable tells a daemon that is not there from other failures.
func (c *Client) unreachable(err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		if errors.Is(err, fs.ErrPermission) {
			return deniedError(c.socket)
		}
		return fmt.Errorf("%w: nothing answers at %s; start it with: pulley up", ErrNotRunning, c.socket)
	}
	var whole *url.Error
	if errors.As(err, &whole) {
		err = whole.Err
	}
	return err
}
