package main

import (
	"io"

	"github.com/spf13/cobra"
)

// completion is cobra's own command of this name in our words: it takes the place of that one.
func (a *app) completion() *cobra.Command {
	below := func(shell, now, always string, write func(root *cobra.Command, w io.Writer) error) *cobra.Command {
		return &cobra.Command{
			Use: shell, Short: "the script for " + shell, Args: exactly(0, "no arguments"),
			Long: "Prints the script that completes what is typed in " + shell + ".\n\n" +
				"For this shell:\n  " + now + "\n\nFor every shell from the next one on:\n  " + always,
			RunE: func(cmd *cobra.Command, _ []string) error { return write(cmd.Root(), cmd.OutOrStdout()) },
		}
	}
	cmd := group("completion", "scripts that complete commands, flags and names in a shell",
		below("bash", "source <(pulley completion bash)", "pulley completion bash > ~/.local/share/bash-completion/completions/pulley",
			func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }),
		below("zsh", "source <(pulley completion zsh)", `pulley completion zsh > "${fpath[1]}/_pulley"`,
			func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) }),
		below("fish", "pulley completion fish | source", "pulley completion fish > ~/.config/fish/completions/pulley.fish",
			func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }),
		below("powershell", "pulley completion powershell | Out-String | Invoke-Expression", "pulley completion powershell >> $PROFILE",
			func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) }),
	)
	cmd.Long = "Prints a script that completes commands, flags and names: of registries, routes, mirrors, images, contexts, engines, ways\n" +
		"out and settings. Packages have it in place. bash needs its package bash-completion."
	return cmd
}
