package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"pulley/internal/cause"
	"pulley/internal/control"
	"pulley/internal/docker/wiring"
	"pulley/internal/trust"
)

// connecting is what connect was asked for.
type connecting struct {
	options  wiring.Options
	proxy    bool
	mirror   string // how the flag was given
	context  string // of an engine elsewhere
	dryRun   bool
	forget   bool
	yes      bool
	noTest   bool
	steps    bool // JSON has a line for each step as it begins
	backups  bool
	image    string
	terminal bool // somebody is there to be asked
}

// mirrorHere is the flag --mirror without a URL.
const mirrorHere = "here"

// connection is what became of one engine, as JSON shows it.
type connection struct {
	*wiring.Plan

	Egress string      `json:"egress,omitempty"` // without its password
	Files  []shownFile `json:"files"`
	Diff   string      `json:"diff"`
	Done   bool        `json:"done"`
	Proven bool        `json:"proven"`
	Proof  string      `json:"proof,omitempty"` // one line: how the test pull went
	Said   []string    `json:"said,omitempty"`
	Root   bool        `json:"root,omitempty"` // only root, or an administrator, may do it
	Error  string      `json:"error,omitempty"`
	Cause  string      `json:"cause,omitempty"` // the kind of that, one of cause.Kinds
}

// shownFile is a file that is changed. What is put into it, and stands there, is in the diff, without passwords.
type shownFile struct {
	Path    string   `json:"path"`
	Through []string `json:"through,omitempty"`
	Setting bool     `json:"setting,omitempty"`
}

func shownFiles(p *wiring.Plan) []shownFile {
	list := make([]shownFile, len(p.Files))
	for i, f := range p.Files {
		list[i] = shownFile{f.Path, f.Through, f.Setting}
	}
	return list
}

func (a *app) connect() *cobra.Command {
	var c connecting
	cmd := &cobra.Command{
		Use:   "connect [ENGINE…]",
		Short: "wire engines to Pulley; without ENGINE, list those that are here",
		Long: "Points engines at Pulley: shows what it will change, asks before it restarts one, and proves it by a test pull.\n" +
			"A mirror is what each engine gets unless --proxy is given: with a mirror an engine goes to the registry itself while\n" +
			"Pulley does not run. `pulley disconnect` takes back exactly what was done.",
		Example: "  pulley connect docker --dry-run\n  pulley connect docker podman\n  pulley connect docker --proxy --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			c.terminal = isTerminal(os.Stdin)
			if cmd.Flags().Changed("context") {
				return a.connectElsewhere(cmd, &c, args)
			}
			if err := c.check(); err != nil {
				return err
			}
			if c.backups {
				return a.backups(cmd)
			}
			h, err := openThisMachine(cmd.Context(), c.options.Way == wiring.Proxy)
			if err != nil {
				return err
			}
			defer h.close()
			if len(args) == 0 {
				if args, err = a.choose(cmd, h, &c); err != nil || len(args) == 0 {
					return err
				}
			}
			if err := h.knowsPort(); err != nil && c.options.Reach == "" {
				return err
			}
			return a.connectAll(cmd, h, &c, args)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&c.dryRun, "dry-run", false, "show what would be changed, and change nothing")
	f.BoolVarP(&c.yes, "yes", "y", false, "ask nothing: restart engines that have to be")
	f.BoolVar(&c.proxy, "proxy", false, "by a proxy: all registries, but nothing is pulled while Pulley does not run")
	f.StringVar(&c.mirror, "mirror", "", "by a mirror, which falls back to the registry itself")
	f.Lookup("mirror").NoOptDefVal = mirrorHere
	f.StringVar(&c.options.Reach, "reach", "", "HOST:PORT at which the engine gets to Pulley, in place of the one that suits it")
	f.StringSliceVar(&c.options.Insecure, "insecure", nil, "registries that the engine shall pull from without TLS")
	f.StringSliceVar(&c.options.Search, "search", nil, "registries where it shall look for names without one, in this order (Podman, CRI-O)")
	f.StringVar(&c.image, "test", "docker.io/library/hello-world:latest", "the image to prove it with")
	f.BoolVar(&c.noTest, "no-test", false, "prove nothing")
	stepsFlag(cmd, &c.steps)
	f.StringVar(&c.context, "context", "", "the engine of this ssh context, which gets --mirror URL: a Pulley that it reaches")
	f.BoolVar(&c.backups, "backups", false, "list the files as they were before connect changed them")
	return cmd
}

