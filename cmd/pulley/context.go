package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	dockercontext "pulley/internal/docker/context"
)

func (a *app) context() *cobra.Command {
	cmd := group("context", "docker contexts: engines here and elsewhere, and which one docker uses",
		a.contextList(), a.contextUse(), a.contextCreate(), a.contextUpdate(), a.contextRemove(), a.contextUndo(), a.contextExport(), a.contextImport(), a.contextTest(), a.contextShare(), a.contextEgress())
	cmd.Long = "Works on docker's own contexts, which `docker context` shows too. No daemon of Pulley's need run.\n" +
		"DOCKER_HOST goes before DOCKER_CONTEXT, and that before what `use` has chosen."
	return cmd
}

// withContexts calls f with the person's contexts.
func withContexts(f func(*dockercontext.Book) error) error {
	b, err := dockercontext.Open(os.Environ())
	if err != nil {
		return err
	}
	return f(b)
}

// listed is a context, tested if that was asked for.
type listed struct {
	dockercontext.Entry
	Test  *dockercontext.Report `json:"test,omitempty"`
	Cures []dockercontext.Cure  `json:"cures,omitempty"` // of an engine elsewhere, which does not use this machine's Pulley
}

func (a *app) contextList() *cobra.Command {
	var tested bool
	var limit time.Duration
	cmd := &cobra.Command{
		Use: "ls", Short: "the contexts there are, and which one wins", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withContexts(func(b *dockercontext.Book) error {
				entries, err := b.List()
				if err != nil {
					return err
				}
				list, names := make([]listed, len(entries)), make([]string, len(entries))
				for i, e := range entries {
					list[i].Entry, list[i].Cures, names[i] = e, e.Cures(), e.Name
				}
				if tested {
					for i, r := range testContexts(cmd.Context(), b, names, limit) {
						list[i].Test = &r
					}
				}
				return a.print(cmd, list, func(w io.Writer) {
					printContexts(w, list, tested)
					printElsewhere(w, entries)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&tested, "test", false, "ask each engine too")
	cmd.Flags().DurationVar(&limit, "timeout", 5*time.Second, "how long an engine may take to answer")
	return cmd
}

func printContexts(w io.Writer, list []listed, tested bool) {
	header := "NAME KIND HOST WINS"
	if tested {
		header += " ENGINE LATENCY"
	}
	var rows [][]string
	for _, e := range list {
		wins := "-"
		if e.Wins {
			wins = "* " + e.Why
		}
		row := []string{e.Name, or(string(e.Kind), "-"), or(e.Host, "-"), wins}
		if e.Test != nil {
			row = append(row, or(e.Test.Engine, "-"), ms(e.Test.Latency))
		}
		rows = append(rows, append(row, marked(w, e.Mark)+remarkOn(e)))
	}
	table(w, header+" REMARK", rows)
}

// printElsewhere says which engines do not use this machine's Pulley, and for the one that docker uses, or else the first,
// what can be done about it.
func printElsewhere(w io.Writer, entries []dockercontext.Entry) {
	var names []string
	var shown dockercontext.Entry
	for _, e := range entries {
		if len(e.Cures()) == 0 {
			continue
		}
		names = append(names, e.Name)
		if e.Wins || len(names) == 1 {
			shown = e
		}
	}
	switch len(names) {
	case 0:
		return
	case 1:
		_, _ = fmt.Fprintf(w, "\n%s is elsewhere: what it pulls does not come through this Pulley\n", names[0])
	default:
		_, _ = fmt.Fprintf(w, "\n%s are elsewhere: what they pull does not come through this Pulley; for %s\n", strings.Join(names, ", "), shown.Name)
	}
	printCures(w, shown.Cures())
}

func printCures(w io.Writer, cures []dockercontext.Cure) {
	for _, c := range cures {
		_, _ = fmt.Fprintf(w, "  %s: %s\n", c.What, c.Command)
	}
}

// remarkOn is what else there is to say about a context.
func remarkOn(e listed) string {
	switch {
	case e.Error != "":
		return e.Error
	case e.Test != nil && e.Test.Error != "":
		return strings.TrimPrefix(e.Test.Error, e.Name+": ")
	case e.Description != "":
		return visible(e.Description)
	case e.Mark == nil:
		return "-"
	}
	return ""
}

// visible is a text from a file that may have come from elsewhere: no control characters reach the terminal.
func visible(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// marked is a context's mark, in its colour where colours show.
func marked(w io.Writer, m *dockercontext.Mark) string {
	if m == nil {
		return ""
	}
	return painted(w, m.Colour, "["+m.Word+"]") + " "
}

// used is which context docker uses from now on.
type used struct {
	Name       string   `json:"name"`
	Host       string   `json:"host"`
	Overridden []string `json:"overridden_by,omitempty"` // variables that make another one win
	Fix        string   `json:"fix,omitempty"`

	Cures []dockercontext.Cure `json:"cures,omitempty"` // as in listed
}

func (a *app) contextUse() *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "say which engine docker talks to from now on", Args: exactly(1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withContexts(func(b *dockercontext.Book) error {
				if err := b.Use(args[0]); err != nil {
					return err
				}
				e, err := b.Get(args[0])
				if err != nil {
					return err
				}
				u := used{Name: e.Name, Host: e.Host, Overridden: b.Overriding(e.Name), Cures: e.Cures()}
				if len(u.Overridden) > 0 {
					u.Fix = dockercontext.Unset(u.Overridden...)
					win := "wins"
					if len(u.Overridden) > 1 {
						win = "win"
					}
					_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "pulley: %s: %s %s over it in this shell; try: %s\n", e.Name, strings.Join(u.Overridden, " and "), win, u.Fix)
				}
				return a.print(cmd, u, func(w io.Writer) {
					where := ""
					if len(u.Overridden) > 0 {
						where = " where no variable says otherwise"
					}
					_, _ = fmt.Fprintf(w, "%sdocker uses %s (%s)%s\n", marked(w, e.Mark), e.Name, e.Host, where)
					if len(u.Cures) > 0 {
						_, _ = fmt.Fprintln(w, "that engine is on another machine: what it pulls does not come through this Pulley")
						printCures(w, u.Cures)
					}
				})
			})
		},
	}
}

// changeFlags are those of create and update. The function they return says what was given.
func changeFlags(cmd *cobra.Command) func() dockercontext.Change {
	flags := cmd.Flags()
	ca := flags.String("ca", "", "file of the CA that has signed the engine's certificate, for tcp://")
	cert := flags.String("cert", "", "file of the client certificate, for tcp://")
	key := flags.String("key", "", "file of its private key")
	description := flags.String("description", "", "what it is")
	word := flags.String("mark", "", `a word that tells it from others, such as production; "" takes it away`)
	colour := flags.String("colour", "", "the mark's colour: "+strings.Join(dockercontext.Colours(), ", ")+" or #rrggbb")
	return func() dockercontext.Change {
		given := func(name string, v *string) *string {
			if flags.Changed(name) {
				return v
			}
			return nil
		}
		c := dockercontext.Change{CA: given("ca", ca), Cert: given("cert", cert), Key: given("key", key), Description: given("description", description)}
		if flags.Changed("mark") {
			c.Mark = &dockercontext.Mark{Word: *word, Colour: *colour}
		}
		return c
	}
}

func (a *app) contextCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create NAME URL", Short: "add a context: ssh://user@host, tcp://host:2376 with TLS files, unix:///path",
		Args: exactly(2, "a name and a URL"),
	}
	change := changeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c := change()
		if err := colourNeedsMark(cmd, c.Mark); err != nil {
			return err
		}
		c.Host = &args[1]
		return a.changed(cmd, args[0], "created", func(b *dockercontext.Book) error { return b.Create(args[0], c) })
	}
	return cmd
}

