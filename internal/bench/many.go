package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"pulley/internal/hubtest"
)

// network is an origin with its mirrors, all with the same faults, and daemons of different settings before them.
type network struct {
	b    *bench
	hubs []*hubtest.Hub // the origin first
	next atomic.Uint64  // seed of the next image
	size int64
}

func (b *bench) network(mirrors int, size int64, faults hubtest.Faults) (*network, error) {
	n := &network{b: b, size: size}
	n.next.Store(1000)
	for i := range 1 + mirrors {
		h := &hubtest.Hub{}
		if i > 0 {
			h.Of, h.Style, h.Auth = n.hubs[0], hubtest.StyleHost, hubtest.Open
		}
		if err := h.Start(); err != nil {
			n.close()
			return nil, err
		}
		h.SetFaults(faults)
		n.hubs = append(n.hubs, h)
	}
	return n, nil
}

func (n *network) close() {
	for _, h := range n.hubs {
		h.Close()
	}
}

// up starts a daemon with further settings below [fetch].
func (n *network) up(ctx context.Context, name, fetch string) (*process, string, error) {
	home := filepath.Join(n.b.dir, name)
	text := hubtest.Settings{Origin: n.hubs[0], Mirrors: n.hubs[1:], Fetch: fetch}.String()
	err := errors.Join(os.MkdirAll(home, 0o700), os.WriteFile(filepath.Join(home, "config.toml"), []byte(text), 0o600))
	if err != nil {
		return nil, "", err
	}
	return n.b.up(ctx, home)
}

// publish makes a blob that nobody has asked for yet, and the manifest that leads to it.
func (n *network) publish() (manifest string, blob hubtest.Layer) {
	image := hubtest.RandomImage(n.next.Add(1), 1, n.size)
	return n.hubs[0].Push(repository, "latest", image).String(), image.Layers[0]
}

const repository = "library/many"

// pull is one cold pull through a daemon: the manifest, by which it knows the blob's size, then the blob. It returns MiB/s
// of the blob.
func (n *network) pull(ctx context.Context, address string) (float64, error) {
	manifest, blob := n.publish()
	c := client("", nil)
	base := "http://" + address + "/v2/" + repository
	response, err := get(ctx, c, base+"/manifests/"+manifest, nil)
	if err != nil {
		return 0, err
	}
	_ = response.Body.Close()
	return download(ctx, c, base+"/blobs/"+blob.Digest.String(), blob.Content.Size())
}

// direct is the same pull without Pulley, by a client that follows the redirect as engines do.
func (n *network) direct(ctx context.Context) (float64, error) {
	_, blob := n.publish()
	c := n.hubs[0].Client()
	defer c.CloseIdleConnections()
	bearer, err := token(ctx, c, repository)
	if err != nil {
		return 0, err
	}
	url := "https://" + registry + "/v2/" + repository + "/blobs/" + blob.Digest.String()
	return downloadAs(ctx, c, url, http.Header{"Authorization": {"Bearer " + bearer}}, blob.Content.Size())
}

const mib = 1 << 20

// measureSlow is what splitting is for: every connection is held to 1 MiB/s, wherever it goes. The one connection takes a
// minute each time, so three turns are enough for both.
func measureSlow(ctx context.Context, b *bench) error {
	n, err := b.network(3, 64*mib, hubtest.Faults{Bandwidth: mib})
	if err != nil {
		return err
	}
	defer n.close()
	return n.compare(ctx, min(b.runs, 3), [2]string{"eight", "one"}, "connections = 8", "connections = 1")
}

// measureSplit is what splitting costs where it is of no use: nothing slows a connection down.
func measureSplit(ctx context.Context, b *bench) error {
	n, err := b.network(0, 512*mib, hubtest.Faults{})
	if err != nil {
		return err
	}
	defer n.close()
	return n.compare(ctx, b.runs, [2]string{"eight", "one"}, "connections = 8", "connections = 1")
}

// compare pulls through two daemons of different settings in turn.
func (n *network) compare(ctx context.Context, runs int, names [2]string, fetch ...string) error {
	var pulls []func() (float64, error)
	for i, text := range fetch {
		p, address, err := n.up(ctx, fmt.Sprintf("%s-%d", names[i], n.size), text)
		if err != nil {
			return err
		}
		defer func() { _ = p.stop() }()
		pulls = append(pulls, func() (float64, error) { return n.pull(ctx, address) })
	}
	return pair(runs, "MiB/s", names, pulls[0], pulls[1])
}

// measureCapped is what Pulley costs a cold pull whose source is the bottleneck.
func measureCapped(ctx context.Context, b *bench) error {
	n, err := b.network(0, 1024*mib, hubtest.Faults{Total: 100 * mib})
	if err != nil {
		return err
	}
	defer n.close()
	p, address, err := n.up(ctx, "capped", "")
	if err != nil {
		return err
	}
	err = pair(min(b.runs, 5), "MiB/s", [2]string{"Pulley", "direct"},
		func() (float64, error) { return n.pull(ctx, address) },
		func() (float64, error) { return n.direct(ctx) })
	return errors.Join(err, p.stop())
}