// check refuses what does not go together.
func (c *connecting) check() error {
	switch {
	case c.proxy && c.mirror != "":
		return usageError{errors.New("connect: --proxy or --mirror, not both")}
	case c.mirror != "" && c.mirror != mirrorHere:
		return usageError{errors.New("connect: --mirror takes no value here; to have an engine reach Pulley elsewhere: --reach HOST:PORT; an engine elsewhere: --context NAME")}
	case c.proxy:
		c.options.Way = wiring.Proxy
	case c.mirror != "":
		c.options.Way = wiring.Mirror
	}
	if c.options.Reach != "" {
		if err := hostPort(c.options.Reach); err != nil {
			return usageError{fmt.Errorf("connect: --reach %s: %w", c.options.Reach, err)}
		}
	}
	if _, err := imageOf(c.image); err != nil && !c.noTest {
		return usageError{fmt.Errorf("connect: --test %s: %w", c.image, err)}
	}
	return nil
}

// choose lists the engines and, on a terminal, asks which of them to connect.
func (a *app) choose(cmd *cobra.Command, h *thisMachine, c *connecting) (ids []string, err error) {
	engines := h.Find(cmd.Context())
	if err := a.print(cmd, engines, func(w io.Writer) { printEngines(w, engines) }); err != nil {
		return nil, err
	}
	if a.json || !c.terminal {
		return nil, nil
	}
	for _, e := range engines {
		if !e.Running || e.Wired.Ours || len(e.Ways) == 0 {
			continue
		}
		if err := confirm(cmd.Context(), cmd.ErrOrStderr(), os.Stdin, fmt.Sprintf("connect %s? [y/N] ", e.ID)); err == nil {
			ids = append(ids, e.ID)
		} else if !errors.Is(err, errNotVouched) {
			return nil, err
		}
	}
	return ids, nil
}

func printEngines(w io.Writer, engines []wiring.Engine) {
	if len(engines) == 0 {
		_, _ = fmt.Fprintln(w, "no container engine is found here; point one at Pulley by hand: docs/engines.md")
		return
	}
	var rows [][]string
	for _, e := range engines {
		rows = append(rows, []string{e.ID, or(e.Version, "-"), map[bool]string{true: "runs", false: "stopped"}[e.Running], wiredWords(e.Wired), ways(e)})
	}
	table(w, "ENGINE VERSION STATE WIRED WAYS", rows)
	for _, e := range engines {
		for _, note := range e.Notes.Lines() {
			_, _ = fmt.Fprintf(w, "%s: %s\n", e.ID, note)
		}
	}
}

func wiredWords(w wiring.Wired) string {
	switch {
	case w.Way == wiring.None:
		return "no"
	case w.Ours:
		return string(w.Way) + " " + strings.Join(w.To, ",")
	case w.Way == wiring.Foreign:
		return "elsewhere: " + strings.Join(w.To, ",")
	}
	return string(w.Way) + " " + strings.Join(w.To, ",") + ", by hand"
}

func ways(e wiring.Engine) string {
	list := make([]string, len(e.Ways))
	for i, w := range e.Ways {
		list[i] = string(w)
	}
	return or(strings.Join(list, ","), "-")
}

// connectAll connects one after another; one that fails does not keep it from the others.
func (a *app) connectAll(cmd *cobra.Command, h *thisMachine, c *connecting, ids []string) error {
	results := []connection{}
	if c.steps && a.json {
		h.Told = tellSteps(cmd.OutOrStdout())
	}
	var failed []error
	for _, id := range ids {
		r, err := a.connectOne(cmd, h, c, id)
		if err != nil {
			r.Error, r.Cause = err.Error(), cause.Of(err)
			r.Root = r.Root || isRoots(err)
			failed = append(failed, err)
		}
		results = append(results, r)
		if cmd.Context().Err() != nil {
			break
		}
	}
	if a.json {
		if err := a.printSteps(cmd, c, results); err != nil {
			return err
		}
	}
	return several(cmd.ErrOrStderr(), failed)
}

// stepsFlag is that of connect and disconnect.
func stepsFlag(cmd *cobra.Command, steps *bool) {
	cmd.Flags().BoolVar(steps, "steps", false, "with --json: a line for each step as it begins, and the result as the last")
}

// tellSteps writes a line for each step.
func tellSteps(w io.Writer) func(wiring.Step) {
	to := json.NewEncoder(w)
	return func(s wiring.Step) { _ = to.Encode(control.Line[wiring.Step, struct{}]{Progress: &s}) }
}

// printSteps writes what came of it: as the last of the lines, or as the document.
func (a *app) printSteps(cmd *cobra.Command, c *connecting, v any) error {
	if c.steps {
		return a.result(cmd.OutOrStdout(), v)
	}
	return a.print(cmd, v, nil)
}

// several is the last of some errors; the others are printed before it.
func several(w io.Writer, errs []error) error {
	for i, err := range errs {
		if i == len(errs)-1 {
			return err
		}
		_, _ = fmt.Fprintln(w, "pulley:", err)
	}
	return nil
}