func (a *app) contextUpdate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "update NAME", Short: "change a context; what is not given stays", Args: exactly(1, "a name"),
		Long: "Changes a context; what is not given stays. What it was before is kept in Pulley's state folder, a private key\n" +
			"included, for `pulley context undo`.",
	}
	change := changeFlags(cmd)
	host := cmd.Flags().String("host", "", "its URL")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c := change()
		if cmd.Flags().Changed("host") {
			c.Host = host
		}
		if err := colourNeedsMark(cmd, c.Mark); err != nil {
			return err
		}
		if c == (dockercontext.Change{}) {
			return usageError{errors.New("update: nothing to change was given; see: pulley context update --help")}
		}
		err := a.changed(cmd, args[0], "updated", func(b *dockercontext.Book) error {
			return keeping(b, args[0], func() error { return b.Update(args[0], c) })
		})
		if err == nil && !a.json {
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), "undo:", undoCommand(args[0]))
		}
		return err
	}
	return cmd
}

func colourNeedsMark(cmd *cobra.Command, m *dockercontext.Mark) error {
	if cmd.Flags().Changed("colour") && (m == nil || m.Word == "") {
		return usageError{fmt.Errorf("%s: a colour is a mark's; add --mark WORD", cmd.Name())}
	}
	return nil
}

