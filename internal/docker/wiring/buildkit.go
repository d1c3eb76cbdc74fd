package wiring

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// buildkit is a buildkitd that runs by itself: mirrors in its buildkitd.toml
// (https://github.com/moby/buildkit/blob/master/docs/buildkitd.toml.md). It goes to the origin when a mirror does not answer.
type buildkit struct{}

const buildkitRootless = "buildkit-rootless"

func (buildkit) file(m machine.Machine, id string) (name, socket string) {
	if id == buildkitRootless {
		return path.Join(configHome(m), "buildkit/buildkitd.toml"), path.Join(runtimeDir(m), "buildkit/buildkitd.sock")
	}
	return "/etc/buildkit/buildkitd.toml", "/run/buildkit/buildkitd.sock"
}

// Find implements Kind.
func (k buildkit) Find(ctx context.Context, m machine.Machine) []Engine {
	if m.Facts().OS != machine.Linux {
		return nil
	}
	out, err := runBriefly(ctx, m, "buildkitd", "--version") // "buildkitd github.com/moby/buildkit v0.12.5 bac3f2b"
	if err != nil {
		return nil
	}
	e := Engine{ID: "buildkit", Name: "BuildKit", Version: field(out, 2), Reach: loopback, Ways: []Way{Mirror}}
	found := []Engine{k.look(ctx, m, e)}
	if !m.Facts().Root {
		e.ID, e.Name = buildkitRootless, "BuildKit (rootless)"
		e = k.look(ctx, m, e)
		file, _ := k.file(m, e.ID)
		if _, err := m.Stat(file); err == nil || e.Running {
			found = append(found, e)
		}
	}
	return found
}

func (k buildkit) look(ctx context.Context, m machine.Machine, e Engine) Engine {
	file, socket := k.file(m, e.ID)
	e.Socket = "unix://" + socket
	e.Running = dialBriefly(ctx, m, socket) == nil
	if read, err := m.ReadFile(file); err == nil {
		e.Wired = buildkitWired(file, e.Reach, read.Data)
	}
	if m.Getenv("BUILDKITD_CONFIG") != "" {
		e.Notes = append(e.Notes, noted("BUILDKITD_CONFIG is set: it may read another file than "+file))
	}
	return e
}

// buildkitWired says where a buildkitd looks for Docker Hub's images.
func buildkitWired(file, reach string, text []byte) Wired {
	var f struct {
		Registry map[string]struct {
			Mirrors []string `toml:"mirrors"`
		} `toml:"registry"`
	}
	if unmarshalTOML(file, text, &f) != nil {
		return Wired{}
	}
	return wiredTo(reach, file, false, f.Registry["docker.io"].Mirrors...)
}

// buildkitEdit has a buildkitd ask reach first, which is told by ?ns= what registry is meant.
func buildkitEdit(reach string, to Target, o Options) *edit.Edit {
	e := &edit.Edit{Format: edit.TOML}
	mirror, plain := hostPort(reach)
	set := func(v any, at ...string) {
		e.Steps = append(e.Steps, edit.Step{Path: append([]string{"registry"}, at...), Value: value(v)})
	}
	insecure := slices.Clone(o.Insecure)
	for _, r := range to.Registries {
		for _, name := range clientNames(r) {
			e.Steps = append(e.Steps, edit.Step{
				Path: []string{"registry", name, "mirrors"}, Add: []json.RawMessage{value(mirror)}, Front: true,
			})
		}
	}
	if plain {
		set(true, mirror, "http")
	}
	for _, name := range insecure {
		set(true, name, "http")
	}
	return e
}

// buildkitTrust has a buildkitd trust the local authorities for every registry; docker buildx puts the file that is named into
// the container.
func buildkitTrust(to Target) *edit.Edit {
	e := &edit.Edit{Format: edit.TOML}
	for _, r := range to.Registries {
		for _, name := range clientNames(r) {
			e.Steps = append(e.Steps, edit.Step{Path: []string{"registry", name, "ca"}, Add: []json.RawMessage{value(to.CAFile)}})
		}
	}
	return e
}

