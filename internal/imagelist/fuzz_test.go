package imagelist

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distribution/reference"
)

// check is what holds for any input: names that parse, errors of one line that name the file.
func check(t *testing.T, images []Image, err error) {
	t.Helper()
	for _, i := range images {
		if _, err := reference.ParseNormalizedNamed(i.Name); err != nil || i.Line < 0 || i.File == "" {
			t.Errorf("%+v: %v", i, err)
		}
		if p, err := parsePlatform(i.Platform); i.Platform != "" && (err != nil || p.String() != i.Platform) {
			t.Errorf("platform %q: %v", i.Platform, err)
		}
	}
	if err == nil {
		return
	}
	if s := err.Error(); s == "" || strings.ContainsAny(s, "\n\r\x00\x01\x02\x1b") {
		t.Errorf("error %q", s)
	}
	_, a := errors.AsType[FileError](err)
	_, b := errors.AsType[*UnresolvedError](err)
	if !a && !b || images != nil && !b {
		t.Errorf("a %T beside %d images", err, len(images))
	}
}

func FuzzDockerfile(f *testing.F) {
	f.Add("# syntax=docker/dockerfile:1\nARG V=1\nFROM --platform=$BUILDPLATFORM a:${V%.*} AS b\nCOPY --from=c / /\nRUN --mount=from=d,type=cache <<EOF\nx\nEOF\n", "V", "2", "b")
	f.Add("\ufeff# escape=`\r\nFROM a `\r\n as b\r\nONBUILD RUN x\r\n", "", "", "")
	f.Add("ARG A=${B:-${C}}\nFROM ${A/x/y}\n", "B", "", "0")
	f.Fuzz(func(t *testing.T, file, key, value, target string) {
		images, err := Dockerfile(strings.NewReader(file), Build{File: "f", Args: map[string]string{key: value}, Target: target})
		check(t, images, err)
	})
}

func FuzzKube(f *testing.F) {
	f.Add("a: &a {image: x}\nspec: {containers: [*a, {<<: *a}], volumes: [{image: {reference: y}}]}\n---\n- {{ x }}\n")
	f.Add("{\"containers\": [{\"image\": \"a\\u0041\"}]} [1, null, \"\\ud83d\"]")
	f.Add("kind: Kustomization\nimages: [{name: a}]\n")
	f.Fuzz(func(t *testing.T, file string) {
		images, err := Kube(strings.NewReader(file), "f")
		check(t, images, err)
	})
}

func FuzzCompose(f *testing.F) {
	f.Add("services:\n  a: &a {image: 'x:${V:-1}', platform: linux/amd64, profiles: [p]}\n  b: {<<: *a, extends: a, pull_policy: always}\n", "V=2")
	f.Add("include: [{path: [o.yaml], env_file: e}]\nservices: {a: {build: {dockerfile_inline: 'FROM a', args: [A=1, B], additional_contexts: {x: y}}, volumes: [{type: image, source: s}]}}\n", "")
	f.Add("services: {a: {extends: {file: o.yaml, service: o}, ports: ['${P}:80'], pre_start: [{image: i}]}}\n---\nservices: {a: !reset null, b: !override {image: c}}\n", "A='x'\n#")
	dir := f.TempDir()
	for name, text := range map[string]string{"o.yaml": "services: {o: {image: o}}\n", "Dockerfile": "FROM d\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, file, env string) {
		p := filepath.Join(t.TempDir(), "env")
		if err := os.WriteFile(p, []byte(env), 0o600); err != nil {
			t.Fatal(err)
		}
		images, err := Compose(t.Context(), Project{Paths: []string{"-"}, Stdin: strings.NewReader(file), Dir: dir, EnvFiles: []string{p}})
		check(t, images, err)
	})
}
