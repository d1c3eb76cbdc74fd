package wiring

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf16"

	"pulley/internal/docker/machine"
)

// wsl is Docker inside of a Linux distribution of Windows (WSL 2), an engine for each that runs and has a dockerd of its own;
// those that do not run are not started to look. Whether it reaches what listens on Windows's loopback depends on
// networkingMode in .wslconfig: mirrored does, NAT, the default, does not
// (https://learn.microsoft.com/windows/wsl/networking).
type wsl struct{}

// wslOthers are distributions that belong to programs which have a kind of their own here.
var wslOthers = []string{"docker-desktop", "docker-desktop-data", "rancher-desktop", "rancher-desktop-data"}

func (wsl) name(e Engine) string { return strings.TrimPrefix(e.ID, "wsl:") }

func (k wsl) vm(name string) vm {
	root := []string{"wsl.exe", "--distribution", name, "--user", "root", "--exec"}
	return vm{
		shell: root, root: root, daemon: "/etc/docker/daemon.json",
		reload: slices.Concat(root, []string{"pkill", "-HUP", "-x", "dockerd"}),
	}
}

// mirrored says that distributions have Windows's own network.
func (wsl) mirrored(m machine.Machine) bool {
	read, err := m.ReadFile(below(m, m.Facts().Home, ".wslconfig"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(read.Data)) {
		key, v, ok := strings.Cut(line, "=")
		if ok && strings.EqualFold(strings.TrimSpace(key), "networkingMode") && strings.EqualFold(strings.TrimSpace(v), "mirrored") {
			return true
		}
	}
	return false
}

// Find implements Kind.
func (k wsl) Find(ctx context.Context, m machine.Machine) []Engine {
	if m.Facts().OS != machine.Windows {
		return nil
	}
	out, err := runBriefly(ctx, m, "wsl.exe", "--list", "--running", "--quiet")
	if err != nil {
		return nil
	}
	var found []Engine
	for _, name := range strings.Fields(fromUTF16(out)) {
		if slices.Contains(wslOthers, name) || strings.HasPrefix(name, "podman-") {
			continue
		}
		v := k.vm(name)
		version, err := runBriefly(ctx, m, append(v.root, "dockerd", "--version")...) // "Docker version 27.5.1, build 4c9b3b0"
		if err != nil {
			continue
		}
		e := Engine{ID: "wsl:" + name, Name: "Docker Engine in WSL (" + name + ")", Version: field(version, 2), Running: k.up(ctx, m, name) == nil}
		if k.mirrored(m) {
			e.Reach, e.Ways = loopback, []Way{Mirror}
			e.Notes = []Note{hostLoopback("127.0.0.1")}
		} else {
			e.Ways = []Way{Mirror}
			e.Notes = []Note{{Key: "wsl_nat", Text: "it does not reach what listens on Windows's loopback: put networkingMode=mirrored below [wsl2] in .wslconfig, or have Pulley `listen` elsewhere, with [access], and name that address with --reach"}}
		}
		e.Wired = v.wired(ctx, m)
		found = append(found, e)
	}
	return found
}

// fromUTF16 reads what wsl.exe says of itself, which is UTF-16 unless WSL_UTF8 is set.
func fromUTF16(s string) string {
	if !strings.Contains(s, "\x00") {
		return s
	}
	b := []byte(strings.TrimPrefix(s, "\xff\xfe"))
	if len(b)%2 == 1 {
		b = append(b, 0) // its last half went with the white space
	}
	var units []uint16
	for len(b) > 1 {
		units, b = append(units, binary.LittleEndian.Uint16(b)), b[2:]
	}
	return string(utf16.Decode(units))
}

// Plan implements Kind.
func (k wsl) Plan(_ context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	if e.Reach == "" && o.Reach == "" {
		e.Ways = nil
		return nil, noWay(e, Mirror)
	}
	return k.vm(k.name(e)).plan(m, e, to, o)
}

func (k wsl) up(ctx context.Context, m machine.Machine, name string) error {
	_, err := runBriefly(ctx, m, append(k.vm(name).root, "docker", "version", "--format", "{{.Server.Version}}")...)
	return err
}

// Up implements Kind.
func (k wsl) Up(ctx context.Context, m machine.Machine, e Engine) error {
	return k.up(ctx, m, k.name(e))
}

// Activation implements Kind.
func (k wsl) Activation(_ context.Context, _ machine.Machine, e Engine, _ []string) Activation {
	return k.vm(k.name(e)).activation()
}

// Pull implements Kind.
func (k wsl) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	run := func(args ...string) error {
		_, err := m.Run(ctx, machine.Command{Args: slices.Concat(k.vm(k.name(e)).root, []string{"docker"}, args)})
		return err
	}
	there := run("image", "inspect", "--format", "{{.Id}}", image)
	if err := run("pull", "--quiet", image); err != nil || there == nil {
		return err
	}
	return run("rmi", image)
}

// mirrors are those that an engine goes by: its socket is in the distribution, so docker there is asked.
func (k wsl) mirrors(m machine.Machine, e Engine) mirrorsOf {
	return func(ctx context.Context) (list []string, err error) {
		out, err := runBriefly(ctx, m, append(k.vm(k.name(e)).root, "docker", "info", "--format", "{{json .RegistryConfig.Mirrors}}")...)
		if err != nil {
			return nil, err
		}
		return list, json.Unmarshal([]byte(out), &list)
	}
}

// Taken says whether a running engine goes by what a plan wrote.
func (k wsl) Taken(ctx context.Context, m machine.Machine, p *Plan) error {
	return k.mirrors(m, p.Engine).takes(ctx, p)
}

// Ease has its dockerd let go of a mirror.
func (k wsl) Ease(ctx context.Context, m machine.Machine, u *Undo) error {
	return easeDocker(ctx, m, u, k.vm(k.name(u.Engine)).daemon, k.mirrors(m, u.Engine))
}
