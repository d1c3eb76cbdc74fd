package wiring

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// vm is a virtual machine whose engine is wired by files inside of it.
type vm struct {
	shell  []string // runs a command in it
	root   []string // runs one as root
	daemon string   // daemon.json, where Docker is in it
	certs  []string // of hosts.toml files, where containerd is
	// reload has dockerd take up daemon.json; it does that for mirrors without a restart:
	// https://docs.docker.com/reference/cli/dockerd/#configuration-reload-behavior
	reload []string
}

// file is one of the files, by way of root unless it is in a person's home.
func (v vm) through(name string) []string {
	if strings.HasPrefix(name, "/etc/") || strings.HasPrefix(name, "/usr/") {
		return v.root
	}
	return v.shell
}

// wired says how its engine is pointed now, as far as that is to be had at once.
func (v vm) wired(ctx context.Context, m machine.Machine) Wired {
	if v.daemon != "" {
		text := glimpse(ctx, m, v.through(v.daemon), v.daemon)
		return wiredBy(Mirror, v.daemon, listAt(edit.JSON, text, "registry-mirrors")...)
	}
	name := path.Join(v.certs[0], "docker.io", "hosts.toml")
	if text := glimpse(ctx, m, v.through(name), name); isOurs(text) {
		return Wired{Way: Mirror, Where: []string{name}}
	}
	return Wired{}
}

// plan is a mirror, by daemon.json or a hosts.toml for every registry.
func (v vm) plan(m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	plan := &Plan{Engine: e, Way: way(e, o)}
	switch {
	case plan.Way != Mirror:
		return nil, noWay(e, plan.Way)
	case !e.Running:
		return nil, fmt.Errorf("%s: it does not run, and its settings are inside of it; start it and connect again", e.ID)
	}
	if v.daemon != "" {
		if _, err := readSettings(newGuest(m, v.through(v.daemon)), e.ID, v.daemon, edit.JSON); err != nil {
			return nil, err
		}
		plan.reach = reachOf(e, to, o)
		plan.Files = []File{daemonJSON(v.daemon, edit.JSON, nil, plan.reach, o)}
		plan.Warn = append(plan.Warn, "a mirror is for Docker Hub alone: other registries are pulled as before")
		plan.Warn = append(plan.Warn, searchNeedsPodman(o)...)
	} else {
		h := &hostsFiles{m: newGuest(m, v.through(v.certs[0])), roots: v.certs, reach: reachOf(e, to, o), way: Mirror}
		if err := h.all(to, o); err != nil {
			return nil, fmt.Errorf("%s: %w", e.ID, err)
		}
		plan.Files, plan.Warn = h.files, h.warn
	}
	for i := range plan.Files {
		plan.Files[i].Through = v.through(plan.Files[i].Path)
	}
	plan.How = v.activation()
	return plan, nil
}

func (v vm) activation() Activation {
	if v.daemon == "" {
		return Activation{Kind: AtOnce}
	}
	return Activation{Kind: Reload, Run: []machine.Command{{Args: v.reload}}, Text: strings.Join(v.reload, " ")}
}

// nerdctl pulls an image in a namespace that goes again.
func (v vm) pull(ctx context.Context, m machine.Machine, image string, user bool) error {
	const namespace = "pulley-test"
	through := v.root
	if user {
		through = v.shell
	}
	for _, args := range [][]string{{"pull", "--quiet", image}, {"rmi", image}} {
		if _, err := m.Run(ctx, machine.Command{Args: slices.Concat(through, []string{"nerdctl", "--namespace", namespace}, args)}); err != nil {
			return err
		}
	}
	return nil
}

// objects reads JSON objects that stand one behind another, or in a list.
func objects[T any](text string) []T {
	var all []T
	if err := json.Unmarshal([]byte(text), &all); err == nil {
		return all
	}
	d := json.NewDecoder(strings.NewReader(text))
	for {
		var one T
		if err := d.Decode(&one); err != nil {
			return all
		}
		all = append(all, one)
	}
}
