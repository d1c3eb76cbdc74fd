package main

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"pulley/internal/control"
	"pulley/internal/control/client"
)

// orders are what a list of images can be sorted by.
var orders = map[string]func(a, b control.Image) int{
	"name": func(a, b control.Image) int { return cmp.Compare(short(a), short(b)) },
	"size": func(a, b control.Image) int { return cmp.Compare(b.Size, a.Size) },
	"used": func(a, b control.Image) int { return b.Used.Compare(a.Used) },
}

func (a *app) images() *cobra.Command {
	return a.list("images [NAME…]", "what is in the cache, by name", "name")
}

func (a *app) list(use, text, order string) *cobra.Command {
	var digests bool
	cmd := &cobra.Command{
		Use: use, Short: text,
		Long: text + "\n\n" +
			"NAME is a repository, a part of one between slashes, a registry, or any of these with a tag; * stands for anything:\n" +
			"  pulley images alpine      pulley images ghcr.io/org      pulley images 'debian:*slim'",
		RunE: func(cmd *cobra.Command, names []string) error {
			by, ok := orders[order]
			if !ok {
				return usageError{fmt.Errorf("%s: %q is nothing to sort by; choose of: name, size, used", cmd.Name(), order)}
			}
			return with(cmd, func(c *client.Client) error {
				images, err := c.Images(cmd.Context())
				if err != nil {
					return err
				}
				images = slices.DeleteFunc(images, func(i control.Image) bool {
					return len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return called(i, n) })
				})
				slices.SortStableFunc(images, by)
				if len(images) == 0 && len(names) > 0 && !a.json {
					return fmt.Errorf("%s: no such image in the cache; see: pulley images", strings.Join(names, ", "))
				}
				return a.print(cmd, images, func(w io.Writer) { printImages(w, images, digests) })
			})
		},
	}
	cmd.Flags().StringVar(&order, "sort", order, "name, size or used")
	cmd.Flags().BoolVar(&digests, "digests", false, "show digests")
	return cmd
}

func printImages(w io.Writer, images []control.Image, digests bool) {
	header := "IMAGE PLATFORMS SIZE OWN LAST-USED FROM SAVED PINNED"
	if digests {
		header += " DIGEST"
	}
	var rows [][]string
	for _, i := range images {
		row := []string{short(i), platforms(i), size(i.Size), size(i.Own), ago(i.Used), from(i), size(i.Saved), map[bool]string{true: "pinned", false: "-"}[i.Pinned]}
		if digests {
			row = append(row, i.Digest)
		}
		rows = append(rows, row)
	}
	table(w, header, rows)
}

// called reports whether a person means this image by a pattern.
func called(i control.Image, pattern string) bool {
	repository, tag, tagged := pattern, "", false
	if at, d, ok := strings.Cut(pattern, "@"); ok {
		if repository = at; !strings.HasPrefix(i.Digest, d) {
			return false
		}
	} else if colon := strings.LastIndexByte(pattern, ':'); colon > strings.LastIndexByte(pattern, '/') {
		repository, tag, tagged = pattern[:colon], pattern[colon+1:], true
	}
	if tagged && !slices.ContainsFunc(i.Tags, func(t string) bool { ok, _ := path.Match(tag, t); return ok }) {
		return false
	}
	have, want := strings.Split(i.Registry+"/"+i.Repository, "/"), strings.Split(repository, "/")
	for at := 0; at+len(want) <= len(have); at++ {
		if slices.EqualFunc(want, have[at:at+len(want)], func(w, h string) bool { ok, _ := path.Match(w, h); return ok }) {
			return true
		}
	}
	return false
}

// shownTags is how many tags of an image fit in a table.
const shownTags = 3

// short is an image as a person types it, under its tags: "alpine:3.20, latest".
func short(i control.Image) string {
	name := familiar(i.Registry, i.Repository)
	if len(i.Tags) == 0 {
		return name + "@" + fmt.Sprintf("%.19s", i.Digest)
	}
	name += ":" + strings.Join(i.Tags[:min(shownTags, len(i.Tags))], ", ")
	if more := len(i.Tags) - shownTags; more > 0 {
		name += fmt.Sprintf(", +%d", more)
	}
	return name
}

// familiar is a repository as short as Docker takes it.
func familiar(registry, repository string) string {
	full := registry + "/" + repository
	if named, err := reference.ParseNormalizedNamed(full); err == nil && registry != control.Local {
		return reference.FamiliarName(named)
	}
	return full
}

// familiarRef is the same of a full reference.
func familiarRef(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil || strings.HasPrefix(ref, control.Local+"/") {
		return ref
	}
	return reference.FamiliarString(named)
}

// platforms are those that can be had from here, of how many: "amd64 arm64 (of 8)". Linux goes without saying.
func platforms(i control.Image) string {
	var here []string
	for _, p := range i.Platforms {
		if p.Complete {
			here = append(here, strings.TrimPrefix(p.String(), "linux/"))
		}
	}
	switch {
	case len(here) == 0 && !i.Complete:
		return "incomplete"
	case len(here) == 0:
		return "-"
	case len(here) > shownTags:
		here = append(here[:shownTags], fmt.Sprintf("+%d", len(here)-shownTags))
	}
	text := strings.Join(here, " ")
	if len(i.Platforms) > 1 && !slices.ContainsFunc(i.Platforms, func(p control.Platform) bool { return !p.Complete }) {
		text += " (all)"
	} else if len(i.Platforms) > 1 {
		text += fmt.Sprintf(" (of %d)", len(i.Platforms))
	}
	return text
}

// from names who brought the bytes, most first: "daocloud+origin".
func from(i control.Image) string {
	brought := i.Brought()
	for n, name := range brought {
		brought[n] = or(name, "unknown")
	}
	return or(strings.Join(brought, "+"), "-")
}

func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	since := time.Since(t)
	if since < time.Second {
		return "just now"
	}
	return units.HumanDuration(since) + " ago"
}
