package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pulley/internal/control/client"
)

// app is what all commands share.
type app struct {
	json bool // print JSON instead of words
}

func newRoot() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:   "pulley",
		Short: "Pulley makes docker pull fast and dependable on your own machine",
		Long: "Pulley is a local proxy and registry mirror with a cache on disk.\n" +
			"Start it with `pulley up`, then try: docker pull 127.0.0.1:5055/library/alpine",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("%s: unknown command; see: pulley --help", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%s; see: %s --help", parsing.ReplaceAllString(err.Error(), ""), cmd.CommandPath())}
	})
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON")
	owned := root.PersistentFlags().Bool("until-eof", false, "end as Ctrl-C does when standard input ends, as it does with the program that has its other end")
	_ = root.PersistentFlags().MarkHidden("until-eof") // for programs; docs/contexts.md
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if *owned {
			cmd.SetContext(untilEOF(cmd.Context(), cmd.InOrStdin()))
		}
	}
	root.AddCommand(underManager(a.up()), a.service(), a.status(), a.on(), a.off(), a.pause(), a.route(), a.mirror(), a.egress(), a.address(), a.ca(), a.config(), a.log(), a.pull(), a.images(), a.cache(), a.context(), a.connect(), a.disconnect(), a.doctor(), a.completion(), a.version())
	manual(root)
	completes(root, arguments(), choices())
	return root
}

// parsing is what Go's own functions put before the reason why a number is none.
var parsing = regexp.MustCompile(`strconv\.\w+: parsing ".*": `)

// untilEOF is ctx until in ends. What is printed after that may have no reader any more: with SIGPIPE taken that is an error, and
// does not end this program before it has put everything back. Programs that it starts still have theirs.
func untilEOF(ctx context.Context, in io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	return ctx
}

// exactly wants n arguments and says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return between(n, n, what)
}

// between wants from least to most arguments; most -1 is any number.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usageError{fmt.Errorf("%s: want %s; see: %s --help", cmd.Name(), what, cmd.CommandPath())}
		}
		return nil
	}
}

// group is a command that only has others below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("%s %s: unknown command; see: %s --help", cmd.Name(), args[0], cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(below...)
	return cmd
}

// with calls f with a client of the daemon that runs.
func with(cmd *cobra.Command, f func(*client.Client) error) error {
	c, err := client.Find(cmd.Context(), os.Environ())
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// print prints v as JSON, or calls words.
func (a *app) print(cmd *cobra.Command, v any, words func(w io.Writer)) error {
	if a.json {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	}
	words(cmd.OutOrStdout())
	return nil
}

// table prints rows in columns.
func table(w io.Writer, header string, rows [][]string) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(columns, strings.ReplaceAll(header, " ", "\t"))
	for _, row := range rows {
		_, _ = fmt.Fprintln(columns, strings.Join(row, "\t"))
	}
	_ = columns.Flush()
}
