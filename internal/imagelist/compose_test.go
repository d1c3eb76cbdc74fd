package imagelist

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

// found is a result with files below dir: "file:line name platform" per image.
func found(dir string, images []Image, err error) string {
	var b strings.Builder
	at := func(file string, line int) string {
		if r, err := filepath.Rel(dir, file); err == nil {
			file = filepath.ToSlash(r)
		}
		return fmt.Sprintf("%s:%d", file, line)
	}
	for _, i := range images {
		fmt.Fprintln(&b, strings.TrimSpace(at(i.File, i.Line)+" "+i.Name+" "+i.Platform))
	}
	if u, ok := errors.AsType[*UnresolvedError](err); ok {
		for _, p := range u.Problems {
			fmt.Fprintf(&b, "%s! %s\n", at(p.File, p.Line), p.Text)
		}
	} else if err != nil {
		fmt.Fprintf(&b, "error: %s\n", err)
	}
	return strings.TrimSpace(strings.ReplaceAll(b.String(), dir+string(filepath.Separator), ""))
}

func TestCompose(t *testing.T) {
	var warnings bytes.Buffer
	old := logrus.StandardLogger().Out
	logrus.SetOutput(&warnings)
	t.Cleanup(func() { logrus.SetOutput(old) })
	here := machine().String()

	for _, c := range []struct {
		name    string
		files   map[string]string
		project Project
		want    string
	}{
		{
			name: "services in order, with what else a real file has",
			files: map[string]string{"compose.yaml": `version: "3.8"
name: shop
x-common: &common
  restart: unless-stopped
  platform: linux/amd64
services:
  web:
    <<: *common
    image: nginx:1.27-alpine
    ports: ["${PORT}:80", "8443:443/tcp"]
    cpus: "${CPUS}"
    privileged: ${PRIV}
    depends_on: {db: {condition: service_healthy}}
    env_file: [missing.env]
    deploy: {replicas: 2}
  db:
    image: "postgres:16"
    volumes:
      - data:/var/lib/postgresql/data
      - type: image
        source: example.com/seed:1
        target: /seed
  cache: {image: redis}
  cache2: {image: docker.io/library/redis:latest}
volumes: {data: {}}
`},
			want: "compose.yaml:9 nginx:1.27-alpine linux/amd64\ncompose.yaml:17 postgres:16\ncompose.yaml:19 example.com/seed:1\ncompose.yaml:23 redis",
		},
		{
			name: "interpolation",
			files: map[string]string{
				".env":         "TAG=2\nREG=from-dotenv\nFULL=${REG}/x:${TAG}\nEMPTY=\n",
				"compose.yaml": "services:\n  a: {image: '${REG}/a:$TAG'}\n  b: {image: 'b:${NONE:-1}${EMPTY}'}\n  c: {image: '${FULL}'}\n  d: {image: 'd:${TAG:+yes}'}\n  e: {image: 'e:${NONE:-${TAG}}'}\n  f: {image: 'f:${EMPTY:-e}'}\n  g: {image: '${COMPOSE_PROJECT_NAME}/g'}\n",
			},
			project: Project{Env: []string{"REG=reg.example.com:5000", "COMPOSE_PROJECT_NAME=p"}},
			want:    "compose.yaml:2 reg.example.com:5000/a:2\ncompose.yaml:3 b:1\ncompose.yaml:4 reg.example.com:5000/x:2\ncompose.yaml:5 d:yes\ncompose.yaml:6 e:2\ncompose.yaml:7 f:e\ncompose.yaml:8 p/g",
		},
		{
			name: "variables without a value",
			files: map[string]string{"compose.yaml": `services:
  a: {image: "app:${TAG}"}
  b: {image: "${REPO:?set REPO first}/b"}
  c: {image: "c:${NONE:-${DEEP}}"}
  d: {image: "d", command: "echo $HOME ${X} ${Y:?no}", platform: "${PLAT}"}
  e: {image: "e", command: "echo $$X"}
  f: {image: "f$SUFFIX"}
`},
			want: `compose.yaml:6 e
compose.yaml:2! image app:${TAG}: TAG has no value; set it in the environment or in .env: TAG=…
compose.yaml:3! image ${REPO}: REPO has no value; set REPO first; set it in the environment or in .env: REPO=…
compose.yaml:4! image c:${DEEP}: DEEP has no value; set it in the environment or in .env: DEEP=…
compose.yaml:5! platform ${PLAT}: PLAT has no value; set it in the environment or in .env: PLAT=…
compose.yaml:7! image f${SUFFIX}: SUFFIX has no value; set it in the environment or in .env: SUFFIX=…`,
		},
		{
			name: "override",
			files: map[string]string{
				"compose.yaml":          "services:\n  a: {image: 'a:1'}\n  b: {image: 'b:1'}\n  z: {image: z}\n",
				"compose.override.yaml": "services:\n  a:\n    image: a:2\n  c: {image: c}\n  z: !reset null\n",
			},
			want: "compose.yaml:3 b:1\ncompose.override.yaml:3 a:2\ncompose.override.yaml:4 c",
		},
		{
			name:  "files that were named leave out the override",
			files: map[string]string{"compose.yaml": "services: {a: {image: 'a:1'}}", "compose.override.yaml": "services: {a: {image: 'a:2'}}", "prod.yaml": "services: {b: {image: b}}"},
			project: Project{
				Paths: []string{"compose.yaml", "prod.yaml"},
			},
			want: "compose.yaml:1 a:1\nprod.yaml:1 b",
		},
		{
			name:    "COMPOSE_FILE",
			files:   map[string]string{".env": "COMPOSE_FILE=x.yaml,y.yaml\nCOMPOSE_PATH_SEPARATOR=,\n", "x.yaml": "services: {a: {image: a}}", "y.yaml": "services: {b: {image: b}}", "compose.yaml": "services: {c: {image: c}}"},
			project: Project{}, want: "x.yaml:1 a\ny.yaml:1 b",
		},
		{
			name:    "found above",
			files:   map[string]string{"docker-compose.yml": "services: {a: {image: 'a:${V}'}}", ".env": "V=1", "sub/x": ""},
			project: Project{Paths: []string{"sub"}}, want: "docker-compose.yml:1 a:1",
		},
		{
			name:  "profiles: all",
			files: map[string]string{"compose.yaml": "services:\n  a: {image: a}\n  b: {image: b, profiles: [dev]}\n  c: {image: c, profiles: [prod, x]}\n"},
			want:  "compose.yaml:2 a\ncompose.yaml:3 b\ncompose.yaml:4 c",
		},
		{
			name:    "profiles: given",
			files:   map[string]string{"compose.yaml": "services:\n  a: {image: a}\n  b: {image: b, profiles: [dev]}\n  c: {image: c, profiles: [prod, x]}\n"},
			project: Project{Profiles: []string{"x"}}, want: "compose.yaml:2 a\ncompose.yaml:4 c",
		},
		{
			name:    "profiles: from the environment",
			files:   map[string]string{"compose.yaml": "services:\n  a: {image: a}\n  b: {image: b, profiles: [dev]}\n  c: {image: c, profiles: [prod, x]}\n"},
			project: Project{Env: []string{"COMPOSE_PROFILES=dev, y"}}, want: "compose.yaml:2 a\ncompose.yaml:3 b",
		},
		{
			name: "include and extends",
			files: map[string]string{
				"compose.yaml":      "include:\n  - infra/db.yaml\n  - path: [\"${DIR}/mq.yaml\"]\nservices:\n  web:\n    extends: {file: common/base.yaml, service: base}\n  worker:\n    extends: web\n    image: worker:1\n    pull_policy: always\n",
				"infra/db.yaml":     "services:\n  db:\n    image: postgres:${PG}\n",
				"infra/.env":        "PG=15\n",
				"infra/mq.yaml":     "services:\n  mq: {image: rabbitmq}\n",
				"common/base.yaml":  "services:\n  base:\n    build:\n      context: .\n      args: {V: '1'}\n",
				"common/Dockerfile": "ARG V\nFROM base:$V\n",
			},
			project: Project{Env: []string{"DIR=infra"}},
			want:    "common/Dockerfile:2 base:1\ncompose.yaml:9 worker:1\ninfra/db.yaml:3 postgres:15\ninfra/mq.yaml:2 rabbitmq",
		},
		{
			name: "build",
			files: map[string]string{
				"compose.yaml": `services:
  web:
    build: ./web
    image: registry.example.com/shop/web:latest
  api:
    build:
      context: web
      dockerfile: ../api.Dockerfile
      target: run
      args:
        - NODE=22
        - FROM_ENV
        - OTHER=${NOT_SET}
      additional_contexts:
        alpine: docker-image://alpine:3.21
        src: ../elsewhere
        built: service:web
    platform: linux/arm64
  both:
    build: web
    image: example.com/both
    pull_policy: missing
  never: {image: local-only, pull_policy: never}
  inline:
    build:
      dockerfile_inline: |
        # build me
        FROM debian:12
        RUN true
`,
				"web/Dockerfile": "# syntax=docker/dockerfile:1\nFROM node:22\n",
				"api.Dockerfile": "ARG NODE\nARG FROM_ENV\nFROM --platform=$BUILDPLATFORM node:${NODE}-${FROM_ENV} AS build\nFROM unused\nFROM alpine AS run\nCOPY --from=build / /\nCOPY --from=src / /\nCOPY --from=built / /\n",
			},
			project: Project{Env: []string{"FROM_ENV=slim"}},
			want: "web/Dockerfile:1 docker/dockerfile:1 " + here + "\nweb/Dockerfile:2 node:22\napi.Dockerfile:3 node:22-slim " + here +
				"\napi.Dockerfile:5 alpine:3.21 linux/arm64\ncompose.yaml:21 example.com/both\ncompose.yaml:28 debian:12",
		},
		{
			name: "build problems",
			files: map[string]string{
				"compose.yaml": `services:
  a: {build: nowhere}
  b: {build: "https://github.com/org/repo.git#main"}
  c: {build: "./${DIR}"}
  d: {build: {context: d}}
  e: {build: {context: d, args: {TAG: "${TAG}"}}}
  f: {restart: always}
  g: {image: Bad/Name}
  h: {build: {context: h}}
  i: {provider: {type: x}}
  j: {image: j, platform: a b}
`,
				"d/Dockerfile": "ARG TAG\nFROM node:$TAG\n",
				"h/Dockerfile": "nonsense here\n",
			},
			want: `compose.yaml:2! build of a: nowhere/Dockerfile: no such file or directory
compose.yaml:3! b is built from "https://github.com/org/repo.git#main", which is not here; fetch it, then: pulley pull --dockerfile …
compose.yaml:4! build of c: ${DIR}: DIR has no value; set it in the environment or in .env: DIR=…
d/Dockerfile:2! FROM node:$TAG: ARG TAG has no value; set under build.args TAG=…
compose.yaml:7! service f has neither image nor build
compose.yaml:8! "Bad/Name" is no image name: invalid reference format: repository name (Name) must be lowercase
h/Dockerfile:1! unknown instruction: "nonsense"
compose.yaml:11! platform of j: "a b" is no platform; as in linux/amd64`,
		},
		{
			name: "hooks and a default platform", project: Project{Env: []string{"DOCKER_DEFAULT_PLATFORM=linux/arm64"}},
			files: map[string]string{"compose.yaml": "services:\n  a:\n    image: a\n    pre_start:\n      - {image: migrate, command: up}\n"},
			want:  "compose.yaml:3 a linux/arm64\ncompose.yaml:5 migrate linux/arm64",
		},
		{name: "not YAML", files: map[string]string{"compose.yaml": "services:\n  a: [\n"}, want: "error: compose.yaml:3: did not find expected node content"},
		{name: "a list", files: map[string]string{"compose.yaml": "- a\n"}, want: "error: compose.yaml: top-level object must be a mapping"},
		{name: "services as a list", files: map[string]string{"compose.yaml": "services: [a]\n"}, want: "error: compose.yaml: services must be a mapping"},
		{name: "a number for an image", files: map[string]string{"compose.yaml": "services: {a: {image: 3}}\n"}, want: "compose.yaml:1! image of a is no text: \"3\""},
		{
			name:  "a shape that the library does not expect",
			files: map[string]string{"compose.yaml": "services: {a: {build: {context: 3}}}\n"},
			want:  "error: compose.yaml: cannot be read: interface conversion: interface {} is int, not string",
		},
		{name: "a directory among files", files: map[string]string{"a.yaml": "", "d/x": ""}, project: Project{Paths: []string{"a.yaml", "d"}}, want: "error: d: not a file"},
		{name: "nobody home", files: map[string]string{"x/y": ""}, project: Project{Paths: []string{"gone.yaml"}}, want: "error: gone.yaml: no such file or directory"},
		{name: "a circle", files: map[string]string{"compose.yaml": "include: [b.yaml]\n", "b.yaml": "include: [compose.yaml]\n"}, want: "error: compose.yaml: include cycle detected: compose.yaml include b.yaml include compose.yaml"},
		{name: "a bad template", files: map[string]string{"compose.yaml": "services: {a: {image: 'a:${-x}'}}\n"}, want: "error: compose.yaml: invalid interpolation format for services.a.image. You may need to escape any $ with another $. a:${-x}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.files)
			if c.project.Paths == nil {
				c.project.Paths = []string{dir}
			} else {
				for i, p := range c.project.Paths {
					c.project.Paths[i] = filepath.Join(dir, p)
				}
			}
			images, err := Compose(t.Context(), c.project)
			if got := found(dir, images, err); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x01\x02") {
				t.Errorf("not one line: %q", err)
			}
		})
	}
	if warnings.Len() > 0 {
		t.Errorf("the library spoke: %s", warnings.String())
	}
}

