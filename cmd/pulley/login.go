package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/distribution/reference"
	dockerconfig "github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/spf13/cobra"

	"pulley/internal/control"
)

// dockerHub is what Docker Hub is called in docker's configuration, for historical reasons.
const dockerHub = "https://index.docker.io/v1/"

// helperLimit is how long a credential helper may take: it may ask the person to unlock a key ring.
const helperLimit = 20 * time.Second

// fullName is an image's name in full, or as it is if it is none.
func fullName(image string) string {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return image
	}
	return named.String()
}

// credentials are the person's own for the registries of these images, from docker's configuration. Where that has none,
// or cannot be read, the registry is asked without; the warnings say so, and hold nothing that a helper said.
func credentials(ctx context.Context, images []string) (found map[string]control.Secret, warnings []string) {
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
		secret, ok := login(ctx, file, host)
		switch {
		case !ok:
			warnings = append(warnings, fmt.Sprintf("%s: docker's credential helper fails: asked without your login; try: docker login %s", host, host))
		case secret != "":
			found[host] = secret
		}
	}
	return found, warnings
}

// logins are the person's own for these images; what is wrong with them is told on stderr.
func logins(cmd *cobra.Command, images []string) map[string]control.Secret {
	found, warnings := credentials(cmd.Context(), images)
	for _, warning := range warnings {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "pulley: "+warning)
	}
	return found
}

// login asks docker's configuration for one host. A helper is a program that cannot be told to hurry: it is left behind
// when it takes too long.
func login(ctx context.Context, file *configfile.ConfigFile, host string) (control.Secret, bool) {
	key := host
	if host == hub {
		key = dockerHub
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
