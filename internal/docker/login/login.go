// Package login finds a person's own logins for registries, as docker keeps them: in config.json and in credential helpers.
// They are read when they are needed and kept nowhere. It must not know what they are for.
package login

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/distribution/reference"
	dockerconfig "github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"

	"pulley/internal/control"
)

const (
	hub = "docker.io"

	// Hub is what Docker Hub is called in docker's configuration, for historical reasons.
	Hub = "https://index.docker.io/v1/"
)

// helperLimit is how long a credential helper may take: it may ask the person to unlock a key ring.
const helperLimit = 20 * time.Second

// For are the person's own logins for the registries of these images, by the host of their names. Where there are none, or
// they cannot be read, the registry is asked without; the warnings say so, a line each, and hold nothing that a helper said.
func For(ctx context.Context, images []string) (found map[string]control.Secret, warnings []string) {
	file, err := dockerconfig.Load("")
	if err != nil {
		return nil, []string{dockerconfig.Dir() + ": docker's config.json cannot be read: registries are asked without your logins"}
	}
	found = map[string]control.Secret{}
	asked := map[string]bool{}
	for _, image := range images {
		named, err := reference.ParseDockerRef(image)
		if err != nil {
			continue
		}
		host := reference.Domain(named)
		if asked[host] || strings.HasPrefix(image, control.Local+"/") {
			continue
		}
		asked[host] = true
		secret, ok := of(ctx, file, host)
		switch {
		case !ok:
			warnings = append(warnings, fmt.Sprintf("%s: docker's credential helper fails: asked without your login; try: docker login %s", host, host))
		case secret != "":
			found[host] = secret
		}
	}
	return found, warnings
}

// One is the person's own login for the registry at one host: empty where there is none, false where that cannot be told.
func One(ctx context.Context, host string) (control.Secret, bool) {
	file, err := dockerconfig.Load("")
	if err != nil {
		return "", false
	}
	return of(ctx, file, host)
}

// of asks docker's configuration for one host. A helper is a program that cannot be told to hurry: it is left behind when it
// takes too long.
func of(ctx context.Context, file *configfile.ConfigFile, host string) (control.Secret, bool) {
	key := host
	if host == hub {
		key = Hub
	}
	type answer struct {
		secret control.Secret
		ok     bool
	}
	answered := make(chan answer, 1)
	go func() {
		auth, err := file.GetAuthConfig(key)
		switch {
		case err != nil:
			answered <- answer{}
		case auth.IdentityToken != "":
			answered <- answer{control.Secret("Refresh " + auth.IdentityToken), true}
		case auth.RegistryToken != "":
			answered <- answer{control.Secret("Bearer " + auth.RegistryToken), true}
		case auth.Username != "" && auth.Password != "":
			answered <- answer{control.Secret("Basic " + base64.StdEncoding.EncodeToString([]byte(auth.Username+":"+auth.Password))), true}
		default:
			answered <- answer{"", true}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, helperLimit)
	defer cancel()
	select {
	case a := <-answered:
		return a.secret, a.ok
	case <-ctx.Done():
		return "", false
	}
}
