package context

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	dockercontext "github.com/docker/cli/cli/context"
	"github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/opts"
)

// A Winner is the context that docker uses, and why that one.
type Winner struct {
	Name  string `json:"name"`
	Why   string `json:"why"` // "--context", "DOCKER_HOST", "DOCKER_CONTEXT", "currentContext", or "nothing else is set"
	Host  string `json:"host"`
	Error string `json:"error,omitempty"` // it does not exist, or cannot be read
}

// Winner follows docker's own order: --context, DOCKER_HOST, DOCKER_CONTEXT, currentContext in config.json, the default
// (docker/cli, cli/command, resolveContextName). flag is what --context says, or "".
func (b *Book) Winner(flag string) (Winner, error) {
	w := Winner{Name: Default, Why: "nothing else is set"}
	named, host := b.env("DOCKER_CONTEXT"), b.env("DOCKER_HOST")
	switch {
	case flag != "":
		w.Name, w.Why = flag, "--context"
	case host != "":
		w.Why = "DOCKER_HOST"
	case named != "":
		w.Name, w.Why = named, "DOCKER_CONTEXT"
	default:
		current, err := b.current()
		if err != nil {
			return Winner{}, err
		}
		if current != "" {
			w.Name, w.Why = current, "currentContext"
		}
	}
	e, err := b.Get(w.Name)
	switch {
	case errors.Is(err, ErrNotFound):
		w.Error = fmt.Sprintf("no such context, but %s names it; try: %s", w.Why, w.cure())
	case err != nil:
		w.Error = err.Error()
	default:
		w.Host, w.Error = e.Host, e.Error
	}
	return w, nil
}

// cure is how to be rid of a winner that does not exist.
func (w Winner) cure() string {
	switch w.Why {
	case "DOCKER_CONTEXT":
		return Unset(w.Why)
	case "currentContext":
		return "pulley context use " + Default
	}
	return "pulley context ls"
}

// Overriding are the variables of the environment because of which another context wins than the one that `use` has
// chosen. They are to be unset together.
func (b *Book) Overriding(name string) (variables []string) {
	if b.env("DOCKER_HOST") != "" && name != Default {
		variables = append(variables, "DOCKER_HOST")
	}
	if v := b.env("DOCKER_CONTEXT"); v != "" && v != name {
		variables = append(variables, "DOCKER_CONTEXT")
	}
	return variables
}

// standardEndpoint is the default context's, as docker makes it: DOCKER_HOST, and the files in DOCKER_CERT_PATH where
// DOCKER_TLS or DOCKER_TLS_VERIFY is set to anything (docker/cli, cli/flags).
func (b *Book) standardEndpoint() (docker.Endpoint, error) {
	var ep docker.Endpoint
	verify := b.env("DOCKER_TLS_VERIFY") != ""
	tls := verify || b.env("DOCKER_TLS") != ""
	host, err := opts.ParseHost(tls, b.env("DOCKER_HOST"))
	ep.Host = host
	if err != nil {
		return ep, errors.New("DOCKER_HOST is no address of an engine; try: " + Unset("DOCKER_HOST"))
	}
	if !tls {
		return ep, nil
	}
	ep.SkipTLSVerify = !verify
	dir := b.env("DOCKER_CERT_PATH")
	if dir == "" {
		dir = b.dir
	}
	file := func(name string) string { // docker does without these two
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return ""
		}
		return path
	}
	ep.TLSData, err = dockercontext.TLSDataFromFiles(filepath.Join(dir, "ca.pem"), file("cert.pem"), file("key.pem"))
	if err != nil {
		return ep, fmt.Errorf("the files for DOCKER_TLS_VERIFY: %w; set DOCKER_CERT_PATH to their folder", err)
	}
	return ep, nil
}
