package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/distribution/reference"

	"pulley/cache"
	"pulley/internal/control"
	"pulley/proxy/source"
)

// target is an image as the cache knows it.
type target struct {
	cache.Name
	reference string // tag or digest
	image     source.Image
}

// String is the reference in full.
func (t target) String() string {
	if strings.Contains(t.reference, ":") {
		return t.Name.String() + "@" + t.reference
	}
	return t.Name.String() + ":" + t.reference
}

// target resolves an image as a person names it: as Docker does, and as it is pulled from our own port.
func (d *Daemon) target(name string) (target, error) {
	rest := name
	if host, path, ok := strings.Cut(name, "/"); ok && d.isOwn(host) {
		rest = path
	}
	image, err := source.ParseImage(d.settings.Current(), rest)
	if err != nil {
		return target{}, refused(errors.New(oneCause(err)))
	}
	t := target{Name: cache.Name{Registry: image.Host, Repository: image.Repository}, reference: image.Tag, image: image}
	if image.Digest != "" {
		t.reference = image.Digest.String()
	}
	if path, own := strings.CutPrefix(image.Repository, cache.Local+"/"); own && strings.HasPrefix(rest, cache.Local+"/") {
		t.Name = cache.Name{Registry: cache.Local, Repository: path}
		return t, nil
	}
	if image.Registry != nil && image.Registry.Spells(image.Host) {
		t.Registry = image.Registry.Name
	}
	return t, nil
}

// isOwn reports whether host is our own port under a name of this machine.
func (d *Daemon) isOwn(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return false
	}
	_, own, _ := net.SplitHostPort(d.Address())
	ip := net.ParseIP(name)
	return port == own && (name == "localhost" || ip != nil && ip.IsLoopback())
}

