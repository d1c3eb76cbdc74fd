package wiring

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// process is a program that runs.
type process struct {
	pid, uid int
	args     []string // at least one
	nested   bool     // in a namespace of processes of its own: a container's
}

// processes are those that a person may see. There is /proc on Linux alone.
func processes(m machine.Machine) (list []process) {
	names, err := m.List("/proc")
	if err != nil {
		return nil
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		line, err := m.ReadFile("/proc/" + name + "/cmdline")
		args := strings.Split(strings.TrimRight(string(line.Data), "\x00"), "\x00")
		if err != nil || args[0] == "" {
			continue
		}
		if base := path.Base(args[0]); base != "dockerd" && base != "docker" && base != "docker-current" && base != "dockerd-current" && base != "rootlesskit" {
			continue
		}
		p := process{pid: pid, uid: -1, args: args}
		status, err := m.ReadFile("/proc/" + name + "/status")
		if err != nil {
			continue
		}
		for l := range strings.Lines(string(status.Data)) {
			key, rest, _ := strings.Cut(l, ":")
			words := strings.Fields(rest)
			switch {
			case key == "Uid" && len(words) > 1:
				p.uid, _ = strconv.Atoi(words[1])
			case key == "NSpid":
				p.nested = len(words) > 1
			}
		}
		list = append(list, p)
	}
	return list
}

// isDockerd says that a process is an engine, in the ways in which it was started over the years.
func (p process) isDockerd() bool {
	switch path.Base(p.args[0]) {
	case "dockerd", "dockerd-current":
		return true
	case "docker", "docker-current": // before 1.12
		return len(p.args) > 1 && (p.args[1] == "daemon" || p.args[1] == "-d")
	}
	return false
}

// places are the engines of the machine: those that run, and root's where one is installed.
func (k dockerd) places(ctx context.Context, m machine.Machine) (list []dockerPlace) {
	me := m.Facts()
	usual := k.socket(m)
	for _, p := range processes(m) {
		if p.nested || !p.isDockerd() {
			continue
		}
		at := dockerPlace{pid: p.pid, program: p.args[0], flags: p.args[1:], from: "the command line of process " + strconv.Itoa(p.pid)}
		at.user = p.uid > 0 || slices.Contains(at.flags, "--rootless") || slices.Contains(at.flags, "--rootless=true")
		if at.user && (p.uid != me.UID && p.uid != 0 || me.Root) {
			continue // somebody else's own
		}
		k.fill(m, &at)
		list = append(list, at)
	}
	slices.SortStableFunc(list, func(a, b dockerPlace) int { // the one that docker itself talks to first
		return rank(a, usual) - rank(b, usual)
	})
	root, own := false, false
	for i := range list {
		at := &list[i]
		switch {
		case at.user && !own:
			at.id, own = dockerRootless, true
		case !at.user && !root:
			at.id, root = dockerID, true
		default:
			at.id = dockerID + ":" + at.socket
		}
	}
	if root {
		return list
	}
	at := dockerPlace{id: dockerID, program: "dockerd"}
	if _, err := runBriefly(ctx, m, at.program, "--version"); err != nil {
		return list
	}
	at.flags, at.from = k.startFlags(m)
	k.fill(m, &at)
	return append(list, at)
}

func rank(at dockerPlace, usual string) int {
	switch at.socket {
	case usual:
		return 0
	case dockerSocket, dockerSocketReal:
		return 1
	}
	return 2
}

func (k dockerd) place(ctx context.Context, m machine.Machine, id string) (dockerPlace, bool) {
	list := k.places(ctx, m)
	i := slices.IndexFunc(list, func(at dockerPlace) bool { return at.id == id })
	if i < 0 {
		return dockerPlace{}, false
	}
	return list[i], true
}

// socket is where the docker command looks: DOCKER_HOST goes before the usual place.
func (dockerd) socket(m machine.Machine) string {
	if name, ok := strings.CutPrefix(m.Getenv("DOCKER_HOST"), "unix://"); ok {
		return name
	}
	return dockerSocket
}

// fill finds the settings, the socket and the unit of an engine whose flags are known.
func (k dockerd) fill(m machine.Machine, at *dockerPlace) {
	at.config = "/etc/docker/daemon.json"
	at.socket = dockerSocket
	if at.user {
		at.config = path.Join(configHome(m), "docker/daemon.json")
		at.socket = path.Join(runtimeDir(m), "docker.sock")
	}
	if files := at.values("config-file"); len(files) > 0 {
		at.config = files[len(files)-1]
	}
	hosts := slices.Concat(at.values("host"), at.values("H"))
	if read, err := m.ReadFile(at.config); err == nil {
		hosts = append(hosts, listAt(edit.JSON, read.Data, "hosts")...)
	}
	for _, h := range hosts {
		if name, ok := strings.CutPrefix(h, "unix://"); ok && name != "" {
			at.socket = name
			break
		}
	}
	if at.pid == 0 {
		return
	}
	proc := "/proc/" + strconv.Itoa(at.pid)
	if read, err := m.ReadFile(proc + "/environ"); err == nil {
		at.environ = strings.Split(strings.TrimRight(string(read.Data), "\x00"), "\x00")
	}
	// Its own service: a person's is below user@1000.service, and one that was started by hand in whoever started it, which may
	// be a runner of builds that nobody wants restarted.
	if read, err := m.ReadFile(proc + "/cgroup"); err == nil {
		for line := range strings.Lines(string(read.Data)) {
			for _, part := range strings.Split(strings.TrimSpace(line), "/") {
				if strings.HasSuffix(part, ".service") && strings.Contains(part, "docker") {
					at.unit = part
				}
			}
		}
	}
}

// values are those of a flag, in all the ways in which flags are written.
func (at dockerPlace) values(flag string) (list []string) {
	dashes := "--"
	if len(flag) == 1 {
		dashes = "-"
	}
	for i, arg := range at.flags {
		switch value, ok := strings.CutPrefix(arg, dashes+flag); {
		case !ok:
		case value == "" && i+1 < len(at.flags):
			list = append(list, at.flags[i+1])
		case strings.HasPrefix(value, "="):
			list = append(list, value[1:])
		case value != "" && dashes == "-":
			list = append(list, value) // -Hunix://…
		}
	}
	return list
}

// startFlags are those that an engine which does not run will be started with, as far as files say so: of systemd the last
// ExecStart counts, with what the settings of old init scripts add.
func (k dockerd) startFlags(m machine.Machine) (flags []string, from string) {
	units := []string{firstThere(m, "/etc/systemd/system/docker.service", "/usr/lib/systemd/system/docker.service", "/lib/systemd/system/docker.service")}
	units = append(units, confs(m, "/etc/systemd/system/docker.service.d")...)
	for _, name := range slices.Concat(units, []string{"/etc/default/docker", "/etc/sysconfig/docker"}) {
		read, err := m.ReadFile(name)
		if name == "" || err != nil {
			continue
		}
		for line := range strings.Lines(string(read.Data)) {
			key, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
			switch key {
			case "ExecStart":
				flags = nil
			case "DOCKER_OPTS", "OPTIONS", "other_args":
			default:
				continue
			}
			for _, word := range strings.Fields(value) {
				flags = append(flags, strings.Trim(word, `"'`))
			}
			from = name
		}
	}
	return flags, from
}
