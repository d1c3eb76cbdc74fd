package client

import (
	"context"
	"net/http"
	"net/url"

	"pulley/internal/control"
)

// Sources lists where a registry's bytes can come from, best first; "" is for every registry.
func (c *Client) Sources(ctx context.Context, registry string) (list []control.Source, err error) {
	return list, c.do(ctx, http.MethodGet, "mirrors?registry="+url.QueryEscape(registry), nil, &list)
}

// AddMirror adds a mirror to a registry, or amends the one of that name, and switches it on.
func (c *Client) AddMirror(ctx context.Context, m control.Mirror) error {
	return c.do(ctx, http.MethodPost, "mirrors", m, nil)
}

// RemoveMirror takes a mirror out of the settings.
func (c *Client) RemoveMirror(ctx context.Context, registry, name string) error {
	return c.do(ctx, http.MethodDelete, "mirrors", control.Mirror{Registry: registry, Name: name}, nil)
}

// SwitchMirror switches a mirror on or off, at one registry or, with "", at all that have it.
func (c *Client) SwitchMirror(ctx context.Context, registry, name string, on bool) error {
	return c.do(ctx, http.MethodPut, "mirrors", control.MirrorSwitch{Registry: registry, Name: name, Enabled: on}, nil)
}

// OrderMirrors says which mirrors of a registry a person prefers, the most preferred first; those that are not named come
// after them, as before.
func (c *Client) OrderMirrors(ctx context.Context, registry string, names []string) error {
	return c.do(ctx, http.MethodPut, "mirrors/order", control.MirrorOrder{Registry: registry, Names: names}, nil)
}

// TestMirror measures one source of a registry with real requests; it takes seconds.
func (c *Client) TestMirror(ctx context.Context, registry, name string) (r control.MirrorReport, err error) {
	return r, c.do(ctx, http.MethodPost, "mirrors/test", control.MirrorTest{Registry: registry, Name: name}, &r)
}

// WatchMirrorTest is TestMirror that tells how far it is. progress may be nil; ending ctx ends the test.
func (c *Client) WatchMirrorTest(ctx context.Context, registry, name string, progress func(control.MirrorTesting)) (control.MirrorReport, error) {
	return follow[control.MirrorTesting, control.MirrorReport](ctx, c, "mirrors/test/watch", control.MirrorTest{Registry: registry, Name: name}, progress)
}

// Addresses lists the hosts that are dialled where the settings say.
func (c *Client) Addresses(ctx context.Context) (list []control.Address, err error) {
	return list, c.do(ctx, http.MethodGet, "addresses", nil, &list)
}

// SetAddress says where a host is dialled, in place of what was said before. a.Bad is not looked at.
func (c *Client) SetAddress(ctx context.Context, a control.Address) error {
	return c.do(ctx, http.MethodPut, "addresses", control.Address{Host: a.Host, Use: a.Use}, nil)
}

// RemoveAddress has a host looked up again like any other.
func (c *Client) RemoveAddress(ctx context.Context, host string) error {
	return c.do(ctx, http.MethodDelete, "addresses", control.Address{Host: host}, nil)
}

// Egresses lists the configured ways out.
func (c *Client) Egresses(ctx context.Context) (list []control.Egress, err error) {
	return list, c.do(ctx, http.MethodGet, "egress", nil, &list)
}

// AddEgress adds a way out.
func (c *Client) AddEgress(ctx context.Context, e control.Egress) error {
	return c.do(ctx, http.MethodPost, "egress", e, nil)
}

// RemoveEgress takes a way out of the settings.
func (c *Client) RemoveEgress(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, "egress", control.Egress{Name: name}, nil)
}

// UseEgress says which registries leave by a way; "*" is for all, tunnels too.
func (c *Client) UseEgress(ctx context.Context, name string, registries []string) error {
	return c.do(ctx, http.MethodPut, "egress", control.EgressUse{Name: name, For: registries}, nil)
}

// TestEgress goes out by a way, to target or (if empty) to Docker Hub; it takes seconds.
func (c *Client) TestEgress(ctx context.Context, name, target string) (r control.EgressReport, err error) {
	return r, c.do(ctx, http.MethodPost, "egress/test", control.EgressTest{Name: name, Target: target}, &r)
}

// AcceptKey vouches for the key that an SSH server showed.
func (c *Client) AcceptKey(ctx context.Context, name, fingerprint string) error {
	return c.do(ctx, http.MethodPost, "egress/accept", control.AcceptKey{Name: name, Fingerprint: fingerprint}, nil)
}