// oneCause is an error on one line.
func oneCause(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// Images implements server.Daemon.
func (d *Daemon) Images() ([]control.Image, error) {
	list := []control.Image{}
	if d.cacheErr != nil {
		return list, d.cacheErr
	}
	images, err := d.cache.Images()
	for _, i := range images {
		list = append(list, shown(i))
	}
	slices.SortFunc(list, func(a, b control.Image) int { return cmp.Compare(a.Name(), b.Name()) })
	return list, err
}

// shown is an image as the control interface has it.
func shown(i cache.Image) control.Image {
	out := control.Image{
		Registry: i.Registry, Repository: i.Repository, Tags: i.Tags, Digest: i.Digest.String(), MediaType: i.MediaType,
		Complete: i.Complete, Size: i.Size, Own: i.Own, Pinned: i.Pinned, Stored: i.First, Used: i.Used, Checked: i.Checked,
		Sources: i.Sources, Saved: i.Saved,
	}
	if len(i.Tags) > 0 {
		out.Tag = i.Tags[0]
	}
	for _, p := range i.Platforms {
		out.Platforms = append(out.Platforms, control.Platform{
			OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, Digest: p.Digest.String(), Complete: p.Complete,
		})
	}
	return out
}

// find looks for an image that a person named.
func (d *Daemon) find(name string) (target, error) {
	t, err := d.target(name)
	if err != nil {
		return t, err
	}
	if d.cacheErr != nil {
		return t, d.cacheErr
	}
	_, err = d.cache.Image(t.Name, t.reference)
	return t, d.missing(t, err)
}

// missing says of an image that is not here what may have been meant.
func (d *Daemon) missing(t target, err error) error {
	var miss *cache.MissError
	if !errors.As(err, &miss) {
		return err
	}
	next := "see: pulley images"
	if near := d.nearest(t); near != "" {
		next = "there is " + familiar(near)
	}
	return refused(fmt.Errorf("%s: not in the cache; %s", familiar(t.String()), next))
}

// nearest is an image that is here and was probably meant; "" if there is none. The same repository is worth more than a
// name that is spelled much the same.
func (d *Daemon) nearest(t target) string {
	images, err := d.cache.Images()
	if err != nil {
		return ""
	}
	best, found := 4, "" // more mistakes than that are another name
	for _, i := range images {
		ref := shown(i).Name()
		distance := levenshtein.Distance(t.Name.String(), i.Name.String(), nil)
		switch {
		case i.Name == t.Name:
			return ref
		case i.Repository == t.Repository: // somewhere else
			distance = 1
		}
		if distance < best {
			best, found = distance, ref
		}
	}
	return found
}

// PinImage implements server.Daemon.
func (d *Daemon) PinImage(name string, on bool) (control.Image, error) {
	t, err := d.find(name)
	if err != nil {
		return control.Image{}, err
	}
	if t.Registry == cache.Local && !on {
		return control.Image{}, refused(fmt.Errorf("%s: your own images are always kept; to be rid of it: pulley cache rm %s", t, familiar(t.String())))
	}
	if err := d.cache.Pin(t.Name, t.reference, on); err != nil {
		return control.Image{}, d.missing(t, err)
	}
	d.moved()
	image, err := d.cache.Image(t.Name, t.reference)
	return shown(image), err
}

// familiar is a reference as short as Docker takes it.
func familiar(ref string) string {
	if named, err := reference.ParseNormalizedNamed(ref); err == nil && !strings.HasPrefix(ref, cache.Local+"/") {
		return reference.FamiliarString(named)
	}
	return ref
}

// RemoveImage implements server.Daemon.
func (d *Daemon) RemoveImage(name string) (control.Freed, error) {
	t, err := d.find(name)
	if err != nil {
		return control.Freed{}, err
	}
	before := d.cache.Stat().Size
	freed, err := d.cache.Remove(t.Name, t.reference)
	d.moved()
	if dropped := d.handler.Dropped(t.Name); err == nil {
		err = dropped
	}
	after := d.cache.Stat().Size
	return control.Freed{Bytes: max(freed, before-after), Images: []string{t.String()}, Size: after}, d.missing(t, err)
}

// GC implements server.Daemon.
func (d *Daemon) GC(ctx context.Context, g control.GC) (freed control.Freed, err error) {
	if d.cacheErr != nil {
		return freed, d.cacheErr
	}
	if g.Free < 0 || g.Keep != nil && *g.Keep < 0 {
		return freed, refused(errors.New("gc: a size cannot be less than nothing"))
	}
	before, err := d.Images()
	if err != nil || ctx.Err() != nil {
		return freed, cmp.Or(err, context.Cause(ctx))
	}
	keep := int64(d.settings.Current().Cache.MaxSize)
	if g.Keep != nil {
		keep = *g.Keep
	}
	switch {
	case g.Free > 0 && g.Keep == nil:
		freed.Bytes, err = d.cache.Free(g.Free)
	case g.Keep != nil || keep > 0: // without a limit there is nothing to keep to
		freed.Bytes, err = d.cache.GC(keep)
		if more := g.Free - freed.Bytes; err == nil && more > 0 {
			var n int64
			n, err = d.cache.Free(more)
			freed.Bytes += n
		}
	}
	if err != nil {
		return freed, err
	}
	after, err := d.Images()
	freed.Images, freed.Size = d.gone(before, after), d.cache.Stat().Size
	d.moved()
	return freed, err
}

// gone are the images of before that are not in after, and has it noted that they were removed.
func (d *Daemon) gone(before, after []control.Image) (names []string) {
	type id struct{ registry, repository, digest string }
	left := make(map[id]bool, len(after))
	for _, i := range after {
		left[id{i.Registry, i.Repository, i.Digest}] = true
	}
	for _, i := range before {
		if !left[id{i.Registry, i.Repository, i.Digest}] {
			names = append(names, i.Name())
			if err := d.handler.Dropped(cache.Name{Registry: i.Registry, Repository: i.Repository}); err != nil {
				d.opt.Log.Warn("daemon: not remembered", "err", err)
			}
		}
	}
	return names
}
