package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"pulley/cache"
	"pulley/internal/control"
	"pulley/internal/control/server"
	"pulley/proxy/registry"
)

// pullsAtOnce is how many images of one request are pulled at a time; each has several blobs under way.
const pullsAtOnce = 3

// Pull implements server.Daemon.
func (d *Daemon) Pull(ctx context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
	if d.cacheErr != nil {
		return control.Pulled{}, d.cacheErr
	}
	if len(p.Images) == 0 {
		return control.Pulled{}, refused(errors.New("pull: no image was named"))
	}
	out := control.Pulled{Images: make([]control.PulledImage, len(p.Images))}
	var pulls errgroup.Group
	pulls.SetLimit(pullsAtOnce)
	for n, image := range p.Images {
		pulls.Go(func() error {
			out.Images[n] = d.pullImage(ctx, p, image, progress)
			return nil
		})
	}
	_ = pulls.Wait()
	d.moved()
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	return out, nil
}

// pullImage pulls one, and tells what came of it.
func (d *Daemon) pullImage(ctx context.Context, p control.Pull, image control.PullImage, progress func(control.Pulling)) control.PulledImage {
	one, err := d.pullOne(ctx, p, image, progress)
	if err != nil {
		one.Error = strings.TrimSuffix(oneCause(err), ": "+server.ErrRefused.Error())
	}
	if ctx.Err() == nil {
		progress(control.Pulling{Image: one.Image, Digest: one.Digest, What: control.WhatImage, Have: one.Fetched, Size: one.Size, Done: err == nil, Error: one.Error})
	}
	return one
}

func (d *Daemon) pullOne(ctx context.Context, p control.Pull, image control.PullImage, progress func(control.Pulling)) (control.PulledImage, error) {
	one := control.PulledImage{Image: image.Image}
	if ctx.Err() != nil {
		return one, context.Cause(ctx)
	}
	t, err := d.target(image.Image)
	if err != nil {
		return one, err
	}
	one.Image = t.String()
	if t.Registry == cache.Local {
		return one, d.ownImage(t, &one)
	}
	pull := registry.Pull{Image: t.image, All: image.All, Fresh: p.Fresh, Authorization: string(p.Credentials[t.image.Host])}
	if pull.Platforms, err = parsePlatforms(image.Platforms); err != nil {
		return one, err
	}
	result, err := d.handler.Pull(ctx, pull, func(p registry.PullProgress) { progress(shownPull(p)) })
	one.Image = cmp.Or(result.Image, one.Image)
	one.Digest, one.Size, one.Fetched, one.Note = result.Digest.String(), result.Size, result.Fetched, result.Note
	for _, at := range result.Platforms {
		one.Platforms = append(one.Platforms, platforms.Format(at))
	}
	return one, err
}

// ownImage is a pull of a person's own image: it is here, or nowhere.
func (d *Daemon) ownImage(t target, one *control.PulledImage) error {
	image, err := d.cache.Image(t.Name, t.reference)
	if err != nil || !image.Complete {
		return refused(fmt.Errorf("%s: your own images are only here, and this one is not; push it first", t))
	}
	one.Digest, one.Size = image.Digest.String(), image.Size
	return nil
}

// parsePlatforms reads platforms as people write them; a processor alone is Linux on it, as engines run it.
func parsePlatforms(names []string) (list []ocispec.Platform, err error) {
	for _, name := range names {
		full := name
		if !strings.Contains(name, "/") {
			full = "linux/" + name
		}
		p, err := platforms.Parse(full)
		if err != nil || strings.Contains(name, "*") {
			return nil, refused(fmt.Errorf("%.80q is no platform; want one such as linux/arm64 or linux/arm/v7", name))
		}
		if !slices.ContainsFunc(list, func(o ocispec.Platform) bool { return platforms.Format(o) == platforms.Format(p) }) {
			list = append(list, p)
		}
	}
	return list, nil
}

func shownPull(p registry.PullProgress) control.Pulling {
	return control.Pulling{
		Image: p.Image, Digest: p.Digest.String(), What: p.What, Have: p.Have, Size: p.Size, Source: p.Source,
		Done: p.Done, Cached: p.Cached, Error: p.Err,
	}
}
