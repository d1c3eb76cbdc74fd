package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"pulley/internal/control"
	"pulley/internal/control/client"
)

// hub is the registry that is meant where none is said, as in an image's name.
const hub = "docker.io"

func (a *app) mirror() *cobra.Command {
	return group("mirror", "other places that have a registry's images, measured",
		a.mirrorList(), a.mirrorAdd(), a.mirrorSet(), a.mirrorRemove(), a.mirrorOrder(), a.mirrorSwitch("on", true), a.mirrorSwitch("off", false), a.mirrorTest())
}

func (a *app) mirrorList() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "ls [REGISTRY]", Short: "where a registry's bytes can come from, best first", Args: between(0, 1, "a registry, or nothing"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd, func(c *client.Client) error {
				list, err := c.Sources(cmd.Context(), first(args))
				if err != nil {
					return err
				}
				if !all && len(args) == 0 {
					list = noteworthy(list)
				}
				return a.print(cmd, list, func(w io.Writer) { printSources(w, list) })
			})
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "registries without a mirror that is on, too")
	return cmd
}

// noteworthy leaves out registries with no mirror that is on, but for Docker Hub, where most have one to choose.
func noteworthy(list []control.Source) (out []control.Source) {
	on := map[string]bool{hub: true}
	for _, s := range list {
		if !s.Origin && s.Enabled {
			on[s.Registry] = true
		}
	}
	for _, s := range list {
		if on[s.Registry] {
			out = append(out, s)
		}
	}
	return out
}

func printSources(w io.Writer, list []control.Source) {
	var rows [][]string
	for _, s := range list {
		rows = append(rows, []string{s.Registry, s.Name, onOff(s), speed(s.Rate), ms(s.FirstByte), quota(s), s.URL, remark(s)})
	}
	table(w, "REGISTRY SOURCE STATE MB/S FIRST-BYTE QUOTA URL REMARK", rows)
}

func onOff(s control.Source) string {
	switch {
	case !s.Enabled:
		return "off"
	case !s.Usable:
		return "waits"
	}
	return "on"
}

func speed(rate float64) string {
	if rate <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", rate/1e6)
}

func ms(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Millisecond:
		return "<1ms"
	}
	return d.Round(time.Millisecond).String()
}

func quota(s control.Source) string {
	if s.Quota <= 0 {
		return "-"
	}
	return size(s.QuotaUsed) + " of " + size(s.Quota)
}

// remark is the one thing most worth knowing.
func remark(s control.Source) string {
	switch {
	case s.Closed != "":
		return "closed since " + s.Closed
	case !s.Enabled && s.Needs != "":
		return "needs " + s.Needs
	case !s.Enabled:
		return or(s.Limits, "-")
	case s.Why != "" && s.Until != nil:
		return s.Why + ", until " + s.Until.Local().Format("15:04:05")
	case s.Why != "":
		return s.Why
	case len(s.Differs) > 0:
		return "disagreed about " + s.Differs[0].Image + " " + units.HumanDuration(time.Since(s.Differs[0].At)) + " ago"
	case s.Limits != "":
		return s.Limits
	case !s.Origin && !s.Proven:
		return "not proven yet"
	}
	return "-"
}

func (a *app) mirrorAdd() *cobra.Command {
	var m control.Mirror
	cmd := &cobra.Command{
		Use:   "add REGISTRY NAME URL",
		Short: "add a mirror to a registry and switch it on",
		Long: "Adds a mirror to a registry and switches it on. A built-in name amends that one:\n" +
			"  pulley mirror add docker.io aliyun https://YOURID.mirror.aliyuncs.com",
		Args: exactly(3, "a registry, a name and a URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Registry, m.Name, m.URL = args[0], args[1], args[2]
			return with(cmd, func(c *client.Client) error {
				if err := c.AddMirror(cmd.Context(), m); err != nil {
					return err
				}
				return a.print(cmd, m, func(w io.Writer) {
					_, _ = fmt.Fprintf(w, "added and switched on; try: pulley mirror test %s %s\n", m.Registry, m.Name)
				})
			})
		},
	}
	mirrorFlags(cmd, &m)
	return cmd
}

