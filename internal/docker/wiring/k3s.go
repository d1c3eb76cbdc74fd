package wiring

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"pulley/internal/docker/machine"
)

// k3sRegistries is what k3s makes its containerd's hosts.toml files from when it starts
// (https://docs.k3s.io/installation/private-registry). It falls back to the origin.
const k3sRegistries = "/etc/rancher/k3s/registries.yaml"

// k3sPlan is that file. One that somebody wrote is left to them: it is YAML, with comments, and only k3s knows what counts.
func k3sPlan(in machine.Machine, reach string, to Target, o Options) (File, error) {
	f, err := in.ReadFile(k3sRegistries)
	switch {
	case err == nil && !isOurs(f.Data) && strings.TrimSpace(string(f.Data)) != "":
		return File{}, fmt.Errorf("%s is somebody's own; put this first in the endpoints of each of its mirrors, and restart the node: %s",
			k3sRegistries, quote(mirrorURL(reach)))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return File{}, err
	}
	var b strings.Builder
	b.WriteString(ownLine + "mirrors:\n")
	insecure := slices.Clone(o.Insecure)
	for _, r := range to.Registries {
		for _, name := range clientNames(r) {
			fmt.Fprintf(&b, "  %s:\n    endpoint:\n      - %s\n", quote(name), quote(mirrorURL(reach)))
			if i := slices.Index(insecure, name); i >= 0 {
				insecure = slices.Delete(insecure, i, i+1)
				fmt.Fprintf(&b, "      - %s\n", quote("http://"+name))
			}
		}
	}
	for _, name := range insecure {
		fmt.Fprintf(&b, "  %s:\n    endpoint:\n      - %s\n", quote(name), quote("http://"+name))
	}
	return File{Path: k3sRegistries, Mode: 0o600, Edit: whole(b.String())}, nil
}

// k3sWired says where Docker Hub is looked for.
func k3sWired(where, reach string, text []byte) Wired {
	var to []string
	hub := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutSuffix(line, ":"); ok && name != "endpoint" {
			name = strings.Trim(name, `"'`)
			hub = name == "docker.io" || name == "*"
		}
		if at, ok := strings.CutPrefix(line, "- "); ok && hub {
			to = append(to, strings.Trim(strings.TrimSpace(at), `"'`))
		}
	}
	return wiredTo(reach, where, isOurs(text), to...)
}
