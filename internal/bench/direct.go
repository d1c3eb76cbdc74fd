package main

import (
	"context"
	"net"
)

// direct is no product: the client goes to the Hub itself, as without any of them.
func direct() *product {
	return &product{
		name: "direct", limit: true, doors: nil,
		about:    "the client goes to the Hub itself, over https, and follows the redirect to its CDN",
		upstream: "https",
		version:  func(context.Context) (string, error) { return "", nil },
		launch: func(_ context.Context, b *bench, _ string) (*server, error) {
			return &server{ways: map[door]*way{mirror: b.toHub(), interception: b.toHub()}}, nil
		},
	}
}

// toHub is the way to the Hub by its real names.
func (b *bench) toHub() *way {
	return proxied("https://"+registry, b.hub.Roots(), func(ctx context.Context, _ string) (net.Conn, error) {
		return connect(ctx, b.hub.Addr())
	})
}
