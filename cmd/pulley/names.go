package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
	dockercontext "pulley/internal/docker/context"
	"pulley/internal/docker/machine"
	"pulley/internal/docker/wiring"
)

// asked is what a daemon that runs answers to f: the zero value where none does in time.
func asked[T any](ctx context.Context, f func(*client.Client) (T, error)) (answer T, ok bool) {
	c, err := client.Find(ctx, os.Environ())
	if c != nil {
		defer c.Close()
	}
	if err != nil {
		return answer, false
	}
	answer, err = f(c)
	return answer, err == nil
}

// known are the registries, with the mirrors of each: the daemon's, else those of the settings file.
func known(ctx context.Context) ([]control.Registry, []control.Source) {
	state, ok := asked(ctx, func(c *client.Client) (control.State, error) { return c.State(ctx) })
	if ok {
		all, _ := asked(ctx, func(c *client.Client) ([]control.Source, error) { return c.Sources(ctx, "") })
		return state.Registries, all
	}
	places, err := config.FindPlaces(os.Environ())
	if err != nil {
		return nil, nil
	}
	settings, err := config.Load(places.ConfigFile, os.Environ())
	if err != nil {
		return nil, nil
	}
	var list []control.Registry
	var all []control.Source
	for _, r := range settings.Registries {
		list = append(list, control.Registry{Name: r.Name, Hosts: r.Hosts, Route: r.Route, Routes: r.Offered()})
		all = append(all, control.Source{Registry: r.Name, Name: "origin", Origin: true})
		for _, m := range r.Mirrors {
			all = append(all, control.Source{Registry: r.Name, Name: m.Name, Enabled: m.Enabled})
		}
	}
	return list, all
}

func registries(ctx context.Context, _ []string) (names []string) {
	list, _ := known(ctx)
	for _, r := range list {
		names = append(names, r.Name)
	}
	return names
}

// hosts are the registries' names, and those that they are reached by.
func hosts(ctx context.Context, _ []string) (names []string) {
	list, _ := known(ctx)
	for _, r := range list {
		names = append(append(names, r.Name), r.Hosts...)
	}
	return slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "*") })
}

// routes are those of the registry before.
func routes(ctx context.Context, before []string) []string {
	list, _ := known(ctx)
	for _, r := range list {
		if r.Name == before[0] {
			return r.Routes
		}
	}
	return nil
}

// sources are where the bytes of the registry before can come from.
func sources(ctx context.Context, before []string) (names []string) {
	_, all := known(ctx)
	for _, s := range all {
		if s.Registry == before[0] {
			names = append(names, s.Name)
		}
	}
	return names
}

// mirrors are those of the registry before.
func mirrors(ctx context.Context, before []string) (names []string) {
	_, all := known(ctx)
	for _, s := range all {
		if s.Registry == before[0] && !s.Origin {
			names = append(names, s.Name)
		}
	}
	return names
}

func mirrorsAnywhere(ctx context.Context, _ []string) (names []string) {
	_, all := known(ctx)
	for _, s := range all {
		if !s.Origin {
			names = append(names, s.Name)
		}
	}
	return names
}

// registriesWith are those that have the mirror before.
func registriesWith(ctx context.Context, before []string) (names []string) {
	_, all := known(ctx)
	for _, s := range all {
		if !s.Origin && s.Name == before[0] {
			names = append(names, s.Registry)
		}
	}
	return names
}

func egresses(ctx context.Context, _ []string) (names []string) {
	list, _ := asked(ctx, func(c *client.Client) ([]control.Egress, error) { return c.Egresses(ctx) })
	for _, e := range list {
		names = append(names, e.Name)
	}
	return names
}

func addresses(ctx context.Context, _ []string) (names []string) {
	list, _ := asked(ctx, func(c *client.Client) ([]control.Address, error) { return c.Addresses(ctx) })
	for _, a := range list {
		names = append(names, a.Host)
	}
	return names
}

// images are those in the cache, by every tag.
func images(ctx context.Context, _ []string) (names []string) {
	list, _ := asked(ctx, func(c *client.Client) ([]control.Image, error) { return c.Images(ctx) })
	for _, i := range list {
		name := familiar(i.Registry, i.Repository)
		for _, tag := range i.Tags {
			names = append(names, name+":"+tag)
		}
	}
	return names
}

// settings are the keys, those of each registry too.
func settings(ctx context.Context, _ []string) []string {
	names := config.Keys()
	list, _ := known(ctx)
	for _, r := range list {
		for _, key := range []string{"hosts", "insecure", "order", "route"} {
			names = append(names, "registry."+r.Name+"."+key)
		}
	}
	return names
}

// values are those of the key before, where they can be counted.
func values(ctx context.Context, before []string) []string {
	if list := config.Choices(before[0]); list != nil {
		return list
	}
	list, _ := known(ctx)
	for _, r := range list {
		switch before[0] {
		case "registry." + r.Name + ".route":
			return r.Routes
		case "registry." + r.Name + ".insecure":
			return []string{"true", "false"}
		}
	}
	return nil
}

func contexts(context.Context, []string) (names []string) {
	_ = withContexts(func(b *dockercontext.Book) error {
		list, err := b.List()
		for _, e := range list {
			names = append(names, e.Name)
		}
		return err
	})
	return names
}

// enginesHere are those that are found in time: each kind has a process or a file of its own to ask.
func enginesHere(ctx context.Context, _ []string) []string {
	kinds, here := wiring.Kinds(), &machine.Local{}
	found := make(chan []wiring.Engine, len(kinds))
	for _, k := range kinds {
		go func() { found <- k.Find(ctx, here) }()
	}
	names := map[string]bool{}
	for range kinds {
		select {
		case list := <-found:
			for _, e := range list {
				names[e.ID] = true
			}
		case <-ctx.Done():
			return slices.Collect(maps.Keys(names))
		}
	}
	return slices.Collect(maps.Keys(names))
}

// enginesWired are those that connect has wired.
func enginesWired(context.Context, []string) []string {
	h, _, err := openWired()
	if err != nil {
		return nil
	}
	names, _ := h.Wired()
	return names
}