func (a *app) mirrorRemove() *cobra.Command {
	return &cobra.Command{
		Use: "rm REGISTRY NAME", Short: "take a mirror out of the settings", Args: exactly(2, "a registry and a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd, func(c *client.Client) error {
				if err := c.RemoveMirror(cmd.Context(), args[0], args[1]); err != nil {
					return err
				}
				return a.print(cmd, control.Mirror{Registry: args[0], Name: args[1]}, func(w io.Writer) { _, _ = fmt.Fprintln(w, "removed") })
			})
		},
	}
}

func (a *app) mirrorSwitch(use string, on bool) *cobra.Command {
	short := map[bool]string{true: "let a mirror be used", false: "do not use a mirror"}[on]
	return &cobra.Command{
		Use: use + " NAME [REGISTRY]", Short: short + ", for one registry or all that have it", Args: between(1, 2, "a mirror, and a registry if not all are meant"),
		RunE: func(cmd *cobra.Command, args []string) error {
			registry := first(args[1:])
			return with(cmd, func(c *client.Client) error {
				if err := c.SwitchMirror(cmd.Context(), registry, args[0], on); err != nil {
					return err
				}
				s := control.MirrorSwitch{Registry: registry, Name: args[0], Enabled: on}
				return a.print(cmd, s, func(w io.Writer) { _, _ = fmt.Fprintln(w, args[0], use) })
			})
		},
	}
}

func (a *app) mirrorTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test [REGISTRY [NAME…]]",
		Short: "measure the origin and the mirrors that are on: reachable, first byte, MB/s, ranges, tags, quota",
		RunE: func(cmd *cobra.Command, args []string) error {
			registry := hub
			if len(args) > 0 {
				registry, args = args[0], args[1:]
			}
			return with(cmd, func(c *client.Client) error {
				names, err := testable(cmd.Context(), c, registry, args)
				if err != nil {
					return err
				}
				reports, err := a.testAll(cmd, c, registry, names)
				if err != nil {
					return err
				}
				return a.print(cmd, reports, func(w io.Writer) { printReports(w, reports) })
			})
		},
	}
}

// testable are the sources to test: those named, or all that are on.
func testable(ctx context.Context, c *client.Client, registry string, names []string) ([]string, error) {
	if len(names) > 0 {
		return names, nil
	}
	list, err := c.Sources(ctx, registry)
	for _, s := range list {
		if s.Enabled {
			names = append(names, s.Name)
		}
	}
	return names, err
}

// testAll tests one after another, so that they do not slow each other down. One that the daemon does not know ends it.
func (a *app) testAll(cmd *cobra.Command, c *client.Client, registry string, names []string) ([]control.MirrorReport, error) {
	reports := make([]control.MirrorReport, 0, len(names))
	for _, name := range names {
		r, err := a.testOne(cmd, c, registry, name)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// testOne shows a person how far it is, where one looks.
func (a *app) testOne(cmd *cobra.Command, c *client.Client, registry, name string) (control.MirrorReport, error) {
	out := cmd.OutOrStdout()
	if a.json || !isTerminal(out) {
		return c.TestMirror(cmd.Context(), registry, name)
	}
	show := a.newProgress(out, name)
	defer show.close()
	return c.WatchMirrorTest(cmd.Context(), registry, name, func(t control.MirrorTesting) {
		show.amount(t.Bytes, t.Size, after("first byte ", ms(t.FirstByte)))
	})
}

func printReports(w io.Writer, reports []control.MirrorReport) {
	var rows [][]string
	for _, r := range reports {
		left := "-"
		if r.QuotaLeft >= 0 {
			left = size(r.QuotaLeft)
		}
		row := []string{r.Name, yesNo(r.Reachable), ms(r.FirstByte), speed(r.Rate), yesNo(r.Ranges), agrees(r), left, or(r.Error, "-")}
		rows = append(rows, row)
	}
	table(w, "SOURCE REACHABLE FIRST-BYTE MB/S RANGES AGREES QUOTA-LEFT ERROR", rows)
}

// agrees is about a mirror; the origin is what it is held against.
func agrees(r control.MirrorReport) string {
	if r.Name == originName {
		return "-"
	}
	return or(r.Agrees, "-")
}

// originName is what the origin is called among sources.
const originName = "origin"

func yesNo(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] }

func or(s, otherwise string) string {
	if strings.TrimSpace(s) == "" {
		return otherwise
	}
	return s
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
