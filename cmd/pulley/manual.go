//go:build manual

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// manual adds `pulley man DIR`, which writes a page for each command that is shown: go run -tags manual ./cmd/pulley man DIR.
func manual(root *cobra.Command) {
	root.AddCommand(&cobra.Command{
		Use: "man DIR", Short: "write the manual's pages", Hidden: true, Args: exactly(1, "a folder"),
		RunE: func(cmd *cobra.Command, args []string) error { return writeManual(cmd.Root(), args[0]) },
	})
}

func writeManual(root *cobra.Command, dir string) error {
	at, err := manualDate(os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // anybody may read a manual
		return err
	}
	plain(root)
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &at, Source: "Pulley", Manual: "Pulley"}, dir)
}

// manualDate is that of all pages: https://reproducible-builds.org/specs/source-date-epoch.
func manualDate(epoch string) (time.Time, error) {
	if epoch == "" {
		return time.Now().UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q is no number of seconds", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// plain makes the texts of cmd and all below it Markdown that says what they say, which cobra takes them for.
func plain(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	if cmd.HasSubCommands() {
		cmd.Use, cmd.DisableFlagsInUseLine = cmd.Name()+" COMMAND", true
	}
	cmd.InitDefaultHelpFlag()
	cmd.Flags().Lookup("help").Hidden = true // who reads this knows where to look
	cmd.Short, cmd.Long = markdown(cmd.Short), markdown(cmd.Long)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = markdown(f.Usage) })
	for _, below := range cmd.Commands() {
		plain(below)
	}
}

// markdown keeps lines that are set in from the margin as they are.
func markdown(text string) string {
	var b strings.Builder
	example := false
	for line := range strings.SplitSeq(text, "\n") {
		set := strings.HasPrefix(line, "  ")
		switch {
		case set && !example:
			b.WriteString("\n```\n")
		case !set && example:
			b.WriteString("```\n\n")
		}
		if example = set; !set {
			line = strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`).Replace(line)
		}
		b.WriteString(line + "\n")
	}
	if example {
		b.WriteString("```\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
