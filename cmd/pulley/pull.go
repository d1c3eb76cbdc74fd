package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/imagelist"
)

// errStopped is what Ctrl-C makes of a command that can be run again.
var errStopped = errors.New("stopped; run it again: it goes on where it stopped")

// pullFlags are what pull is told.
type pullFlags struct {
	platforms   []string
	all, fresh  bool
	compose     []string
	dockerfiles []string
	args        []string
	target      string
	kube        []string
}

func (a *app) pull() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use: "pull [IMAGE…]", Short: "have images in the cache before an engine asks for them",
		Long: "Fetches images into the cache. What is here already is not fetched again, and what was interrupted goes on.\n" +
			"Names are as Docker takes them; files that name images will do, too:\n\n" +
			"  pulley pull alpine ghcr.io/org/app:1.2\n" +
			"  pulley pull --compose . --dockerfile Dockerfile --build-arg VERSION=1.27 --kube manifests/\n\n" +
			"Your logins of docker (config.json and credential helpers) go to the registry they are for, and nowhere else.",
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 && len(f.compose) == 0 && len(f.dockerfiles) == 0 && len(f.kube) == 0 {
				return usageError{errors.New("pull: want images, or --compose, --dockerfile or --kube; see: pulley pull --help")}
			}
			images, failed := f.images(cmd.Context(), names)
			if len(images) == 0 {
				return noImages(failed)
			}
			return with(cmd, func(c *client.Client) error {
				return a.runPull(cmd, c, control.Pull{Images: images, Fresh: f.fresh}, failed)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.platforms, "platform", nil, "platforms to fetch, as linux/arm64; by default the one an engine here takes")
	flags.BoolVar(&f.all, "all-platforms", false, "every platform there is")
	flags.BoolVar(&f.fresh, "fresh", false, "ask what a tag stands for, even if that was just asked")
	flags.StringArrayVar(&f.compose, "compose", nil, "what a Compose file, or the one in a folder, runs and builds from")
	flags.StringArrayVar(&f.dockerfiles, "dockerfile", nil, "what a Dockerfile builds from")
	flags.StringArrayVar(&f.args, "build-arg", nil, "NAME=VALUE for the Dockerfiles; NAME alone: from the environment")
	flags.StringVar(&f.target, "target", "", "the stage of the Dockerfile to build")
	flags.StringArrayVar(&f.kube, "kube", nil, "what Kubernetes manifests, or all in a folder, run")
	cmd.MarkFlagsMutuallyExclusive("platform", "all-platforms")
	return cmd
}

// noImages says why there is nothing to pull.
func noImages(failed failures) error {
	if len(failed) > 0 {
		return failed
	}
	return errors.New("pull: these files name no image")
}

// images are those named on the command line and in files, each once. The failures are of what could not be named.
func (f *pullFlags) images(ctx context.Context, names []string) ([]control.PullImage, failures) {
	var found []imagelist.Image
	var failed failures
	for _, name := range names {
		found = append(found, imagelist.Image{Name: name})
	}
	take := func(images []imagelist.Image, err error) {
		found = append(found, images...)
		var unresolved *imagelist.UnresolvedError
		switch {
		case errors.As(err, &unresolved):
			for _, p := range unresolved.Problems {
				failed = append(failed, p)
			}
		case err != nil:
			failed = append(failed, err)
		}
	}
	args := buildArgs(f.args)
	if len(f.compose) > 0 {
		take(imagelist.Compose(ctx, imagelist.Project{Paths: f.compose, Stdin: os.Stdin, Env: os.Environ(), Args: args, Platforms: f.platforms}))
	}
	for _, path := range f.dockerfiles {
		b := imagelist.Build{Args: args, Target: f.target, Platforms: f.platforms}
		if path == "-" {
			b.File = path
			take(imagelist.Dockerfile(os.Stdin, b))
			continue
		}
		take(imagelist.DockerfileAt(path, b))
	}
	for _, path := range f.kube {
		if path == "-" {
			take(imagelist.Kube(os.Stdin, path))
			continue
		}
		take(imagelist.KubeAt(path))
	}
	return f.once(found), failed
}

// once has each image one time, with all platforms that are asked of it.
func (f *pullFlags) once(found []imagelist.Image) (images []control.PullImage) {
	at := map[string]int{}
	for _, i := range found {
		key := fullName(i.Name)
		n, ok := at[key]
		if !ok {
			n = len(images)
			at[key] = n
			images = append(images, control.PullImage{Image: i.Name, All: f.all})
		}
		want := f.platforms
		if i.Platform != "" {
			want = []string{i.Platform}
		}
		for _, p := range want {
			if !slices.Contains(images[n].Platforms, p) {
				images[n].Platforms = append(images[n].Platforms, p)
			}
		}
	}
	return images
}

// buildArgs are those of docker build: one without a value has that of the environment, if there is one.
func buildArgs(list []string) map[string]string {
	args := map[string]string{}
	for _, arg := range list {
		name, value, given := strings.Cut(arg, "=")
		if !given {
			if value, given = os.LookupEnv(name); !given {
				continue
			}
		}
		args[name] = value
	}
	return args
}

// runPull pulls, shows how far it is, and adds to what failed before.
func (a *app) runPull(cmd *cobra.Command, c *client.Client, p control.Pull, failed failures) error {
	names := make([]string, len(p.Images))
	for i, image := range p.Images {
		names[i] = image.Image
	}
	p.Credentials = logins(cmd, names)
	show := a.newProgress(cmd.OutOrStdout(), "pull")
	defer show.close()
	pulled, err := c.Pull(cmd.Context(), p, show.pulling)
	show.close()
	if err != nil {
		return stopped(cmd.Context(), err)
	}
	if a.json {
		if err := a.result(cmd.OutOrStdout(), pulled); err != nil {
			return err
		}
	}
	return append(failed, notPulled(pulled)...).orNil()
}

// notPulled says of each image that failed why.
func notPulled(pulled control.Pulled) (failed failures) {
	for _, i := range pulled.Images {
		if i.Error != "" {
			failed = append(failed, errors.New(named(i.Image, i.Error)))
		}
	}
	return failed
}

// named is an error about an image with that in front, once and short.
func named(image, text string) string {
	short := familiarRef(image)
	for _, front := range []string{image, fullName(image), short} {
		text = strings.TrimPrefix(text, front+": ")
	}
	if strings.HasPrefix(text, strconv.Quote(image)) {
		return text
	}
	return short + ": " + text
}

// stopped puts a Ctrl-C into words.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errStopped
	}
	return err
}