func TestComposeFromStandardInput(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"Dockerfile": "FROM a\n", ".env": "V=1\n"})
	images, err := Compose(t.Context(), Project{Paths: []string{"-"}, Dir: dir, Stdin: strings.NewReader("services: {a: {build: .}, b: {image: 'b:$V'}}\n")})
	if got, want := found(dir, images, err), "Dockerfile:1 a\n-:1 b:1"; strings.ReplaceAll(got, "../", "") != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if _, err := Compose(t.Context(), Project{Paths: []string{"-"}, Dir: dir}); err == nil || !strings.Contains(err.Error(), "no standard input") {
		t.Errorf("without standard input: %v", err)
	}
}

// What is included is foreign as well, and the library reads it by itself.
func TestComposeBombs(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"aliases":       {map[string]string{"compose.yaml": bomb()}, "compose.yaml: line"},
		"included":      {map[string]string{"compose.yaml": "include: [b.yaml]", "b.yaml": bomb()}, "b.yaml: line"},
		"extended":      {map[string]string{"compose.yaml": "services: {a: {extends: {file: b.yaml, service: x}}}", "b.yaml": bomb()}, "b.yaml: line"},
		"large include": {map[string]string{"compose.yaml": "include: [{path: b.yaml}]", "b.yaml": strings.Repeat("#", MaxSize+1)}, "b.yaml: larger than 16 MiB, not read"},
		"large .env":    {map[string]string{"compose.yaml": "", ".env": strings.Repeat("#", MaxSize+1)}, ".env: larger than 16 MiB, not read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.files)
			_, err := Compose(t.Context(), Project{Paths: []string{dir}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
