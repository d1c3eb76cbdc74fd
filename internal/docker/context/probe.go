package context

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/cli/cli/context/docker"
	"github.com/moby/moby/client"
)

// A Report is what a test of one context found.
type Report struct {
	Name      string `json:"name"`
	Host      string `json:"host"`
	Reachable bool   `json:"reachable"`
	Error     string `json:"error,omitempty"` // why it is not, or what a reachable engine would not say; with what to do
	Cause     string `json:"cause,omitempty"` // the kind of why it is not, one of cause.Kinds; "" none of them

	Engine  string        `json:"engine,omitempty"` // its version
	API     string        `json:"api,omitempty"`
	System  string        `json:"system,omitempty"` // linux/x86_64
	Connect time.Duration `json:"connect_ns,omitempty"`
	Latency time.Duration `json:"latency_ns,omitempty"` // of one question over a connection that stands

	// What the engine goes by now, whatever its files say. URLs are without a password.
	Mirrors []string `json:"mirrors,omitempty"` // of Docker Hub
	Proxy   string   `json:"proxy,omitempty"`   // for https
	NoProxy string   `json:"no_proxy,omitempty"`

	Images     int   `json:"images"`
	Containers int   `json:"containers"`
	Running    int   `json:"running"`
	Disk       int64 `json:"disk_bytes"` // images, containers, volumes and build cache; -1: not known
}

// Test asks a context's engine how it is. It takes no longer than ctx has time; counting the disk may be what takes long,
// so an engine that answers all but that is reachable. ssh is the person's own, by docker's connection helper, and asks no
// questions.
func (b *Book) Test(ctx context.Context, name string) Report {
	e, err := b.Get(name)
	r := Report{Name: name, Host: e.Host, Disk: -1}
	if err != nil {
		r.Error = err.Error()
		return r
	}
	if e.Error != "" {
		r.Error = e.Error
		return r
	}
	c, err := b.client(name)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	defer func() { _ = c.Close() }()
	if err := r.ask(ctx, c); err != nil {
		r.Error, r.Cause = b.explain(ctx, e, err)
	}
	return r
}

// client is docker's own, for a context. The caller closes it.
func (b *Book) client(name string) (*client.Client, error) {
	ep, err := b.endpoint(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c, err := dial(ep)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// dial has docker's client look at an endpoint; nothing is sent yet. What it says about an address is not passed on as it
// is: the address may hold a password.
func dial(ep docker.Endpoint) (*client.Client, error) {
	if _, err := url.Parse(ep.Host); err != nil {
		return nil, errAddress
	}
	options, err := ep.ClientOpts()
	if err != nil {
		return nil, errors.New(oneLine(err.Error()))
	}
	if scheme(ep.Host) == "ssh" { // docker's own does not keep ssh from asking, in a window where there is no terminal
		helper, err := connhelper.GetConnectionHelperWithSSHOpts(ep.Host, []string{"-o", "BatchMode=yes"})
		if err != nil {
			return nil, errors.New(oneLine(err.Error()))
		}
		options = append(options, client.WithDialContext(reasonable(helper.Dialer)))
	}
	c, err := client.New(options...)
	if err != nil {
		return nil, errors.New(oneLine(err.Error()))
	}
	return c, nil
}

func (b *Book) endpoint(name string) (docker.Endpoint, error) {
	if name == Default {
		return b.standardEndpoint()
	}
	m, err := b.load(name)
	if err != nil {
		return docker.Endpoint{}, err
	}
	meta, err := docker.EndpointFromContext(m)
	if err != nil {
		return docker.Endpoint{}, err
	}
	return docker.WithTLSData(b.store, name, meta)
}

// ask fills a report in, as far as there are answers.
func (r *Report) ask(ctx context.Context, c *client.Client) error {
	start := time.Now()
	ping, err := c.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	if err != nil {
		return err
	}
	r.Reachable, r.API, r.Connect = true, ping.APIVersion, time.Since(start)
	start = time.Now()
	if _, err := c.Ping(ctx, client.PingOptions{}); err != nil {
		return err
	}
	r.Latency = time.Since(start)
	info, err := c.Info(ctx, client.InfoOptions{})
	if err != nil {
		return err
	}
	r.Engine, r.System = info.Info.ServerVersion, info.Info.OSType+"/"+info.Info.Architecture
	r.Images, r.Containers, r.Running = info.Info.Images, info.Info.Containers, info.Info.ContainersRunning
	r.Proxy, r.NoProxy = redact(info.Info.HTTPSProxy), info.Info.NoProxy
	if registries := info.Info.RegistryConfig; registries != nil {
		for _, mirror := range registries.Mirrors {
			r.Mirrors = append(r.Mirrors, redact(mirror))
		}
	}
	used, err := c.DiskUsage(ctx, client.DiskUsageOptions{Containers: true, Images: true, Volumes: true, BuildCache: true})
	if err != nil {
		return err
	}
	r.Disk = max(used.Images.TotalSize, 0) + max(used.Containers.TotalSize, 0) + max(used.Volumes.TotalSize, 0) + max(used.BuildCache.TotalSize, 0)
	return nil
}