func (a *app) connectOne(cmd *cobra.Command, h *thisMachine, c *connecting, id string) (r connection, err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	if a.json {
		out = io.Discard
	}
	p, err := h.Plan(ctx, id, c.options)
	if err != nil {
		return r, err
	}
	r.Plan, r.Egress, r.Files = p, redacted(p.Egress), shownFiles(p)
	if r.Diff, err = h.Diff(p); err != nil {
		return r, err
	}
	allowed := h.Allowed(p)
	r.Root = isRoots(allowed) || p.Trust && h.rootTrusts(ctx)
	printPlan(out, &r)
	if c.dryRun {
		printNext(out, p)
		return r, nil
	}
	if allowed != nil {
		return r, allowed
	}
	if err := c.agree(cmd, &r); err != nil {
		return r, err
	}
	back, err := h.takeOver(ctx, p)
	if err != nil {
		return r, err
	}
	say := func(line string) {
		r.Said = append(r.Said, line)
		_, _ = fmt.Fprintf(out, "%s: %s\n", id, line)
	}
	if err := h.Connect(ctx, p, say); err != nil {
		return r, errors.Join(err, back())
	}
	r.Done = true
	printNext(out, p)
	if c.noTest {
		return r, nil
	}
	if h.Told != nil {
		h.Told(wiring.Step{Kind: wiring.StepProve, Thing: c.image})
	}
	r.Proof, err = h.prove(ctx, p, c.image)
	r.Proven = err == nil && r.Proof != ""
	if r.Proven {
		_, _ = fmt.Fprintf(out, "✓ %s\n", r.Proof)
	}
	return r, err
}

// isRoots says that an error is one of rights.
func isRoots(err error) bool {
	var wires *wiring.RootError
	var trusts *trust.NeedRootError
	return errors.As(err, &wires) || errors.As(err, &trusts)
}

// printNext says what is left to a person.
func printNext(w io.Writer, p *wiring.Plan) {
	for _, line := range p.Manual {
		_, _ = fmt.Fprintf(w, "%s: next: %s\n", p.Engine.ID, line)
	}
}

func printPlan(w io.Writer, r *connection) {
	_, _ = fmt.Fprintf(w, "%s: %s by %s\n", r.Engine.ID, strings.TrimSpace(r.Engine.Name+" "+r.Engine.Version), r.Way)
	_, _ = fmt.Fprint(w, r.Diff)
	for _, line := range r.Warn {
		_, _ = fmt.Fprintf(w, "%s: %s\n", r.Engine.ID, line)
	}
	if r.Trust {
		_, _ = fmt.Fprintf(w, "%s: this system is made to trust Pulley's local authority\n", r.Engine.ID)
	}
	if r.How.Text != "" && r.Diff != "" && r.How.Kind != wiring.ByHand && r.Engine.Running {
		_, _ = fmt.Fprintf(w, "%s: then %s%s\n", r.Engine.ID, r.How.Text, costOf(r.How))
	}
}

// costOf says what a restart costs.
func costOf(how wiring.Activation) string {
	switch {
	case how.Kind != wiring.Restart:
		return ""
	case how.Stop < 0:
		return ", which stops containers that run"
	case how.Stop == 0:
		return ", which stops no container"
	case how.Stop == 1:
		return ", which stops 1 running container"
	}
	return fmt.Sprintf(", which stops %d running containers", how.Stop)
}

// agree asks before an engine is restarted.
func (c *connecting) agree(cmd *cobra.Command, r *connection) error {
	if r.How.Kind != wiring.Restart || !r.Engine.Running || r.Diff == "" && !r.Trust {
		return nil
	}
	return c.ask(cmd, r.Engine.ID, r.How)
}

func (c *connecting) ask(cmd *cobra.Command, id string, how wiring.Activation) error {
	question := id + ": " + how.Text + costOf(how)
	switch {
	case c.yes:
		return nil
	case !c.terminal:
		return fmt.Errorf("%s; nobody is there to be asked: add --yes, or --dry-run to see all of it", question)
	}
	if err := confirm(cmd.Context(), cmd.ErrOrStderr(), os.Stdin, question+": go on? [y/N] "); err != nil {
		return fmt.Errorf("%s: nothing was changed: %w", id, err)
	}
	return nil
}

func (a *app) backups(cmd *cobra.Command) error {
	h, _, err := openWired()
	if err != nil {
		return err
	}
	list, err := h.Backups()
	if err != nil {
		return err
	}
	return a.print(cmd, list, func(w io.Writer) {
		if len(list) == 0 {
			_, _ = fmt.Fprintln(w, "none: connect has changed nothing yet")
			return
		}
		var rows [][]string
		for _, b := range list {
			rows = append(rows, []string{b.Time.Local().Format("2006-01-02T15:04:05"), b.Engine, b.Path, or(b.File, "(there was none)"), yesNo(b.InUse)})
		}
		table(w, "TIME ENGINE FILE COPY NEEDED", rows)
	})
}
