package imagelist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lines is a result for comparing: "12 name platform" per image, "12! text" per problem.
func lines(t *testing.T, images []Image, err error) string {
	t.Helper()
	var b strings.Builder
	for _, i := range images {
		fmt.Fprintln(&b, strings.TrimSpace(fmt.Sprintf("%d %s %s", i.Line, i.Name, i.Platform)))
	}
	if u, ok := errors.AsType[*UnresolvedError](err); ok {
		for _, p := range u.Problems {
			fmt.Fprintf(&b, "%d! %s\n", p.Line, p.Text)
		}
	} else if err != nil {
		fmt.Fprintf(&b, "error: %s\n", err)
	}
	return b.String()
}

func TestDockerfile(t *testing.T) {
	here := machine().String()
	for _, c := range []struct {
		name, file string
		build      Build
		want       string
	}{
		{name: "one stage", file: "FROM alpine:3.20\nRUN apk add curl\n", want: "1 alpine:3.20"},
		{
			name: "multi-stage with a cross compiler", file: `# syntax=docker/dockerfile:1.7
ARG GO_VERSION=1.23
ARG ALPINE
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS build
ARG TARGETOS TARGETARCH
RUN --mount=type=bind,from=tonistiigi/xx:1.5.0,source=/,target=/xx \
    --mount=type=cache,target=/root/.cache \
    --mount=type=secret,id=npm \
    GOOS=$TARGETOS go build -o /app
FROM build AS test
RUN go test ./...
FROM gcr.io/distroless/static:nonroot
COPY --from=build /app /app
COPY --from=0 /app /app2
COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/
`, want: "1 docker/dockerfile:1.7 " + here + "\n4 golang:1.23-alpine " + here + "\n6 tonistiigi/xx:1.5.0\n12 gcr.io/distroless/static:nonroot\n15 ghcr.io/astral-sh/uv:0.5",
		},
		{
			name: "given arguments win", file: "ARG V=1\nARG BASE=python:${V}-slim\nFROM ${BASE}\n",
			build: Build{Args: map[string]string{"V": "3.12"}}, want: "3 python:3.12-slim",
		},
		{
			name: "an argument without a value", file: "FROM busybox AS tools\nARG LATE=1\nFROM node:${LATE}\nCOPY --from=tools /x /x\n",
			want: "1 busybox\n3! FROM node:${LATE}: LATE is not declared before the first FROM; write ARG LATE=… there",
		},
		{
			name: "a declared argument without a value", file: "ARG TAG\nFROM node:${TAG}\n",
			want: "2! FROM node:${TAG}: ARG TAG has no value; pass --build-arg TAG=…",
		},
		{
			name: "an argument behind an argument", file: "ARG TAG\nARG BASE=node:$TAG\nFROM $BASE\n",
			want: "3! FROM $BASE: ARG TAG has no value; pass --build-arg TAG=…",
		},
		{
			name: "alternatives are values", file: "ARG A\nARG B=\nFROM node:${A:-22}${B}\nFROM nginx:${A:-${X:-1}}\nCOPY --from=0 / /\nFROM redis:${Z:+7}\nFROM a${A-b}\nCOPY --from=1 / /\n",
			want: "3 node:22\n4 nginx:1\n7 ab",
		},
		{
			name: "an alternative that is not needed may lack its value", file: "ARG A=1\nFROM node:${A:-$NOWHERE}\n", want: "2 node:1",
		},
		{
			name: "a required argument", file: "ARG TAG\nFROM node:${TAG:?which}\n",
			want: "2! FROM node:${TAG:?which}: failed to process \"node:${TAG:?which}\": TAG: which",
		},
		{
			name: "pattern removal", file: "ARG V=v1.2.3\nFROM app:${V#v}\nFROM app:${V%.*}\nCOPY --from=0 / /\n", want: "2 app:1.2.3\n3 app:v1.2",
		},
		{
			name: "only what the target needs", build: Build{Target: "Dev"},
			file: "FROM a AS base\nFROM b AS dev\nCOPY --from=base / /\nFROM c AS prod\n", want: "1 a\n2 b",
		},
		{
			name: "no such target", build: Build{Target: "x"}, file: "FROM a AS base\nFROM b\n",
			want: `0! no stage is called "x"; there are: base`,
		},
		{
			name: "a problem in a stage nobody needs", build: Build{Target: "a"}, file: "FROM alpine AS a\nFROM ${NOPE} AS b\n", want: "1 alpine",
		},
		{
			name: "platforms", build: Build{Platforms: []string{"linux/arm64/v8", "amd64"}},
			file: "FROM --platform=$BUILDPLATFORM a AS x\nFROM b:$TARGETARCH\nCOPY --from=x / /\nFROM --platform=windows/amd64 c\nCOPY --from=1 / /\n",
			want: "1 a " + here + "\n2 b:arm64 linux/arm64\n4 c windows/amd64\n2 b:amd64 linux/amd64",
		},
		{name: "a bad platform asked for", build: Build{Platforms: []string{"linux/"}}, file: "FROM x\n", want: `error: "linux/" is no platform; as in linux/amd64`},
		{
			name: "a bad platform", file: "FROM --platform=a/b/c/d x\n",
			want: `1! FROM --platform=a/b/c/d: "a/b/c/d" is no platform: os/arch/variant is all there is`,
		},
		{
			name: "scratch is none", file: "FROM scratch\nCOPY --from=scratch / /\nCOPY app /\n", want: "",
		},
		{
			name: "heredocs are no instructions", file: "FROM a\nRUN <<EOF\nFROM b\nCOPY --from=c / /\nEOF\nCOPY <<-X /f\n\tFROM d\n\tX\n", want: "1 a",
		},
		{
			name: "onbuild", file: "FROM a\nONBUILD COPY --from=b / /\nONBUILD RUN --mount=from=c true\n", want: "1 a",
		},
		{
			name: "escape directive and windows paths", file: "# escape=`\r\nFROM mcr.microsoft.com/windows/servercore:ltsc2022 `\r\n  AS build\r\nCOPY a C:\\\r\nFROM build\r\n",
			want: "2 mcr.microsoft.com/windows/servercore:ltsc2022",
		},
		{
			name: "byte order mark, CRLF and comments in between", file: "\ufeff# syntax = docker/dockerfile:1\r\n\r\n# x\r\nfrom \\\r\n# y\r\n  alpine \\\r\n  as b\r\nrun true\r\n",
			want: "1 docker/dockerfile:1 " + here + "\n4 alpine",
		},
		{
			name: "instructions of another frontend", file: "# syntax=example.com/front:1\nINCLUDE x\nFROM a\nFANCY y\n", want: "1 example.com/front:1 " + here + "\n3 a",
		},
		{
			name: "the frontend can be replaced", build: Build{Args: map[string]string{"BUILDKIT_SYNTAX": "docker/dockerfile:1.9"}},
			file: "# syntax=docker/dockerfile:1\nFROM a\n", want: "0 docker/dockerfile:1.9 " + here + "\n2 a",
		},
		{
			name: "named contexts", build: Build{Contexts: map[string]string{"alpine": "docker-image://alpine:3.21@" + digestA, "base": "/src", "lib": "docker-image://x/lib"}},
			file: "FROM ubuntu AS base\nFROM docker.io/library/alpine:latest\nCOPY --from=base / /\nCOPY --from=lib / /\n",
			want: "2 alpine:3.21@" + digestA + "\n4 x/lib",
		},
		{
			name: "the same image twice", file: "FROM nginx\nFROM docker.io/library/nginx:latest\nCOPY --from=0 / /\n", want: "1 nginx",
		},
		{
			name: "digest", file: "FROM alpine:3.20@" + digestA + "\n", want: "1 alpine:3.20@" + digestA,
		},
		{name: "stage number out of range", file: "FROM a\nCOPY --from=3 / /\n", want: "1 a\n2! COPY --from=3: there is no stage 3"},
		{
			name: "variables in COPY --from", file: "FROM a\nARG S=b\nCOPY --from=${S} / /\n",
			want: "1 a\n3! COPY --from=${S}: no variables are possible here; name a stage of its own (FROM ${S} AS …) and take that",
		},
		{name: "stages in a circle", file: "FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nCOPY --from=x / /\n", want: "1 a\n3 b"},
		{name: "not an image name", file: "FROM Foo/Bar\n", want: `1! "Foo/Bar" is no image name: invalid reference format: repository name (Bar) must be lowercase`},
		{name: "empty", file: "", want: "error: Dockerfile: file with no instructions"},
		{name: "no stage", file: "ARG X=1\n", want: "error: Dockerfile: no FROM in it: not a Dockerfile"},
		{name: "another format", file: "# notes\nDear all\n", want: `error: Dockerfile:2: unknown instruction: "Dear"`},
		{name: "before FROM", file: "RUN x\nFROM a\n", want: "error: Dockerfile:1: RUN before the first FROM"},
		{name: "unterminated heredoc", file: "FROM a\nRUN <<EOF\nx\n", want: "error: Dockerfile:2: unterminated heredoc"},
		{name: "three words", file: "FROM a b c\n", want: "error: Dockerfile:1: FROM requires either one or three arguments"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.build.File = "Dockerfile"
			images, err := Dockerfile(strings.NewReader(c.file), c.build)
			if got := strings.TrimSpace(lines(t, images, err)); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

const digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestDockerfileAt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "Dockerfile")
	if err := os.WriteFile(path, []byte("FROM alpine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, path} {
		images, err := DockerfileAt(p, Build{})
		if err != nil || len(images) != 1 || images[0] != (Image{Name: "alpine", File: path, Line: 1}) {
			t.Errorf("%s: %v, %v", p, images, err)
		}
	}
	if _, err := DockerfileAt(filepath.Join(dir, "none"), Build{}); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	big := strings.Repeat("# padding\n", MaxSize/10+1)
	for name, read := range map[string]func() error{
		"dockerfile": func() error { _, err := Dockerfile(strings.NewReader("FROM a\n"+big), Build{File: "f"}); return err },
		"kube":       func() error { _, err := Kube(strings.NewReader(big), "f"); return err },
	} {
		if err := read(); err == nil || err.Error() != "f: larger than 16 MiB, not read" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
