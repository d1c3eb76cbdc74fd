package wiring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// easer is a kind whose running engines keep a setting that is only taken out of their files.
type easer interface {
	Ease(ctx context.Context, m machine.Machine, u *Undo) error
}

// ease has an engine let go of what a reload alone would not take from it.
func (w *Wirer) ease(ctx context.Context, u *Undo, say func(string)) {
	if k, ok := u.Engine.kind.(easer); ok && u.Engine.Running && u.How.Kind == Reload {
		if err := k.Ease(ctx, w.Machine, u); err != nil {
			say(oneLineOf(err))
		}
	}
}

// reloaded are the lists that dockerd takes up on SIGHUP: if they are there. One that has gone stays in force as it was
// (moby, daemon/reload.go), so it is emptied first. A reload takes a moment, in which it still goes by them.
var reloaded = []string{"registry-mirrors", "insecure-registries"}

// mirrorsOf are those that a dockerd goes by.
type mirrorsOf func(ctx context.Context) ([]string, error)

// Ease has a dockerd let go of the lists that are about to go from its daemon.json.
func (k dockerd) Ease(ctx context.Context, m machine.Machine, u *Undo) error {
	at, ok := k.place(ctx, m, u.Engine.ID)
	if !ok {
		return nil
	}
	return easeDocker(ctx, m, u, at.config, mirrorsAt(m, u.Engine.Socket))
}

// easeDocker is that for a dockerd anywhere. Its file is afterwards what it was before.
func easeDocker(ctx context.Context, m machine.Machine, u *Undo, config string, mirrors mirrorsOf) (err error) {
	i := slices.IndexFunc(u.list, func(c *change) bool { return c.Path == config })
	if i < 0 {
		return nil
	}
	on := u.list[i].on
	read, err := on.ReadFile(config)
	if err != nil {
		return err
	}
	less := &edit.Edit{Format: edit.JSON}
	for _, key := range reloaded {
		now := listAt(edit.JSON, read.Data, key)
		then := listAt(edit.JSON, u.list[i].after, key)
		if slices.ContainsFunc(now, func(s string) bool { return !slices.Contains(then, s) }) {
			less.Steps = append(less.Steps, edit.Step{Path: []string{key}, Value: value(append([]string{}, then...))})
		}
	}
	if len(less.Steps) == 0 {
		return nil
	}
	text, err := less.Apply(read.Data)
	if err != nil {
		return err
	}
	if _, err := on.WriteFile(config, text, read.Mode); err != nil {
		return err
	}
	defer func() {
		_, back := on.WriteFile(config, read.Data, read.Mode)
		err = errors.Join(err, back)
	}()
	for _, c := range u.How.Run {
		if _, err := m.Run(ctx, c); err != nil {
			return err
		}
	}
	gone := listAt(edit.JSON, read.Data, reloaded[0])
	then := listAt(edit.JSON, u.list[i].after, reloaded[0])
	return eased(ctx, mirrors, slices.DeleteFunc(gone, func(s string) bool { return slices.Contains(then, s) }))
}

// eased waits until an engine does not go by some mirrors any more.
func eased(ctx context.Context, mirrors mirrorsOf, gone []string) error {
	if len(gone) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	tick := time.NewTicker(upEvery)
	defer tick.Stop()
	for {
		list, err := mirrors(ctx)
		if err == nil && !slices.ContainsFunc(gone, func(s string) bool { return slices.Contains(list, strings.TrimSuffix(s, "/")+"/") }) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("it keeps its mirrors until it is restarted: it did not take up a reload")
		}
	}
}

// mirrorsAt asks the engine behind a socket.
func mirrorsAt(m machine.Machine, socket string) mirrorsOf {
	return func(ctx context.Context) ([]string, error) {
		info, err := dockerInfo(ctx, m, socket)
		if err != nil || info.RegistryConfig == nil {
			return nil, err
		}
		return info.RegistryConfig.Mirrors, nil
	}
}

// takes says whether an engine goes by the mirror of a plan.
func (mirrors mirrorsOf) takes(ctx context.Context, p *Plan) error {
	list, err := mirrors(ctx)
	if err != nil {
		return err
	}
	if url := mirrorURL(p.reach); !slices.Contains(list, url+"/") {
		return fmt.Errorf("it did not take up the mirror %s; its log says why", url)
	}
	return nil
}
