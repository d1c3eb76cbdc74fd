package main

import (
	"fmt"

	"github.com/distribution/reference"
	"github.com/spf13/cobra"

	"pulley/internal/control"
	"pulley/internal/docker/login"
)

// dockerHub is what Docker Hub is called in docker's configuration.
const dockerHub = login.Hub

// fullName is an image's name in full, or as it is if it is none.
func fullName(image string) string {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return image
	}
	return named.String()
}

// logins are the person's own for these images; what is wrong with them is told on stderr.
func logins(cmd *cobra.Command, images []string) map[string]control.Secret {
	found, warnings := login.For(cmd.Context(), images)
	for _, warning := range warnings {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "pulley: "+warning)
	}
	return found
}