// changed changes a context and shows it.
func (a *app) changed(cmd *cobra.Command, name, what string, change func(*dockercontext.Book) error) error {
	return withContexts(func(b *dockercontext.Book) error {
		if err := change(b); err != nil {
			return err
		}
		e, err := b.Get(name)
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Host, "tcp://") && !e.TLS && e.Kind == dockercontext.Remote {
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "pulley: %s: without certificates whoever reaches %s is root there; add --ca, --cert and --key, or use ssh://\n", name, e.Host)
		}
		return a.print(cmd, e, func(w io.Writer) { _, _ = fmt.Fprintf(w, "%s%s %s\n", marked(w, e.Mark), what, name) })
	})
}

func (a *app) contextTest() *cobra.Command {
	var limit time.Duration
	cmd := &cobra.Command{
		Use: "test [NAME…]", Short: "ask engines how they are; without a name, the one docker uses", Args: between(0, -1, "names"),
		RunE: func(cmd *cobra.Command, names []string) error {
			return withContexts(func(b *dockercontext.Book) error {
				if len(names) == 0 {
					winner, err := b.Winner("")
					if err != nil {
						return err
					}
					names = []string{winner.Name}
				}
				reports := testContexts(cmd.Context(), b, names, limit)
				tests, answer := withCures(b, reports)
				if err := a.print(cmd, tests, func(w io.Writer) {
					printContextReports(w, reports)
					printElsewhere(w, answer)
				}); err != nil {
					return err
				}
				var failed failures
				for _, r := range reports {
					if r.Error != "" {
						failed = append(failed, errors.New(r.Error))
					}
				}
				return failed.orNil()
			})
		},
	}
	cmd.Flags().DurationVar(&limit, "timeout", 10*time.Second, "how long an engine may take to answer")
	return cmd
}

// tested is a report with what can be done about an engine elsewhere.
type tested struct {
	dockercontext.Report
	Cures []dockercontext.Cure `json:"cures,omitempty"`
}

// withCures adds the cures to reports. answer are the contexts whose engines are reached.
func withCures(b *dockercontext.Book, reports []dockercontext.Report) (tests []tested, answer []dockercontext.Entry) {
	for _, r := range reports {
		t := tested{Report: r}
		if e, err := b.Get(r.Name); err == nil && r.Reachable {
			t.Cures, answer = e.Cures(), append(answer, e)
		}
		tests = append(tests, t)
	}
	return tests, answer
}

func printContextReports(w io.Writer, reports []dockercontext.Report) {
	var rows [][]string
	for _, r := range reports {
		if !r.Reachable {
			continue // why is on stderr
		}
		disk := "-"
		if r.Disk >= 0 {
			disk = size(r.Disk)
		}
		rows = append(rows, []string{r.Name, or(visible(r.Engine), "-"), or(visible(r.System), "-"), ms(r.Connect), ms(r.Latency), strconv.Itoa(r.Images), strconv.Itoa(r.Running), disk})
	}
	if len(rows) > 0 {
		table(w, "NAME ENGINE SYSTEM CONNECT LATENCY IMAGES RUNNING DISK", rows)
	}
}

// testContexts tests contexts side by side, each within a limit.
func testContexts(ctx context.Context, b *dockercontext.Book, names []string, limit time.Duration) []dockercontext.Report {
	reports := make([]dockercontext.Report, len(names))
	var g errgroup.Group
	g.SetLimit(8) // ssh sessions at once
	for i, name := range names {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			reports[i] = b.Test(ctx, name)
			return nil
		})
	}
	_ = g.Wait() // no test fails but in its report
	return reports
}
