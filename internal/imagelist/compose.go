package imagelist

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// Project is what "docker compose" is told beside its files. The zero value is the project in the current directory,
// without an environment.
type Project struct {
	// Paths are Compose files, later ones over earlier ones; "-" is Stdin. One directory, or none for the current one,
	// stands for the files that docker compose finds there: those of COMPOSE_FILE, or compose.yaml and its override
	// (https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file).
	Paths []string
	// Stdin is read for "-".
	Stdin io.Reader
	// Dir is the project directory; empty: that of the first file.
	Dir string
	// Env are the variables that files may use, as os.Environ has them. The .env in the project directory comes after
	// them. Besides, COMPOSE_FILE, COMPOSE_PATH_SEPARATOR, COMPOSE_PROFILES, COMPOSE_ENV_FILES,
	// COMPOSE_DISABLE_ENV_FILE and DOCKER_DEFAULT_PLATFORM mean what they mean to docker compose.
	Env []string
	// EnvFiles are read in place of .env.
	EnvFiles []string
	// Profiles are those to be enabled. None, in COMPOSE_PROFILES neither: all services count.
	Profiles []string
	// Args are build arguments on top of those in the files.
	Args map[string]string
	// Platforms are those to be built for where a service does not say; see Build.
	Platforms []string
}

// Compose names the images that a Compose project runs and builds from
// (https://github.com/compose-spec/compose-spec/blob/main/spec.md): each service's image and those of its image volumes
// and pre_start hooks, and for a service with build what its Dockerfile needs. An image beside a build is the name of
// what is built, and is left out unless pull_policy asks for a pull; so is one with "pull_policy: never". Files are
// merged, included, extended and interpolated by the library that docker compose uses, but what has nothing to do with
// images is not judged: a port without a value keeps nobody from pulling.
//
// An error is a FileError, or an *UnresolvedError with the images that could be named.
func Compose(ctx context.Context, p Project) ([]Image, error) {
	f, err := p.find()
	if err != nil {
		return nil, err
	}
	x, err := indexFiles(f)
	if err != nil {
		return nil, err
	}
	v := &variables{reasons: make(map[string]string)}
	model, err := f.load(ctx, v)
	if err != nil {
		return nil, FileError{File: show(f.files[0].Filename), Text: oneLine(v.readable(err.Error()))}
	}
	c := composed{project: p, files: f, index: x, variables: v}
	c.services(model)
	return c.result()
}

// load merges the files into one model. Validation is left out: it is for running services, not for their names.
func (f *composeFiles) load(ctx context.Context, v *variables) (model map[string]any, err error) {
	defer guard("", &err)
	details := types.ConfigDetails{WorkingDir: f.dir, ConfigFiles: f.files, Environment: maps.Clone(f.env)}
	return loader.LoadModelWithContext(ctx, details, func(o *loader.Options) {
		o.SkipValidation = true
		o.SkipNormalization = true
		o.SkipConsistencyCheck = true
		o.SkipResolveEnvironment = true
		o.SkipResolveLabels = true
		o.ResolvePaths = true
		o.SetProjectName(loader.NormalizeProjectName(filepath.Base(f.dir)), false)
		if name := f.env["COMPOSE_PROJECT_NAME"]; name != "" {
			o.SetProjectName(loader.NormalizeProjectName(name), true)
		}
		o.Interpolate = &interpolation.Options{
			LookupValue:     details.LookupEnv,
			Substitute:      v.substitute,
			TypeCastMapping: v.casts(),
		}
	})
}

// composed is a model on its way to images.
type composed struct {
	list
	project   Project
	files     *composeFiles
	index     *index
	variables *variables
}

// services takes all that are enabled, in the order in which the files have them.
func (c *composed) services(model map[string]any) {
	profiles := c.project.Profiles
	if len(profiles) == 0 {
		profiles = words(c.files.env["COMPOSE_PROFILES"])
	}
	type entry struct {
		section, name string
		at            place
		service       map[string]any
	}
	var all []entry
	for _, section := range []string{"services", "jobs"} {
		for name, s := range mapping(model[section]) {
			all = append(all, entry{section, name, c.index.find(section, name), mapping(s)})
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		if o := a.at.compare(b.at); o != 0 {
			return o
		}
		return strings.Compare(a.name, b.name)
	})
	for _, e := range all {
		if enabled(e.service["profiles"], profiles) {
			c.service(e.section, e.name, e.service, e.at)
		}
	}
}

