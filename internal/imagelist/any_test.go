package imagelist_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulley/internal/imagelist"
)

func TestAt(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string // the first argument is the file called path, or the folder if there is none
		path  string
		want  string
		fails string
	}{
		{name: "a compose file", path: "stack.yml", files: map[string]string{"stack.yml": "services: {db: {image: mysql:9}, web: {image: nginx}}"}, want: "mysql:9 nginx"},
		{name: "with its .env", path: "compose.yaml", files: map[string]string{"compose.yaml": "services: {db: {image: 'mysql:${V}'}}", ".env": "V=9.1\n"}, want: "mysql:9.1"},
		{name: "with an include alone", path: "c.yaml", files: map[string]string{"c.yaml": "include: [other.yaml]", "other.yaml": "services: {db: {image: mysql:9}}"}, want: "mysql:9"},
		{name: "a Dockerfile", path: "Dockerfile", files: map[string]string{"Dockerfile": "FROM debian:12\n"}, want: "debian:12"},
		{name: "Dockerfile.dev", path: "Dockerfile.dev", files: map[string]string{"Dockerfile.dev": "FROM debian:12\n"}, want: "debian:12"},
		{name: "api.dockerfile", path: "api.dockerfile", files: map[string]string{"api.dockerfile": "FROM debian:12\n"}, want: "debian:12"},
		{name: "a Containerfile", path: "Containerfile", files: map[string]string{"Containerfile": "FROM debian:12\n"}, want: "debian:12"},
		{name: "a manifest", path: "pod.yaml", files: map[string]string{"pod.yaml": "# a pod\n---\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: redis:7}]}\n"}, want: "redis:7"},
		{name: "a manifest in JSON", path: "pod.json", files: map[string]string{"pod.json": `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"redis:7"}]}}`}, want: "redis:7"},
		{name: "a project's folder", files: map[string]string{"compose.yaml": "services: {db: {image: mysql:9}}", "Dockerfile": "FROM debian:12\n"}, want: "mysql:9"},
		{name: "a folder with a Dockerfile", files: map[string]string{"Dockerfile": "FROM debian:12\n"}, want: "debian:12"},
		{name: "a folder of manifests", files: map[string]string{"a.yaml": "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: redis:7}]}\n"}, want: "redis:7"},
		{name: "a text", path: "notes.txt", files: map[string]string{"notes.txt": "buy milk"}, fails: "neither a Compose file"},
		{name: "other YAML", path: "ci.yaml", files: map[string]string{"ci.yaml": "jobs: {a: {}}"}, fails: "neither a Compose file"},
		{name: "a picture", path: "a.png", files: map[string]string{"a.png": "\x89PNG\r\n\x1a\n\x00\x00"}, fails: "neither a Compose file"},
		{name: "nothing", path: "gone.yaml", fails: "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			images, err := imagelist.At(t.Context(), filepath.Join(dir, c.path))
			var names []string
			for _, i := range images {
				names = append(names, i.Name)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			var file imagelist.FileError
			switch {
			case c.fails == "" && err != nil:
				t.Error(err)
			case c.fails != "" && (!errors.As(err, &file) || !strings.Contains(err.Error(), c.fails)):
				t.Errorf("%v, want that it says %q", err, c.fails)
			}
		})
	}
}