// checkTOML refuses a file that is broken.
func checkTOML(m machine.Machine, file string) error {
	read, err := m.ReadFile(file)
	if err != nil {
		return nil //nolint:nilerr // there is none, or writing it will say why not
	}
	return unmarshalTOML(file, read.Data, new(map[string]any))
}

// Plan implements Kind.
func (k buildkit) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	p := &Plan{Engine: e, Way: way(e, o)}
	switch {
	case p.Way != Mirror:
		return nil, noWay(e, p.Way)
	case e.ID != buildkitRootless && !m.Facts().Root:
		return nil, needsRoot(m, e)
	}
	file, _ := k.file(m, e.ID)
	if err := checkTOML(m, file); err != nil {
		return nil, err
	}
	p.Files = []File{{Path: file, Mode: 0o644, Edit: buildkitEdit(reachOf(e, to, o), to, o)}}
	p.How = k.Activation(ctx, m, e, p.changing(m))
	p.Manual = byHand(p.How)
	p.Warn = searchWarning(o, "BuildKit")
	if e.ID == buildkitRootless {
		p.Warn = append(p.Warn, "where RootlessKit gives it a network of its own, it cannot reach "+reachOf(e, to, o)+" and pulls from the origin")
	}
	return p, nil
}

func searchWarning(o Options, name string) []string {
	if len(o.Search) == 0 {
		return nil
	}
	return []string{name + " looks for names without a registry nowhere but at Docker Hub: the search order is left out"}
}

// Up implements Kind.
func (k buildkit) Up(ctx context.Context, m machine.Machine, e Engine) error {
	_, socket := k.file(m, e.ID)
	return dialBriefly(ctx, m, socket)
}

// Activation implements Kind: the file is read at start. What is being built stops, which nobody counts.
func (k buildkit) Activation(_ context.Context, m machine.Machine, e Engine, _ []string) Activation {
	user := e.ID == buildkitRootless
	return restartUnit(m, k.unit(m, user), user, -1)
}

// unit is the service's name: buildkit in its own examples and with nerdctl, buildkitd in some packages.
func (buildkit) unit(m machine.Machine, user bool) string {
	dirs := []string{"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
	if user {
		dirs = append([]string{path.Join(configHome(m), "systemd/user")}, "/usr/lib/systemd/user", "/etc/systemd/user")
	}
	for _, dir := range dirs {
		if _, err := m.Stat(path.Join(dir, "buildkitd.service")); err == nil {
			return "buildkitd"
		}
	}
	return "buildkit"
}

// Pull implements Kind.
func (k buildkit) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	_, socket := k.file(m, e.ID)
	return buildkitPull(ctx, m, []string{"buildctl", "--addr", "unix://" + socket}, image)
}

// buildkitPull builds an image as it is. buildctl takes what is to be built as protocol buffers from its standard input
// (https://github.com/moby/buildkit/blob/master/solver/pb/ops.proto): here one source, and the end that it goes to. Without
// somewhere to put the result it would fetch no layer.
func buildkitPull(ctx context.Context, m machine.Machine, buildctl []string, image string) error {
	source := message(3, message(1, []byte("docker-image://"+image)))
	sum := sha256.Sum256(source)
	end := message(1, message(1, []byte("sha256:"+hex.EncodeToString(sum[:]))))
	_, err := m.Run(ctx, machine.Command{
		Args:  slices.Concat(buildctl, []string{"build", "--no-cache", "--progress=plain", "--output", "type=tar,dest=/dev/null"}),
		Stdin: append(message(1, source), message(1, end)...),
	})
	return err
}

// message is one field of a protocol buffer that has a length: text, or another message.
func message(number uint64, content []byte) []byte {
	b := binary.AppendUvarint(nil, number<<3|2)
	return append(binary.AppendUvarint(b, uint64(len(content))), content...)
}