// enabled says whether a service counts: https://docs.docker.com/reference/compose-file/profiles/
func enabled(of any, profiles []string) bool {
	own, ok := of.([]any)
	if !ok || len(own) == 0 || len(profiles) == 0 || slices.Contains(profiles, "*") {
		return true
	}
	return slices.ContainsFunc(own, func(p any) bool { s, _ := p.(string); return slices.Contains(profiles, s) })
}

func (c *composed) service(section, name string, s map[string]any, at place) {
	where, ok := c.platform(section, name, s)
	if !ok {
		return
	}
	build, builds := s["build"].(map[string]any)
	image := str(s["image"])
	if pulled(str(s["pull_policy"]), builds) {
		c.image(image, where, c.index.find(section, name, "image"))
	}
	if builds {
		c.build(name, build, where, c.index.find(section, name, "build"))
	}
	if v, ok := s["image"]; ok && image == "" {
		p := c.index.find(section, name, "image")
		c.problem(show(p.file), p.line, "image of %s is no text: %s", name, quote(fmt.Sprint(v)))
		return
	}
	if image == "" && !builds && s["provider"] == nil && s["pre_start"] == nil {
		c.problem(show(at.file), at.line, "service %s has neither image nor build", name)
	}
	for _, h := range sequence(s["pre_start"]) {
		c.image(str(mapping(h)["image"]), where, c.index.find(section, name, "pre_start"))
	}
	for _, v := range sequence(s["volumes"]) {
		// https://docs.docker.com/reference/compose-file/services/#volumes: an image mounted as a volume
		if m := mapping(v); str(m["type"]) == "image" {
			c.image(str(m["source"]), where, c.index.find(section, name, "volumes"))
		}
	}
}

// pulled says whether the image of a service is pulled: https://docs.docker.com/reference/compose-file/services/#pull_policy
func pulled(policy string, builds bool) bool {
	switch policy {
	case "never":
		return false
	case "", "build":
		return !builds
	}
	return true
}

func (c *composed) image(name, where string, at place) {
	if name = strings.TrimSpace(name); name == "" || !c.whole("image", name, at) {
		return
	}
	c.add(Image{Name: name, Platform: where, File: show(at.file), Line: at.line})
}

// whole reports whether a value has all its variables; each that it lacks is a problem.
func (c *composed) whole(what, value string, at place) bool {
	names := unset(value)
	for _, n := range names {
		text := "set it in the environment or in .env: " + n + "=…"
		if r := c.variables.reasons[n]; r != "" {
			text = r + "; " + text
		}
		c.problem(show(at.file), at.line, "%s %s: %s has no value; %s", what, c.variables.readable(value), n, text)
	}
	return len(names) == 0
}

// platform is that of a service, or DOCKER_DEFAULT_PLATFORM.
func (c *composed) platform(section, name string, s map[string]any) (string, bool) {
	word, at := str(s["platform"]), c.index.find(section, name, "platform")
	if word == "" {
		word = c.files.env["DOCKER_DEFAULT_PLATFORM"]
	}
	if word == "" {
		return "", true
	}
	if !c.whole("platform", word, at) {
		return "", false
	}
	p, err := parsePlatform(word)
	if err != nil {
		c.problem(show(at.file), at.line, "platform of %s: %s", name, err)
		return "", false
	}
	return p.String(), true
}

// show is a path as a person would write it: below the current directory without it.
func show(path string) string {
	wd, err := os.Getwd()
	if err != nil || !filepath.IsAbs(path) {
		return path
	}
	if r, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(r) {
		return r
	}
	return path
}

// The model is a tree of any: these are its shapes, empty for another.

func mapping(v any) map[string]any { m, _ := v.(map[string]any); return m }
func sequence(v any) []any         { s, _ := v.([]any); return s }
func str(v any) string             { s, _ := v.(string); return s }

// words splits at commas.
func words(s string) []string {
	var w []string
	for f := range strings.SplitSeq(s, ",") {
		if f = strings.TrimSpace(f); f != "" {
			w = append(w, f)
		}
	}
	return w
}
