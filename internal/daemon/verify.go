package daemon

import (
	"context"
	"strings"

	"pulley/cache"
	"pulley/internal/control"
	"pulley/internal/control/server"
	"pulley/proxy/registry"
)

// Verify implements server.Daemon. What is broken is fetched again when all has been read: what cannot be had at once
// does not hold that up.
func (d *Daemon) Verify(ctx context.Context, v control.Verify, progress func(control.Verifying)) (control.Verified, error) {
	if d.cacheErr != nil {
		return control.Verified{}, d.cacheErr
	}
	var now control.Verifying
	read, err := d.cache.Verify(ctx, cache.Verification{Rate: v.Rate}, func(at cache.Verifying) {
		now = control.Verifying{Blobs: at.Blobs, OfBlobs: at.OfBlobs, Bytes: at.Bytes, OfBytes: at.OfBytes, Damaged: len(at.Broken)}
		progress(now)
	})
	if len(read.Broken) > 0 {
		d.moved()
	}
	out := control.Verified{Blobs: read.Blobs, Bytes: read.Bytes}
	if err != nil {
		return out, err
	}
	for _, b := range read.Broken {
		one := control.Broken{Digest: b.Digest.String(), Size: b.Size, Images: b.Images}
		if v.Heal && b.Name != (cache.Name{}) {
			d.heal(ctx, b, &one, func(p control.Pulling) {
				now.Healing = &p
				progress(now)
			})
		}
		if ctx.Err() != nil {
			return out, context.Cause(ctx)
		}
		if one.Healed {
			now.Healed++
		}
		out.Damaged = append(out.Damaged, one)
	}
	return out, nil
}

// heal fetches one blob again.
func (d *Daemon) heal(ctx context.Context, b cache.Broken, one *control.Broken, progress func(control.Pulling)) {
	err := d.handler.Fetch(ctx, b.Name, b.Digest, func(p registry.PullProgress) {
		if p.Done {
			one.Source = p.Source
		}
		progress(shownPull(p))
	})
	if one.Healed = err == nil; err != nil {
		one.Error = strings.TrimSuffix(oneCause(err), ": "+server.ErrRefused.Error())
	}
}
