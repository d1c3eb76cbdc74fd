package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) cache() *cobra.Command {
	return group("cache", "the cache on disk",
		a.cacheStat(), a.list("ls [NAME…]", "what is in it, by size", "size"), a.cacheRemove(), a.cachePin("pin", true), a.cachePin("unpin", false),
		a.cacheGC(), a.cacheVerify(), a.cacheExport(), a.cacheImport())
}

func (a *app) cacheStat() *cobra.Command {
	return &cobra.Command{
		Use: "stat", Short: "where it is, how full, and what it saved", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				state, err := c.State(cmd.Context())
				if err != nil {
					return err
				}
				if state.Cache.Dir == "" {
					return noCache(state.Problems)
				}
				return a.print(cmd, state.Cache, func(w io.Writer) { printCache(w, state) })
			})
		},
	}
}

func printCache(w io.Writer, s control.State) {
	line := func(what, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "%-8s %s\n", what, fmt.Sprintf(format, args...))
	}
	c := s.Cache
	line("where", "%s", c.Dir)
	line("full", "%s%s", fullness(c), percent(c.Size, c.MaxSize))
	if c.Free >= 0 {
		line("disk", "%s free", size(c.Free))
	}
	line("images", "%d", c.Images)
	line("pinned", "%d, %s", c.Pinned, size(c.PinnedSize))
	line("saved", "%s were not fetched again for the images that are here", size(c.Saved))
	line("hits", "%s of %s today, %s of %s ever", share(s.Traffic.Today), size(total(s.Traffic.Today)), share(s.Traffic.Ever), size(total(s.Traffic.Ever)))
}

func total(b control.Bytes) int64 { return b.FromCache + b.FromNet }

// share is how much of what was served came from the cache.
func share(b control.Bytes) string {
	if total(b) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(b.FromCache)/float64(total(b)))
}

func percent(n, of int64) string {
	if of <= 0 {
		return ""
	}
	return fmt.Sprintf(" (%.0f%%)", 100*float64(n)/float64(of))
}

// noCache says why there is none.
func noCache(problems []control.Problem) error {
	for _, p := range problems {
		if p.Kind == control.ProblemCache {
			return errors.New(p.Text)
		}
	}
	return errors.New("cache: none is in use; see: pulley status")
}

// fullness says how full the cache is.
func fullness(c control.Cache) string {
	limit := "no limit"
	if c.MaxSize > 0 {
		limit = "of " + size(c.MaxSize)
	}
	return fmt.Sprintf("%s %s in %s", size(c.Size), limit, counted(c.Blobs, "blob"))
}

func (a *app) cacheRemove() *cobra.Command {
	return &cobra.Command{
		Use: "rm IMAGE…", Short: "take images out: a tag, or by digest an image with all its tags", Args: between(1, -1, "images"),
		RunE: func(cmd *cobra.Command, names []string) error {
			return with(cmd, func(c *client.Client) error {
				freed := []control.Freed{}
				failed := each(names, func(name string) error {
					f, err := c.RemoveImage(cmd.Context(), name)
					if err == nil {
						freed = append(freed, f)
					}
					return err
				})
				return errors.Join(a.print(cmd, freed, func(w io.Writer) {
					for _, f := range freed {
						for _, name := range f.Images {
							_, _ = fmt.Fprintf(w, "%s removed, %s freed\n", familiarRef(name), size(f.Bytes))
						}
					}
				}), failed)
			})
		},
	}
}

func (a *app) cachePin(use string, on bool) *cobra.Command {
	text := map[bool]string{true: "keep images whatever there is room for", false: "let images go again when there is no room"}[on]
	return &cobra.Command{
		Use: use + " IMAGE…", Short: text, Args: between(1, -1, "images"),
		RunE: func(cmd *cobra.Command, names []string) error {
			return with(cmd, func(c *client.Client) error {
				images := []control.Image{}
				failed := each(names, func(name string) error {
					i, err := c.PinImage(cmd.Context(), name, on)
					if err == nil {
						images = append(images, i)
					}
					return err
				})
				return errors.Join(a.print(cmd, images, func(w io.Writer) {
					for _, i := range images {
						_, _ = fmt.Fprintf(w, "%s %sned, %s\n", short(i), use, size(i.Size))
					}
				}), failed)
			})
		},
	}
}

// each does something to each, and says of each where that failed.
func each(names []string, do func(string) error) error {
	var failed failures
	for _, name := range names {
		if err := do(name); err != nil {
			failed = append(failed, err)
		}
	}
	return failed.orNil()
}

func (a *app) cacheGC() *cobra.Command {
	var keep, free sizeFlag
	cmd := &cobra.Command{
		Use: "gc", Short: "make room: what was not used for longest goes first, pinned images stay", Args: exactly(0, "no arguments; see --keep and --free"),
		Long: "Makes room: whole images go, those first that were not used for longest; pinned ones stay.\n" +
			"With neither --keep nor --free, the cache is brought within cache.max_size.\n\n  pulley cache gc --free 10GB",
		RunE: func(cmd *cobra.Command, _ []string) error {
			g := control.GC{Free: free.n}
			if keep.set {
				g.Keep = &keep.n
			}
			return with(cmd, func(c *client.Client) error {
				freed, err := c.GC(cmd.Context(), g)
				if err != nil {
					return err
				}
				if err := a.print(cmd, freed, func(w io.Writer) { printFreed(w, freed) }); err != nil {
					return err
				}
				switch {
				case freed.Bytes < g.Free:
					return fmt.Errorf("gc: %s were freed, not %s: the rest is pinned or in use; see: pulley images --sort size", size(freed.Bytes), size(g.Free))
				case g.Keep != nil && freed.Size > *g.Keep:
					return fmt.Errorf("gc: %s are left, not %s: they are pinned or in use; see: pulley images --sort size", size(freed.Size), size(*g.Keep))
				}
				return nil
			})
		},
	}
	cmd.Flags().Var(&keep, "keep", "how much to keep at most, as 5GiB")
	cmd.Flags().Var(&free, "free", "how much to free at least, as 10GB")
	return cmd
}

func printFreed(w io.Writer, f control.Freed) {
	for _, name := range f.Images {
		_, _ = fmt.Fprintln(w, "gone:", familiarRef(name))
	}
	_, _ = fmt.Fprintf(w, "%s freed, %s left\n", size(f.Bytes), size(f.Size))
}

// sizeFlag is a number of bytes, as 10GB.
type sizeFlag struct {
	n   int64
	set bool
}

func (s *sizeFlag) String() string {
	if !s.set {
		return ""
	}
	return config.Size(s.n).String()
}
func (s *sizeFlag) Type() string { return "SIZE" }
func (s *sizeFlag) Set(text string) error {
	var n config.Size
	if err := n.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%w; want a size such as 10GB or 500MiB", err)
	}
	s.n, s.set = int64(n), true
	return nil
}
