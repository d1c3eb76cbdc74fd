package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) cacheVerify() *cobra.Command {
	var heal bool
	var rate rateFlag
	cmd := &cobra.Command{
		Use: "verify", Short: "read every blob back, and fetch again what is broken", Args: exactly(0, "no arguments"),
		Long: "Reads every blob back and compares it with its digest. What is broken is not served any more, and is fetched again\n" +
			"from where it came from unless --heal=false. Exit status 1 if something stayed broken.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				show := a.newProgress(cmd.OutOrStdout(), "verify")
				defer show.close()
				verified, err := c.Verify(cmd.Context(), control.Verify{Heal: heal, Rate: int64(rate)}, func(v control.Verifying) {
					if v.Healing != nil {
						show.pulling(*v.Healing)
						return
					}
					show.amount(v.Bytes, v.OfBytes, remarkDamaged(v))
				})
				show.close()
				if err != nil {
					return stopped(cmd.Context(), err)
				}
				if a.json {
					if err := a.result(cmd.OutOrStdout(), verified); err != nil {
						return err
					}
				} else {
					printVerified(cmd.OutOrStdout(), verified)
				}
				return stillBroken(verified)
			})
		},
	}
	cmd.Flags().BoolVar(&heal, "heal", true, "fetch again what is broken")
	cmd.Flags().Var(&rate, "rate", "read no faster than that, as 50MiB/s; by default as fast as the disk is")
	return cmd
}

func remarkDamaged(v control.Verifying) string {
	if v.Damaged == 0 {
		return ""
	}
	return fmt.Sprintf("%d damaged", v.Damaged)
}

func printVerified(w io.Writer, v control.Verified) {
	_, _ = fmt.Fprintf(w, "%s in %s read back", size(v.Bytes), counted(v.Blobs, "blob"))
	if len(v.Damaged) == 0 {
		_, _ = fmt.Fprintln(w, ": all is as it should be")
		return
	}
	_, _ = fmt.Fprintf(w, ", %d damaged\n", len(v.Damaged))
	for _, b := range v.Damaged {
		switch {
		case b.Healed:
			_, _ = fmt.Fprintf(w, "%s: was damaged, fetched again%s%s\n", shortDigest(b.Digest), after(" from ", b.Source), usedBy(b))
		case len(b.Images) == 0:
			_, _ = fmt.Fprintf(w, "%s: was damaged, thrown away: no image has it\n", shortDigest(b.Digest))
		}
	}
}

// usedBy names the images that a blob belongs to.
func usedBy(b control.Broken) string {
	var names, parts []string // a part of an image says nothing where the image has a tag
	for _, name := range b.Images {
		if strings.Contains(name, "@") {
			parts = append(parts, familiarRef(name))
		} else {
			names = append(names, familiarRef(name))
		}
	}
	if len(names) == 0 {
		names = parts
	}
	if len(names) > shownTags {
		names = append(names[:shownTags], fmt.Sprintf("%d more", len(names)-shownTags))
	}
	return after("; of ", strings.Join(names, ", "))
}

func stillBroken(v control.Verified) error {
	var failed failures
	for _, b := range v.Damaged {
		if !b.Healed && len(b.Images) > 0 {
			failed = append(failed, fmt.Errorf("%s: damaged and thrown away%s%s", shortDigest(b.Digest), usedBy(b), after(": ", or(b.Error, "a pull fetches it again"))))
		}
	}
	return failed.orNil()
}

// rateFlag is a number of bytes a second, as 50MiB/s.
type rateFlag config.Rate

func (r *rateFlag) String() string {
	if *r == 0 {
		return ""
	}
	return config.Rate(*r).String()
}
func (r *rateFlag) Type() string { return "RATE" }
func (r *rateFlag) Set(text string) error {
	if err := (*config.Rate)(r).UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%w; want a rate such as 50MiB/s", err)
	}
	return nil
}
