package imagelist

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"go.yaml.in/yaml/v4"
)

// At names the images of a file or folder that a person points at without saying what it is, as by dropping it on a window.
// A Dockerfile is known by its name, and what is YAML or JSON by what is in it: apiVersion and kind make a Kubernetes
// manifest, services or include a Compose file. A folder is the Compose project in it, else the Dockerfile, else the
// manifests.
//
// Variables are those of this process and the project's .env. Errors are those of Compose, DockerfileAt and KubeAt.
func At(ctx context.Context, path string) ([]Image, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, failed(path, err)
	}
	if info.IsDir() {
		return folder(ctx, path)
	}
	if isDockerfile(filepath.Base(path)) {
		return DockerfileAt(path, Build{})
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	docs, err := documents(data, path)
	if err != nil {
		return nil, unknown(path)
	}
	switch {
	case has(docs, "apiVersion", "kind"):
		return KubeAt(path)
	case has(docs, "services"), has(docs, "include"):
		return Compose(ctx, Project{Paths: []string{path}, Env: os.Environ()})
	}
	return nil, unknown(path)
}

func unknown(path string) FileError {
	return FileError{File: path, Text: "neither a Compose file, nor a Dockerfile, nor a Kubernetes manifest"}
}

func folder(ctx context.Context, path string) ([]Image, error) {
	if first(path, cli.DefaultFileNames) != "" {
		return Compose(ctx, Project{Paths: []string{path}, Env: os.Environ()})
	}
	if file := first(path, []string{"Dockerfile", "Containerfile"}); file != "" {
		return DockerfileAt(file, Build{})
	}
	return KubeAt(path)
}

// isDockerfile knows the names that docker build, Buildx and Podman take or propose: Dockerfile, Dockerfile.dev,
// dev.Dockerfile, Containerfile.
func isDockerfile(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"dockerfile", "containerfile"} {
		if name == word || strings.HasPrefix(name, word+".") || strings.HasSuffix(name, "."+word) {
			return true
		}
	}
	return false
}

// has tells whether one of the documents is a mapping with all these keys.
func has(docs []*yaml.Node, keys ...string) bool {
	for _, doc := range docs {
		n := doc
		if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
			n = n.Content[0]
		}
		if n.Kind != yaml.MappingNode {
			continue
		}
		found := 0
		for _, key := range keys {
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == key {
					found++
					break
				}
			}
		}
		if found == len(keys) {
			return true
		}
	}
	return false
}
