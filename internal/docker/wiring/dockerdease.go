package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
// (moby, daemon/reload.go), so it is emptied first.
var reloaded = []string{"registry-mirrors", "insecure-registries"}

// Ease has a dockerd let go of the lists that are about to go from its daemon.json, which is afterwards what it was before.
func (k dockerd) Ease(ctx context.Context, m machine.Machine, u *Undo) (err error) {
	at, ok := k.place(ctx, m, u.Engine.ID)
	i := slices.IndexFunc(u.list, func(c *change) bool { return c.Path == at.config })
	if !ok || i < 0 {
		return nil
	}
	read, err := m.ReadFile(at.config)
	if err != nil {
		return err
	}
	empty := &edit.Edit{Format: edit.JSON}
	for _, key := range reloaded {
		if now, err := edit.Has(edit.JSON, read.Data, key); err != nil || now == nil {
			continue
		}
		if then, err := edit.Has(edit.JSON, u.list[i].after, key); err != nil || then == nil {
			empty.Steps = append(empty.Steps, edit.Step{Path: []string{key}, Value: json.RawMessage("[]")})
		}
	}
	if len(empty.Steps) == 0 {
		return nil
	}
	text, err := empty.Apply(read.Data)
	if err != nil {
		return err
	}
	if _, err := m.WriteFile(at.config, text, read.Mode); err != nil {
		return err
	}
	defer func() {
		_, back := m.WriteFile(at.config, read.Data, read.Mode)
		err = errors.Join(err, back)
	}()
	for _, c := range u.How.Run {
		if _, err := m.Run(ctx, c); err != nil {
			return err
		}
	}
	return k.eased(ctx, m, u.Engine, empty.Steps)
}

// eased waits until an engine goes by empty lists.
func (dockerd) eased(ctx context.Context, m machine.Machine, e Engine, steps []edit.Step) error {
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	tick := time.NewTicker(upEvery)
	defer tick.Stop()
	mirrors := slices.ContainsFunc(steps, func(s edit.Step) bool { return s.Path[0] == reloaded[0] })
	for {
		info, err := dockerInfo(ctx, m, e.Socket)
		if err == nil && (!mirrors || info.RegistryConfig == nil || len(info.RegistryConfig.Mirrors) == 0) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it keeps its mirrors until it is restarted: it did not take up a reload")
		}
	}
}
