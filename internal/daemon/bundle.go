package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"pulley/cache"
	"pulley/cache/bundle"
	"pulley/internal/control"
)

// Export implements server.Daemon.
func (d *Daemon) Export(ctx context.Context, e control.Export, w io.Writer) error {
	images, o, err := d.toExport(e)
	if err != nil {
		return err
	}
	return bundled(ctx, bundle.Export(ctx, w, d.cache, images, o))
}

// toExport are the images that are meant, each once, under the tags they were named by.
func (d *Daemon) toExport(e control.Export) (images []cache.Image, o bundle.Options, err error) {
	if len(e.Images) == 0 {
		return nil, o, refused(errors.New("export: no image was named"))
	}
	if o.Platforms, err = parsePlatforms(e.Platforms); err != nil {
		return nil, o, err
	}
	o.All = e.All
	for _, name := range e.Images {
		t, err := d.target(name)
		if err != nil {
			return nil, o, err
		}
		if d.cacheErr != nil {
			return nil, o, d.cacheErr
		}
		image, err := d.cache.Image(t.Name, t.reference)
		var miss *cache.MissError
		switch {
		case errors.As(err, &miss):
			return nil, o, refused(fmt.Errorf("%s: not in the cache; try: pulley pull %[1]s", familiar(t.String())))
		case err != nil:
			return nil, o, err
		}
		if t.image.Digest == "" {
			image.Tags = []string{t.reference}
		}
		at := slices.IndexFunc(images, func(i cache.Image) bool { return i.Name == image.Name && i.Digest == image.Digest })
		if at < 0 {
			images = append(images, image)
			continue
		}
		images[at].Tags = slices.Compact(slices.Sorted(slices.Values(slices.Concat(images[at].Tags, image.Tags))))
	}
	return images, o, nil
}

// bundled says whose fault it is.
func bundled(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	var incomplete *bundle.IncompleteError
	var platform *bundle.PlatformError
	var invalid *bundle.InvalidError
	if errors.As(err, &incomplete) || errors.As(err, &platform) || errors.As(err, &invalid) {
		return refused(err)
	}
	return err
}

// FetchMissing implements server.Daemon. What is fetched is what the images consist of that are here, whatever their tags
// stand for by now.
func (d *Daemon) FetchMissing(ctx context.Context, e control.Export, progress func(control.Pulling)) (control.Pulled, error) {
	images, o, err := d.toExport(e)
	if err != nil {
		return control.Pulled{}, err
	}
	p := control.Pull{Credentials: e.Credentials}
	out := control.Pulled{Images: []control.PulledImage{}}
	for _, image := range images {
		lacks := bundle.Missing(d.cache, []cache.Image{image}, o)
		if !slices.ContainsFunc(lacks, func(w bundle.Want) bool { return !w.Optional }) {
			out.Images = append(out.Images, control.PulledImage{Image: shown(image).Name(), Digest: image.Digest.String(), Size: image.Size})
			continue
		}
		p.Images = append(p.Images, control.PullImage{Image: image.Name.String() + "@" + image.Digest.String(), Platforms: e.Platforms, All: e.All})
	}
	if len(p.Images) == 0 {
		return out, nil
	}
	pulled, err := d.Pull(ctx, p, progress)
	out.Images = append(out.Images, pulled.Images...)
	return out, err
}

// Import implements server.Daemon.
func (d *Daemon) Import(ctx context.Context, tar io.Reader, progress func(control.Importing)) (control.Imported, error) {
	if d.cacheErr != nil {
		return control.Imported{}, d.cacheErr
	}
	out := control.Imported{Images: []string{}}
	names, err := bundle.Import(ctx, tar, d.cache, func(p bundle.Progress) {
		out.Blobs, out.Bytes = p.Blobs, p.Read
		progress(control.Importing{Bytes: p.Read, Blobs: p.Blobs})
	})
	d.moved()
	for _, i := range names {
		if i.Registry != cache.Local {
			err = errors.Join(err, d.handler.Brought(i.Name, i.Digest, i.Parts))
		}
		image := control.Image{Registry: i.Registry, Repository: i.Repository, Tag: i.Tag, Digest: i.Digest.String()}
		out.Images = append(out.Images, image.Name())
		if i.From != "" && familiar(i.From) != familiar(image.Name()) {
			if out.Called == nil {
				out.Called = map[string]string{}
			}
			out.Called[image.Name()] = i.From
		}
	}
	return out, bundled(ctx, err)
}
