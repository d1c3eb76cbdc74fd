package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"pulley/internal/docker/machine"
	"pulley/internal/docker/wiring"
)

func (a *app) disconnect() *cobra.Command {
	var c connecting
	cmd := &cobra.Command{
		Use:   "disconnect [ENGINE…]",
		Short: "take back what connect did: all of it without ENGINE",
		Long: "Every file becomes what it was, byte for byte. Out of one that somebody has edited since, only what connect put in\n" +
			"is taken; one that is broken now is left alone, and named. With --forget nothing is kept of that: neither the files as\n" +
			"they were, which pulley connect --backups lists, nor folders that were made for them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c.terminal = isTerminal(os.Stdin)
			if cmd.Flags().Changed("context") {
				if c.forget {
					return usageError{errors.New("disconnect: --forget is for what was done on this machine, so not with --context")}
				}
				return a.disconnectElsewhere(cmd, &c, args)
			}
			h, _, err := openWired()
			if err != nil {
				return err
			}
			return a.disconnectAll(cmd, h, &c, args)
		},
	}
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "show what would be changed, and change nothing")
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "ask nothing: restart engines that have to be")
	cmd.Flags().BoolVar(&c.forget, "forget", false, "when nothing is wired any more, forget the files as they were")
	stepsFlag(cmd, &c.steps)
	cmd.Flags().StringVar(&c.context, "context", "", "the engine of this ssh context")
	return cmd
}

func (a *app) disconnectAll(cmd *cobra.Command, h *thisMachine, c *connecting, ids []string) error {
	out := cmd.OutOrStdout()
	if a.json {
		out = io.Discard
	}
	if len(ids) == 0 {
		var err error
		if ids, err = h.Wired(); err != nil {
			return err
		}
		if len(ids) == 0 {
			_, _ = fmt.Fprintln(out, "no engine is wired by pulley")
		}
	}
	undone := []undoing{}
	if c.steps && a.json {
		h.Told = tellSteps(cmd.OutOrStdout())
	}
	var failed []error
	for _, id := range ids {
		u, err := h.disconnectOne(cmd, out, c, id)
		if err != nil {
			failed = append(failed, err)
		}
		if u.Undo != nil {
			undone = append(undone, u)
		}
	}
	if c.forget && !c.dryRun && len(failed) == 0 {
		if err := h.Forget(cmd.Context()); err != nil {
			failed = append(failed, err)
		}
	}
	if a.json {
		if err := a.printSteps(cmd, c, undone); err != nil {
			return err
		}
	}
	return several(cmd.ErrOrStderr(), failed)
}

// undoing is what disconnecting does, or did, as JSON shows it.
type undoing struct {
	*wiring.Undo

	Diff string `json:"diff"`
	Root bool   `json:"root,omitempty"` // only root, or an administrator, may do it
	Done bool   `json:"done"`
}

func (h *thisMachine) disconnectOne(cmd *cobra.Command, out io.Writer, c *connecting, id string) (shown undoing, err error) {
	u, err := h.PlanUndo(cmd.Context(), id)
	if errors.Is(err, wiring.ErrNotWired) {
		engines := h.Find(cmd.Context())
		if !slices.ContainsFunc(engines, func(e wiring.Engine) bool { return e.ID == id }) {
			return shown, fmt.Errorf("%w; see: pulley connect", err)
		}
		_, _ = fmt.Fprintln(out, err.Error()+": nothing to take back")
		return shown, nil
	}
	if err != nil {
		return shown, err
	}
	shown.Undo, shown.Diff = u, u.Diff()
	facts := h.Machine.Facts()
	shown.Root = isRoots(h.AllowedUndo(u)) || u.Trust && facts.OS == machine.Linux && !facts.Root
	_, _ = fmt.Fprint(out, shown.Diff)
	if u.Trust {
		_, _ = fmt.Fprintf(out, "%s: this system stops trusting Pulley's local authority\n", id)
	}
	if u.How.Text != "" && u.Engine.Running && u.How.Kind != wiring.ByHand {
		_, _ = fmt.Fprintf(out, "%s: then %s%s\n", id, u.How.Text, costOf(u.How))
	}
	if c.dryRun {
		return shown, nil
	}
	if u.How.Kind == wiring.Restart && u.Engine.Running {
		if err := c.ask(cmd, id, u.How); err != nil {
			return undoing{}, err
		}
	}
	u, err = h.Disconnect(cmd.Context(), id, func(line string) { _, _ = fmt.Fprintf(out, "%s: %s\n", id, line) })
	if u != nil {
		shown.Undo = u
	}
	if err != nil {
		return shown, err
	}
	shown.Done = true
	for _, f := range u.Files {
		if f.Edited && !f.Same {
			_, _ = fmt.Fprintf(out, "%s: %s was edited since: only what connect put in was taken out\n", id, f.Path)
		}
	}
	if u.How.Kind == wiring.ByHand {
		_, _ = fmt.Fprintf(out, "%s: next: %s\n", id, u.How.Text)
	}
	_, _ = fmt.Fprintf(out, "%s: is as it was\n", id)
	return shown, nil
}
